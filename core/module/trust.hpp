// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace ipcmark {

// Whether anyone but ourselves could change what is loaded from a path. A module runs with all our rights, so:
//   - the file, the folder it is in, every folder above and every symbolic link on the way belong to root, to us, or to
//     the owner of the program that is running (who could change that as well);
//   - none of them is writable by others; by its group neither, because who is in a group is not known here;
//   - a folder above that is sticky, as /tmp is, may be writable: in it, nobody else can rename what belongs to us.
// In the build tree group-writable is allowed, as a umask of 002 makes it: the program itself lies beside the modules
// under the same mode.
enum class GroupWritable { refused, allowed };

// The reason why a folder or file must not be used, as the end of a sentence that begins with its name: "is writable by
// others (mode 0777); ..."; not set if it may. The path is absolute; each symbolic link in it is followed.
[[nodiscard]] std::optional<std::string> reason_for_distrust(const std::filesystem::path& path,
                                                             GroupWritable group = GroupWritable::refused);

// For a file that was named by its path: the build tree's own modules may be writable by their group.
[[nodiscard]] GroupWritable group_rule_of(const std::filesystem::path& path);

} // namespace ipcmark
