// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

namespace ipcmark {

// Whether two outputs lead to one file, by whatever links, descriptors or spellings, so that one would overwrite the
// other or lie in the middle of it. Never true of /dev/null. A path that cannot be looked at is one by itself.
[[nodiscard]] bool same_output(const std::filesystem::path& first, const std::filesystem::path& second);

} // namespace ipcmark
