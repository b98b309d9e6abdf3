// SPDX-License-Identifier: Apache-2.0
#include "host/progress.hpp"

#include "host/printable.hpp"
#include "host/text_table.hpp"

#include <ipcmark/module.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace ipcmark::host {

namespace {

constexpr std::size_t bar_width = 24;

std::size_t terminal_columns() {
    winsize size{};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

std::string bar(double fraction) {
    const auto filled = static_cast<std::size_t>(fraction * static_cast<double>(bar_width));
    std::string text(filled, '=');
    if (filled < bar_width)
        text += '>';
    text.resize(bar_width, ' ');
    return "[" + text + "]";
}

std::string time_left(std::chrono::nanoseconds remaining) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(remaining).count();
    if (seconds < 60)
        return fmt::format("{} s left", seconds);
    if (seconds < 3600)
        return fmt::format("{}:{:02} min left", seconds / 60, seconds % 60);
    return fmt::format("{}:{:02} h left", seconds / 3600, seconds / 60 % 60);
}

} // namespace

std::string progress_line(const TestPlan& test, const Progress& progress, std::size_t columns) {
    auto line = fmt::format("[{}/{}] {} {} {}", progress.test_index + 1, progress.test_count, printable(test.mechanism),
                            human_size(test.message_size_bytes),
                            progress.direction == Direction::one_way ? "one way" : "round trip");
    if (test.concurrency > 1)
        line += fmt::format(" x{}", test.concurrency);
    const double fraction = std::clamp(progress.fraction, 0.0, 1.0);
    line += fmt::format(" {} {:3.0f} %  {} msg/s", bar(fraction), fraction * 100,
                        human_count(progress.messages_per_second));
    if (progress.remaining)
        line += "  " + time_left(*progress.remaining);
    // The last column stays free: some terminals wrap when it is written.
    if (line.size() >= columns)
        line.resize(columns > 0 ? columns - 1 : 0);
    return line;
}

bool terminal_for_progress() {
    const char* terminal = std::getenv("TERM");
    return ::isatty(STDERR_FILENO) == 1 && (terminal == nullptr || std::string_view(terminal) != "dumb");
}

void ProgressObserver::test_started(const TestPlan& plan, std::size_t index, std::size_t count) {
    test_ = plan;
    log(IPCMARK_LOG_INFO,
        fmt::format("test {} of {}: {}, {} bytes", index + 1, count, plan.mechanism, plan.message_size_bytes));
}

void ProgressObserver::progress(const Progress& progress) {
    if (show_ == ShowProgress::no)
        return;
    std::fputs(fmt::format("\r{}\033[K", progress_line(test_, progress, terminal_columns())).c_str(), stderr);
    std::fflush(stderr);
    drawn_ = true;
}

void ProgressObserver::test_finished(const TestResult& result) {
    clear();
    if (result.failure)
        log(IPCMARK_LOG_DEBUG, fmt::format("{} failed: {}", result.plan.mechanism, *result.failure));
}

void ProgressObserver::log(int level, const std::string& text) {
    if (log_.shows(level))
        clear();
    log_.write(level, text);
}

void ProgressObserver::clear() {
    if (!drawn_)
        return;
    std::fputs("\r\033[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
}

} // namespace ipcmark::host
