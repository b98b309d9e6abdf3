// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

// The file of a fixture module, by the fault that it was built with ("none": all is right). See fixtures/module.c.
inline std::filesystem::path fixture_path(const std::string& fault) {
    return std::filesystem::path(IPCMARK_FIXTURE_DIR) / (fault + ".so");
}
