// SPDX-License-Identifier: Apache-2.0
#include "module/trust.hpp"

#include <cerrno>
#include <deque>
#include <system_error>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ipcmark {
namespace {

namespace fs = std::filesystem;

constexpr int most_links = 40; // as the kernel

bool is_trusted_owner(uid_t owner) {
    static const uid_t program_owner = [] {
        struct stat status {};
        return ::stat("/proc/self/exe", &status) == 0 ? status.st_uid : uid_t{0};
    }();
    return owner == 0 || owner == ::geteuid() || owner == program_owner;
}

enum class Role { target, folder_above };

std::optional<std::string> fault_of(const fs::path& path, const struct stat& status, Role role, GroupWritable group) {
    const std::string subject = role == Role::target ? "" : fmt::format("is below {}, which ", path.string());
    if (!is_trusted_owner(status.st_uid))
        return fmt::format("{}belongs to another user (uid {}), who could change it", subject, status.st_uid);
    const mode_t mode = status.st_mode & 07777;
    if (role == Role::folder_above && (mode & S_ISVTX) != 0)
        return {};
    if ((mode & S_IWOTH) != 0)
        return fmt::format("{}is writable by others (mode {:04o}); chmod o-w makes it safe", subject, mode);
    if ((mode & S_IWGRP) != 0 && group == GroupWritable::refused)
        return fmt::format(
            "{}is writable by its group (mode {:04o}); chmod g-w makes it safe, and umask 022 what is built next",
            subject, mode);
    return {};
}

} // namespace

std::optional<std::string> reason_for_distrust(const fs::path& path, GroupWritable group) {
    std::deque<fs::path> to_come(path.begin(), path.end());
    fs::path here;
    int links = 0;
    while (!to_come.empty()) {
        const fs::path name = to_come.front();
        to_come.pop_front();
        if (name.empty() || name == ".")
            continue;
        if (name == "..") {
            here = here.parent_path();
            continue;
        }
        const fs::path next = name.is_absolute() ? name : here / name;
        struct stat status {};
        if (::lstat(next.c_str(), &status) != 0)
            return errno == ENOENT ? std::string("does not exist")
                                   : fmt::format("cannot be examined: {}", std::generic_category().message(errno));
        if (S_ISLNK(status.st_mode)) {
            if (!is_trusted_owner(status.st_uid))
                return fmt::format("is reached by the link {} of another user (uid {}), who could change it",
                                   next.string(), status.st_uid);
            std::error_code error;
            const fs::path target = fs::read_symlink(next, error);
            if (error || ++links > most_links)
                return fmt::format("cannot be examined: {}", error ? error.message() : "too many links");
            to_come.insert(to_come.begin(), target.begin(), target.end());
            if (target.is_absolute())
                here.clear();
            continue;
        }
        here = next;
        const bool last = to_come.empty();
        if (const auto fault = fault_of(here, status, last ? Role::target : Role::folder_above, group))
            return fault;
    }
    return {};
}

} // namespace ipcmark
