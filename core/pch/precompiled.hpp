// SPDX-License-Identifier: Apache-2.0
// What most files include, compiled once where a build has b_pch (the sanitizer builds). Nobody relies on it: a build
// without it, which is the default, sees that each file includes what it uses.
#pragma once

#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
