// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace ipcmark::host {

enum class Quiet { no, yes };

// Where the lines of a run's log go: to standard error as far as the verbosity asks for, and all of them, with the
// time, to the log file.
class Log {
public:
    // file: a path, "stderr", or none. verbosity: 0 errors and warnings, 1 also information, 2 details too; with
    // Quiet::yes errors alone. Throws UsageError where the file cannot be opened.
    Log(const std::string& program, const std::optional<std::string>& file, unsigned verbosity, Quiet quiet);

    // level: IPCMARK_LOG_*. The text becomes one_line(). A log file that cannot be written any more is told of once.
    void write(int level, const std::string& text);
    // True where a line of that level would go to standard error.
    [[nodiscard]] bool shows(int level) const { return level <= shown_level_; }
    // True once the log file could not be written.
    [[nodiscard]] bool broken() const { return !file_ && !file_name_.empty(); }

private:
    struct Closer {
        void operator()(std::FILE* file) const { std::fclose(file); }
    };
    std::string program_;
    int shown_level_;
    std::unique_ptr<std::FILE, Closer> file_;
    std::string file_name_;
};

// Line feeds become spaces, other control characters are shown as in printable().
[[nodiscard]] std::string one_line(std::string text);

} // namespace ipcmark::host
