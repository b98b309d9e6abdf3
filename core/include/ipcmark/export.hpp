// SPDX-License-Identifier: Apache-2.0
#pragma once

// What libipcmark exports; everything else in it is hidden.
#define IPCMARK_API __attribute__((visibility("default")))
