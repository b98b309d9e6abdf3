// SPDX-License-Identifier: Apache-2.0
#include "host/log.hpp"

#include "host/printable.hpp"

#include <ipcmark/module.h>
#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace ipcmark::host {

namespace {

int shown_level(const std::optional<std::string>& file, unsigned verbosity, Quiet quiet) {
    if (verbosity >= 2)
        return IPCMARK_LOG_DEBUG;
    if (verbosity == 1 || file == "stderr")
        return IPCMARK_LOG_INFO;
    return quiet == Quiet::yes ? IPCMARK_LOG_ERROR : IPCMARK_LOG_WARNING;
}

} // namespace

Log::Log(const std::string& program, const std::optional<std::string>& file, unsigned verbosity, Quiet quiet)
    : program_(program), shown_level_(shown_level(file, verbosity, quiet)) {
    if (!file || file == "stderr")
        return;
    file_name_ = *file;
    file_.reset(std::fopen(file->c_str(), "ae"));
    if (!file_)
        throw UsageError(fmt::format("--log-file '{}': {}", *file, std::strerror(errno)));
}

void Log::write(int level, const std::string& text) {
    static constexpr std::array names{"error", "warning", "info", "debug"};
    const auto* name = names[static_cast<std::size_t>(std::clamp(level, 0, 3))];
    const auto line = one_line(text);
    if (shows(level))
        std::fputs(fmt::format("{}: {}{}\n", program_, level == IPCMARK_LOG_WARNING ? "warning: " : "", line).c_str(),
                   stderr);
    if (!file_)
        return;
    errno = 0;
    std::fputs(fmt::format("{:%Y-%m-%dT%H:%M:%SZ} {} {}\n", fmt::gmtime(std::time(nullptr)), name, line).c_str(),
               file_.get());
    if (std::fflush(file_.get()) != 0 || std::ferror(file_.get()) != 0) {
        const int error = errno;
        file_.reset();
        write(IPCMARK_LOG_ERROR,
              fmt::format("--log-file '{}': {}; the log ends here", file_name_, std::strerror(error)));
    }
}

std::string one_line(std::string text) {
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return printable(text);
}

} // namespace ipcmark::host
