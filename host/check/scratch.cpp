// SPDX-License-Identifier: Apache-2.0
#include "host/check/scratch.hpp"

#include <ipcmark/run.hpp>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipcmark::check {

namespace fs = std::filesystem;

ScratchRoot::ScratchRoot() {
    std::error_code error;
    auto pattern = (fs::temp_directory_path(error) / "ipcmark-check-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
        throw RunError(fmt::format("no temporary folder {} can be made: {}", pattern, std::strerror(errno)));
    }
    root_ = pattern;
    start_cleaner();
}

void ScratchRoot::start_cleaner() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return;
    }
    cleaner_ = fork();
    if (cleaner_ == 0) {
        setsid(); // Ctrl-C ends this process's parent, not this process
        signal(SIGHUP, SIG_IGN);
        close(ends[1]);
        char nothing = 0;
        while (read(ends[0], &nothing, 1) > 0 || errno == EINTR) {
            errno = 0;
        }
        remove_folder(root_);
        _exit(0);
    }
    close(ends[0]);
    lifeline_ = kit::Fd(ends[1]);
}

ScratchRoot::~ScratchRoot() {
    lifeline_ = kit::Fd();
    if (cleaner_ > 0) {
        waitpid(cleaner_, nullptr, 0);
    }
    remove_folder(root_);
}

fs::path ScratchRoot::make_folder() {
    auto folder = root_ / std::to_string(next_++);
    if (mkdir(folder.c_str(), 0700) != 0) {
        throw RunError(fmt::format("the folder {} cannot be made: {}", folder.string(), std::strerror(errno)));
    }
    return folder;
}

void ScratchRoot::remove_folder(const fs::path& folder) noexcept {
    std::error_code error;
    fs::remove_all(folder, error);
}

} // namespace ipcmark::check
