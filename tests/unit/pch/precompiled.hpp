// SPDX-License-Identifier: Apache-2.0
// As core/pch/precompiled.hpp, for tests.
#pragma once

#include "../../../core/pch/precompiled.hpp"
#include "../catch.hpp"
