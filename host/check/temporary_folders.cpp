// SPDX-License-Identifier: Apache-2.0
#include "host/check/temporary_folders.hpp"

#include <cstdlib>
#include <filesystem>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

namespace fs = std::filesystem;

// Outer ones before those within them.
std::vector<fs::path> temporary_folders() {
    std::set<fs::path> folders;
    std::vector<std::string> names{"/tmp", "/var/tmp", fmt::format("/run/user/{}", getuid())};
    for (const char* variable : {"TMPDIR", "XDG_RUNTIME_DIR"}) {
        if (const char* name = std::getenv(variable)) {
            names.emplace_back(name);
        }
    }
    for (const auto& name : names) {
        std::error_code error;
        const auto folder = fs::canonical(name, error);
        if (!error && folder != "/" && fs::is_directory(folder, error)) {
            folders.insert(folder);
        }
    }
    return {folders.begin(), folders.end()};
}

// `link` becomes another name of what `target` is.
bool show_at(const fs::path& target, const fs::path& link) {
    std::error_code error;
    const auto status = fs::symlink_status(target, error);
    if (error) {
        return true; // gone meanwhile
    }
    if (fs::is_symlink(status)) {
        fs::copy_symlink(target, link, error);
        return true;
    }
    if (fs::is_directory(status)) {
        fs::create_directory(link, error);
    } else if (const int file = open(link.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600); file >= 0) {
        close(file);
    }
    return mount(target.c_str(), link.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0 || !fs::exists(target, error);
}

// A new file system that shows what is in the folder now takes its place.
bool make_private(const fs::path& folder) {
    const fs::path stage = "/dev/shm/ipcmark-stage";
    struct stat facts {};
    if (stat(folder.c_str(), &facts) != 0 || mkdir(stage.c_str(), 0700) != 0) {
        return false;
    }
    const auto mode = fmt::format("mode={:o}", facts.st_mode & 07777U);
    bool done = mount("tmpfs", stage.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, mode.c_str()) == 0;
    std::error_code error;
    for (fs::directory_iterator at(folder, error), end; done && !error && at != end; at.increment(error)) {
        done = show_at(at->path(), stage / at->path().filename());
    }
    done = done && !error && mount(stage.c_str(), folder.c_str(), nullptr, MS_MOVE, nullptr) == 0;
    if (!done) {
        (void)umount2(stage.c_str(), MNT_DETACH);
    }
    return rmdir(stage.c_str()) == 0 && done;
}

bool counts(const fs::directory_entry& entry, Sharing sharing) {
    struct stat facts {};
    if (sharing == Sharing::private_) {
        return true;
    }
    return lstat(entry.path().c_str(), &facts) == 0 && facts.st_uid == getuid() &&
           (S_ISSOCK(facts.st_mode) || S_ISFIFO(facts.st_mode));
}

} // namespace

bool make_temporary_folders_private() {
    for (const auto& folder : temporary_folders()) {
        if (!make_private(folder)) {
            return false;
        }
    }
    return true;
}

std::set<std::string> temporary_names(Sharing sharing) {
    std::set<std::string> names;
    for (const auto& folder : temporary_folders()) {
        std::error_code error;
        for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
            if (counts(*at, sharing)) {
                names.insert(at->path().string());
            }
        }
    }
    return names;
}

} // namespace ipcmark::check
