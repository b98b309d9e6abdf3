// SPDX-License-Identifier: Apache-2.0
#include "host/check/runner.hpp"

#include "host/check/child.hpp"
#include "host/check/scratch.hpp"
#include "result/wait_policy_names.hpp"

#include <ipcmark/module_kit/fd.hpp>
#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

using clock = std::chrono::steady_clock;
using kit::Fd;

// How long the processes of a test that has failed may go on, so that one of them can say more.
constexpr auto grace = std::chrono::milliseconds(300);
// How many times its limit a test may take in all as long as messages move: a busy machine makes a right module slow,
// and slow is not wrong.
constexpr int most_limits = 10;
// How often is looked whether they do.
constexpr auto between_looks = std::chrono::seconds(1);

struct Message {
    Told what;
    std::string text;
};

// Cuts the reports that are whole off the front of `bytes`.
std::vector<Message> parse_reports(std::string& bytes) {
    std::vector<Message> reports;
    std::uint16_t length = 0;
    while (bytes.size() >= 1 + sizeof length) {
        std::memcpy(&length, bytes.data() + 1, sizeof length);
        if (bytes.size() < 1 + sizeof length + length) {
            break;
        }
        reports.push_back({static_cast<Told>(bytes[0]), bytes.substr(1 + sizeof length, length)});
        bytes.erase(0, 1 + sizeof length + length);
    }
    return reports;
}

std::string read_back(int fd, std::size_t most) {
    const auto size = lseek(fd, 0, SEEK_END);
    const auto begin = std::max<off_t>(0, size - static_cast<off_t>(most));
    std::string text(static_cast<std::size_t>(size - begin), '\0');
    const auto got = pread(fd, text.data(), text.size(), begin);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

std::chrono::nanoseconds limit_of(const Request& request, const Case& which) {
    return request.test_timeout.value_or(which.test->limit * (which.wait == WaitPolicy::spin ? 3 : 1));
}

Subject subject_of(const Request& request, const Case& which, const std::filesystem::path& scratch) {
    return {request.module, request.options, which.wait, scratch, hang_limit_of(limit_of(request, which))};
}

// The processes of one case, from their start to the last one's end.
class CaseRun {
public:
    CaseRun(const Request& request, const Case& which, const std::filesystem::path& scratch)
        : which_(which), step_(memfd_create("step", MFD_CLOEXEC)), output_(memfd_create("output", MFD_CLOEXEC)),
          limit_(limit_of(request, which)), limits_(request.test_timeout ? 1 : most_limits) {
        int pipe_ends[2];
        if (!step_ || !output_ || ftruncate(step_.get(), sizeof(StepPage)) != 0 || pipe2(pipe_ends, O_CLOEXEC) != 0) {
            throw RunError(fmt::format("no descriptors for the test {}: {}", which.name, std::strerror(errno)));
        }
        reports_ = Fd(pipe_ends[0]);
        Fd theirs(pipe_ends[1]);
        ChildRole role;
        role.test_id = which.test->id;
        role.report_fd = theirs.get();
        role.step_fd = step_.get();
        role.subject = subject_of(request, which, scratch);
        pid_ = spawn(role, output_.get(), Group::own);
        pidfd_ = Fd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    }
    CaseRun(const CaseRun&) = delete;
    CaseRun& operator=(const CaseRun&) = delete;
    ~CaseRun() { end_all(); }

    CaseResult finish() {
        const auto begin = clock::now();
        const bool ended = wait_for_end(begin);
        CaseResult result;
        result.which = which_;
        int status = 0;
        if (ended) {
            waitpid(pid_, &status, 0);
        }
        end_all();
        read_reports();
        result.time = clock::now() - begin;
        judge(result, ended, status);
        if (is_failure(result.outcome)) {
            result.output = read_back(output_.get(), 4000);
        }
        return result;
    }

private:
    // False if the time ran out: it is counted from the last progress that was seen. A failure told by a peer ends it
    // soon.
    bool wait_for_end(clock::time_point begin) {
        const auto end = begin + limit_ * limits_;
        auto deadline = begin + limit_;
        std::uint64_t seen = 0;
        for (;;) {
            const auto now = clock::now();
            if (const auto moved = progress(); moved != seen && !told_failure()) {
                seen = moved;
                deadline = std::min(now + limit_, end);
            }
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now);
            if (left.count() <= 0) {
                return false;
            }
            pollfd both[2] = {{pidfd_.get(), POLLIN, 0}, {reports_.get(), POLLIN, 0}};
            const auto wait = std::min<std::chrono::milliseconds>(left, between_looks);
            if (poll(both, 2, static_cast<int>(wait.count()) + 1) < 0 && errno != EINTR) {
                return false;
            }
            if ((both[0].revents & POLLIN) != 0) {
                return true;
            }
            if (both[1].revents != 0) {
                if (!read_reports()) {
                    // All ends are closed, so nobody is left who could tell anything; the process is about to end.
                    usleep(1000);
                }
                if (told_failure()) {
                    deadline = std::min(deadline, clock::now() + grace);
                }
            }
        }
    }

    bool read_reports() {
        char buffer[8192];
        pollfd readable{reports_.get(), POLLIN, 0};
        bool any = false;
        while (poll(&readable, 1, 0) > 0) {
            const auto got = read(reports_.get(), buffer, sizeof buffer);
            if (got <= 0) {
                break;
            }
            any = true;
            bytes_.append(buffer, static_cast<std::size_t>(got));
        }
        for (auto& report : parse_reports(bytes_)) {
            told_.push_back(std::move(report));
        }
        return any;
    }

    [[nodiscard]] bool told_failure() const {
        return std::any_of(told_.begin(), told_.end(),
                           [](const Message& message) { return message.what != Told::pass; });
    }

    [[nodiscard]] StepPage page() const {
        StepPage page{};
        (void)!pread(step_.get(), &page, sizeof page, 0);
        return page;
    }
    [[nodiscard]] std::uint64_t progress() const { return page().progress; }
    [[nodiscard]] std::string step() const {
        const auto now = page();
        const auto text = text_of(now.text);
        return text.empty() ? "the beginning" : text;
    }
    // What both sides are in: one of them may be right to wait.
    [[nodiscard]] std::string steps() const {
        const auto peer = text_of(page().peer_text);
        return peer.empty() ? step() : fmt::format("{}; the peer process is in: {}", step(), peer);
    }
    [[nodiscard]] static std::string text_of(const char (&text)[Sandbox::step_bytes]) {
        return {text, strnlen(text, sizeof text)};
    }

    void judge(CaseResult& result, bool ended, int status) const {
        const auto set = [&](Outcome outcome, const std::string& reason) {
            result.outcome = outcome;
            result.reason = reason;
        };
        const auto first =
            std::find_if(told_.begin(), told_.end(), [](const Message& message) { return message.what != Told::pass; });
        if (first != told_.end() && first->what == Told::usage) {
            throw UsageError(first->text);
        }
        if (first != told_.end()) {
            set(first->what == Told::skip    ? Outcome::skip
                : first->what == Told::crash ? Outcome::crash
                                             : Outcome::fail,
                first->text);
        } else if (!ended) {
            set(Outcome::timeout, fmt::format("{}; it hangs in: {}", exceeded_limit(result.time), steps()));
        } else if (WIFSIGNALED(status)) {
            set(Outcome::crash, fmt::format("crashed with {} in: {}", signal_name(WTERMSIG(status)), step()));
        } else if (WEXITSTATUS(status) != 0 || told_.empty()) {
            set(Outcome::fail,
                fmt::format("the process ended by itself with exit code {} in: {}; no function of a module "
                            "may call exit",
                            WEXITSTATUS(status), step()));
        }
    }

    [[nodiscard]] std::string exceeded_limit(std::chrono::nanoseconds time) const {
        const auto in_all = limit_ * limits_;
        return limits_ == 1 || time >= in_all ? fmt::format("not done within {}", format_duration(in_all))
                                              : fmt::format("no call has returned for {}", format_duration(limit_));
    }

    // Every process of the test is in one group. Orphans of it are ours to wait for (run_cases), and are waited for:
    // one that is about to die may still be making a file while its folder is removed.
    void end_all() {
        if (pid_ <= 0) {
            return;
        }
        kill(-pid_, SIGKILL);
        while (waitpid(-pid_, nullptr, 0) > 0 || errno == EINTR) {
            errno = 0;
        }
        pid_ = -1;
    }

    Case which_;
    Fd step_;
    Fd output_;
    Fd reports_;
    Fd pidfd_;
    pid_t pid_ = -1;
    std::chrono::nanoseconds limit_; // without progress
    int limits_;
    std::string bytes_;
    std::vector<Message> told_;
};

