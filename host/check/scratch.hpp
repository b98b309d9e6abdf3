// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/fd.hpp>

#include <filesystem>

#include <sys/types.h>

namespace ipcmark::check {

// A temporary folder of mode 0700 with a folder for each test. A small process beside this one removes it when this one
// ends, however it ends.
class ScratchRoot {
public:
    // Throws RunError. Call it while the process has one thread.
    ScratchRoot();
    ScratchRoot(const ScratchRoot&) = delete;
    ScratchRoot& operator=(const ScratchRoot&) = delete;
    ~ScratchRoot();

    [[nodiscard]] std::filesystem::path make_folder();
    static void remove_folder(const std::filesystem::path& folder) noexcept;

private:
    void start_cleaner();
    std::filesystem::path root_;
    kit::Fd lifeline_; // closed by the end of this process, which the cleaner waits for
    pid_t cleaner_ = -1;
    int next_ = 0;
};

} // namespace ipcmark::check
