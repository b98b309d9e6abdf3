// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark {

enum class Direction { one_way, round_trip };
// As messages and tables have it.
[[nodiscard]] constexpr const char* direction_name(Direction direction) noexcept {
    return direction == Direction::one_way ? "one-way" : "round trip";
}
// blocking: a thread for each endpoint. asynchronous: one reactor thread a role drives all endpoints.
enum class Mode { blocking, asynchronous };
enum class WaitPolicy { block, spin, adaptive };
enum class FirstMessage { drop, keep };
enum class ClockChoice { automatic, tsc, monotonic };
enum class OnError { stop, go_on };
enum class Access { copy, direct }; // direct: the loan extension, written and read in place

// One measurement of one mechanism. Both directions may be asked; each is run on fresh worker processes.
struct TestPlan {
    std::string mechanism = "uds";              // a module's id
    std::map<std::string, std::string> options; // of the module, as text: {"type", "seqpacket"}
    std::vector<Direction> directions{Direction::one_way, Direction::round_trip};
    std::uint64_t message_size_bytes = 1024;
    // All endpoints together; the first ones get one more where it does not divide. Not set: run for `duration`.
    std::optional<std::uint64_t> message_count = 10'000;
    std::optional<std::chrono::nanoseconds> duration; // overrides message_count
    std::uint64_t warmup_messages = 1000;             // on each endpoint
    FirstMessage first_message = FirstMessage::drop;  // of each endpoint, after the warm-up
    unsigned concurrency = 1;                         // endpoints at the same time
    Mode mode = Mode::blocking;
    WaitPolicy wait = WaitPolicy::block;
    std::chrono::nanoseconds spin{20'000};  // WaitPolicy::adaptive: spin so long before sleeping
    std::chrono::nanoseconds send_delay{0}; // closed loop: pause between messages, in no latency
    std::optional<double> rate_per_second;  // open loop: messages per second of all endpoints together
    unsigned window = 1;                    // round trip: messages outstanding on an endpoint
    unsigned batch = 1;                     // one-way: messages a call, through the batch extension
    Access access = Access::copy;
    std::vector<int> server_cpus; // empty: wherever the scheduler puts it; thread i gets server_cpus[i % size]
    std::vector<int> client_cpus;
    std::vector<double> percentiles{50, 95, 99, 99.9};
    std::optional<std::uint64_t> buffer_size_bytes; // as asked with --buffer-size; recorded, and given to the module
    std::chrono::nanoseconds timeout{
        0};                    // a run that takes longer fails; 0: one in which nothing moves for half a minute
    unsigned repeat_index = 0; // 0, 1, ... where the same test is run several times

    // What a direction runs with: a window is one of round trips, a batch one of a stream.
    [[nodiscard]] unsigned window_of(Direction direction) const noexcept {
        return direction == Direction::round_trip ? window : 1;
    }
    [[nodiscard]] unsigned batch_of(Direction direction) const noexcept {
        return direction == Direction::one_way ? batch : 1;
    }
};

struct ModuleSearch {
    std::vector<std::filesystem::path> paths; // --module-path: searched first
    bool use_environment = true;              // IPCMARK_MODULE_PATH; never in a set-uid program
    std::vector<std::string> allowed_ids;     // --allow-module; empty: all
    bool debug_wrapper = false;               // --debug-module
};

// rusty_comms: what the predecessor's rows have. with_origin: after these `result`, the index in the document's
// results, and `endpoint`, without which rows of several endpoints or tests cannot be told apart.
enum class SampleColumns { with_origin, rusty_comms };

// Where each single sample goes while the run is under way.
struct StreamingOutputs {
    SampleColumns columns = SampleColumns::with_origin;
    std::optional<std::filesystem::path> json;
    std::optional<std::filesystem::path> csv;
    std::optional<std::filesystem::path> ndjson;
    [[nodiscard]] bool any() const { return json || csv || ndjson; }
};

// What to run: the tests one after the other, in this order.
struct Plan {
    std::vector<TestPlan> tests;
    ModuleSearch modules;
    OnError on_error = OnError::stop;
    ClockChoice clock = ClockChoice::automatic;
    StreamingOutputs streaming;
    std::vector<std::string> command_line; // for the result document
};

} // namespace ipcmark