CaseResult run_here(const Request& request, const Case& which, const std::filesystem::path& scratch) {
    const auto begin = clock::now();
    const auto in_process = run_in_process(*which.test, subject_of(request, which, scratch));
    CaseResult result;
    result.which = which;
    result.reason = in_process.text;
    result.outcome = in_process.outcome == static_cast<char>(Told::pass)   ? Outcome::pass
                     : in_process.outcome == static_cast<char>(Told::skip) ? Outcome::skip
                                                                           : Outcome::fail;
    result.time = clock::now() - begin;
    return result;
}

bool matches(const std::string& pattern, const Case& which) {
    return fnmatch(pattern.c_str(), which.name.c_str(), 0) == 0 || fnmatch(pattern.c_str(), which.test->id, 0) == 0;
}

} // namespace

const char* outcome_name(Outcome outcome) {
    switch (outcome) {
    case Outcome::pass:
        return "pass";
    case Outcome::fail:
        return "fail";
    case Outcome::skip:
        return "skip";
    case Outcome::crash:
        return "crash";
    case Outcome::timeout:
        break;
    }
    return "timeout";
}

std::vector<Case> selected_cases(const Request& request) {
    std::vector<Case> all;
    for (const auto& test : all_tests()) {
        if (test.waits == Waits::one) {
            all.push_back({&test, request.waits.front(), test.id});
            continue;
        }
        for (const auto wait : request.waits) {
            all.push_back({&test, wait, fmt::format("{}@{}", test.id, wait_policy_name(wait))});
        }
    }
    if (request.only.empty()) {
        return all;
    }
    std::vector<Case> chosen;
    for (const auto& pattern : request.only) {
        if (std::none_of(all.begin(), all.end(), [&](const Case& which) { return matches(pattern, which); })) {
            throw UsageError(fmt::format("no test matches '{}'; 'ipcmark check --list' shows them all", pattern));
        }
    }
    for (const auto& which : all) {
        if (std::any_of(request.only.begin(), request.only.end(),
                        [&](const std::string& pattern) { return matches(pattern, which); })) {
            chosen.push_back(which);
        }
    }
    return chosen;
}

void run_cases(const Request& request, const std::vector<Case>& cases,
               const std::function<void(const CaseResult&)>& each) {
    ScratchRoot root;
    prctl(PR_SET_CHILD_SUBREAPER, 1UL);
    for (const auto& which : cases) {
        const auto scratch = root.make_folder();
        const auto result =
            request.in_process ? run_here(request, which, scratch) : CaseRun(request, which, scratch).finish();
        root.remove_folder(scratch);
        each(result);
        if (request.stop_at_first && is_failure(result.outcome)) {
            return;
        }
    }
}

} // namespace ipcmark::check
