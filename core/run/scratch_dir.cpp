// SPDX-License-Identifier: Apache-2.0
#include "run/scratch_dir.hpp"

#include "run/unique_fd.hpp"

#include <ipcmark/run.hpp>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <random>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ipcmark {
namespace {

constexpr const char* name_prefix = "ipcmark-scratch-";

std::filesystem::path base_folder() {
    std::error_code error;
    auto folder = std::filesystem::temp_directory_path(error);
    return error ? std::filesystem::path("/tmp") : folder;
}

// The worker that makes a folder holds a lock on it for as long as it lives; a lock is seen through every PID
// namespace, a process number is not.
UniqueFd& held_lock() {
    static UniqueFd lock;
    return lock;
}

} // namespace

std::string choose_scratch_dir() {
    std::random_device random;
    return (base_folder() / fmt::format("{}{}-{:08x}", name_prefix, getpid(), random())).string();
}

void make_scratch_dir(const std::string& path) {
    if (mkdir(path.c_str(), 0700) != 0)
        throw RunError(fmt::format("cannot make the folder {}: {}; set TMPDIR to a folder that can be written to", path,
                                   std::strerror(errno)));
    UniqueFd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder && flock(folder.get(), LOCK_EX | LOCK_NB) == 0)
        held_lock() = std::move(folder);
}

void remove_scratch_dir(const std::string& path) noexcept {
    std::error_code ignored;
    if (!path.empty() && path.find(name_prefix) != std::string::npos)
        std::filesystem::remove_all(path, ignored);
}

void sweep_scratch_dirs() noexcept {
    std::error_code error;
    for (std::filesystem::directory_iterator entry(base_folder(), error), end; !error && entry != end;
         entry.increment(error)) {
        if (!entry->path().filename().string().starts_with(name_prefix))
            continue;
        struct stat status {};
        if (lstat(entry->path().c_str(), &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid())
            continue;
        const UniqueFd folder(open(entry->path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        // A folder that was made this very moment is not locked yet; a minute is more than its maker needs.
        const bool old = status.st_mtime + 60 < time(nullptr);
        if (old && folder && flock(folder.get(), LOCK_EX | LOCK_NB) == 0)
            remove_scratch_dir(entry->path().string());
    }
}

} // namespace ipcmark
