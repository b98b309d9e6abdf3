// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/log.hpp"

#include <ipcmark/run.hpp>

#include <string>

namespace ipcmark::host {

// The line that shows how far a run is: "[2/8] tcp 64 B round trip [=====>    ] 52 %  412k msg/s  3 s left", cut to
// `columns`.
[[nodiscard]] std::string progress_line(const TestPlan& test, const Progress& progress, std::size_t columns);

enum class ShowProgress { no, yes };

// Whether standard error is a terminal that can redraw a line.
[[nodiscard]] bool terminal_for_progress();

// Draws progress on standard error, in one line that is gone whenever anything else is printed, and passes on the log.
class ProgressObserver : public Observer {
public:
    ProgressObserver(Log& log, ShowProgress show) : log_(log), show_(show) {}
    ~ProgressObserver() override { clear(); }
    ProgressObserver(const ProgressObserver&) = delete;
    ProgressObserver& operator=(const ProgressObserver&) = delete;

    void test_started(const TestPlan& plan, std::size_t index, std::size_t count) override;
    void progress(const Progress& progress) override;
    void test_finished(const TestResult& result) override;
    void log(int level, const std::string& text) override;
    [[nodiscard]] bool wants_progress() const override { return show_ == ShowProgress::yes; }

    void clear();

private:
    Log& log_;
    ShowProgress show_;
    bool drawn_ = false;
    TestPlan test_;
};

} // namespace ipcmark::host
