// SPDX-License-Identifier: Apache-2.0
#include "result/same_output.hpp"

#include "result/follow_links.hpp"

#include <optional>
#include <system_error>

#include <sys/stat.h>
#include <sys/sysmacros.h>

namespace ipcmark {

namespace fs = std::filesystem;

namespace {

std::optional<struct stat> status_of(const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0)
        return {};
    return status;
}

bool is_null_device(const struct stat& status) {
    return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

// Of a file that is not there yet, in a folder that is.
fs::path name_without_links(const fs::path& path) {
    std::error_code error;
    fs::path name = fs::absolute(path, error);
    if (!error)
        name = follow_links(name, error);
    if (!error)
        name = fs::weakly_canonical(name, error);
    return error ? path.lexically_normal() : name;
}

} // namespace

bool same_output(const fs::path& first, const fs::path& second) {
    const auto one = status_of(first);
    const auto other = status_of(second);
    if (one && other)
        return one->st_dev == other->st_dev && one->st_ino == other->st_ino && !is_null_device(*one);
    return !one && !other && name_without_links(first) == name_without_links(second);
}

} // namespace ipcmark
