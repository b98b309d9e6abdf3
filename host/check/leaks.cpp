// SPDX-License-Identifier: Apache-2.0
// What a module leaves behind: descriptors, memory, threads, names.
#include "host/check/captured_output.hpp"
#include "host/check/peer.hpp"
#include "host/check/process_state.hpp"
#include "host/check/starvation.hpp"
#include "host/check/temporary_folders.hpp"

#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

// What passes over an endpoint in a cycle: messages, if it is one for plain calls.
void exchange(Wire& wire, bool begins, std::uint32_t flags) {
    for (std::uint64_t number = 0; flags == 0 && number < 5; ++number) {
        if (begins) {
            wire.send_message(number, 64);
        }
        wire.recv_message(number, 64);
        if (!begins) {
            wire.send_message(number, 64);
        }
    }
}

// Listens, meets a peer, exchanges messages and closes everything, `count` times with one peer process.
class Cycles {
public:
    // `meanwhile` is called in each cycle, while listener and endpoint are there.
    explicit Cycles(Context& context, std::function<void()> meanwhile = {})
        : context_(context), peer_(context), spec_(fitted(context, {})), meanwhile_(std::move(meanwhile)) {
        for (const auto& [id, flag] : {std::pair{IPCMARK_EXT_POLLFD, std::uint32_t{IPCMARK_ENDPOINT_POLLED}},
                                       std::pair{IPCMARK_EXT_LOAN, std::uint32_t{IPCMARK_ENDPOINT_LOANED}}}) {
            if (context.module().extension(id) != nullptr) {
                kinds_.push_back(flag);
            }
        }
    }

    // Each cycle with an endpoint for plain calls, and with one for each extension that endpoints are made for.
    void run(int count) {
        for (int i = 0; i < count; ++i) {
            for (const auto flags : kinds_) {
                one(flags);
            }
            failures();
        }
    }
    void finish() {
        peer_.channel().put(Setup{spec_, 0});
        peer_.join();
    }

private:
    void one(std::uint32_t flags) {
        auto spec = spec_;
        spec.flags = flags;
        const auto listener = context_.listen(1, spec.max_message_size);
        peer_.channel().put(Setup{spec.mirrored(), 1});
        peer_.channel().put_bytes(context_.address(listener));
        {
            Wire wire(context_, context_.accept(listener, spec));
            exchange(wire, true, flags);
            if (meanwhile_) {
                meanwhile_();
            }
            peer_.channel().signal();
            peer_.channel().wait();
        }
        peer_.channel().wait();
    }
    // Failing calls are where things are forgotten most.
    void failures() {
        auto spec = spec_;
        spec.timeout_ns = 1'000'000;
        auto listener = context_.listen(1, spec.max_message_size);
        const auto where = context_.address(listener);
        EndpointHandle nobody;
        (void)context_.try_accept(listener, spec, nobody);
        listener.reset();
        (void)context_.try_connect(where, spec, nobody);
        (void)context_.try_connect({}, spec, nobody);
    }

    Context& context_;
    Peer peer_;
    EndpointSpec spec_;
    std::function<void()> meanwhile_;
    std::vector<std::uint32_t> kinds_{0};
};

// Allocators keep reserves, so growth counts that goes on at the same pace. One sample after each round of cycles.
class Growth {
public:
    static constexpr int cycles_a_round = 20;
    static constexpr int rounds = 4; // the first only warms up

    void note() {
        allocated_.push_back(allocated_bytes());
        mapped_.push_back(mapped_bytes());
    }
    void judge(const std::string& what) const {
        const auto bytes = least(allocated_) / cycles_a_round;
        require(bytes < 16, fmt::format("each cycle of {} leaves {} bytes of memory allocated", what, bytes));
        const auto pages = least(mapped_) / cycles_a_round;
        require(pages < 4096, fmt::format("each cycle of {} leaves {} bytes mapped", what, pages));
    }

private:
    static std::size_t least(const std::vector<std::size_t>& samples) {
        std::size_t least = SIZE_MAX;
        for (std::size_t i = 1; i < samples.size(); ++i) {
            least = std::min(least, samples[i] > samples[i - 1] ? samples[i] - samples[i - 1] : 0);
        }
        return least;
    }
    std::vector<std::size_t> allocated_;
    std::vector<std::size_t> mapped_;
};

// A thread that was told to end may take a moment; one that has not ended by `time` stays.
std::size_t settled_threads(std::size_t wanted, std::chrono::nanoseconds time) {
    auto count = thread_count();
    for (const Patience patience(time); count > wanted && patience.left().count() > 0;) {
        usleep(10'000);
        count = thread_count();
    }
    return count;
}

// All that are not in `before` are the module's.
void require_close_on_exec(const std::map<int, std::string>& before, const char* side) {
    for (const auto& [descriptor, target] : inheritable_descriptors()) {
        require(before.contains(descriptor),
                fmt::format("on the {} side the module has a descriptor that is not close-on-exec, {}: a program that "
                            "the host starts would inherit it",
                            side, target));
    }
}

// A child of a child that has ended would else be nobody's.
void own_all_descendants() {
    prctl(PR_SET_CHILD_SUBREAPER, 1UL);
}

void cycles_peer(Context& context, Channel& channel) {
    const std::string what = context.test().id;
    (void)context.module();
    const auto state = ProcessState::now();
    const auto inheritable = inheritable_descriptors();
    Growth growth;
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    if (what == "leaks.threads") {
        own_all_descendants();
    }
    auto setup = channel.get<Setup>();
    // Cycles with endpoints of other kinds belong to the plain one before.
    for (int cycle = -1; setup.argument != 0;) {
        if (setup.spec.flags == 0 && ++cycle == 3) {
            descriptors = open_descriptors().size();
            threads = thread_count();
        }
        if (setup.spec.flags == 0 && cycle > 0 && cycle % Growth::cycles_a_round == 0) {
            growth.note();
        }
        {
            Wire wire(context, context.connect(channel.get_bytes(), setup.spec));
            exchange(wire, false, setup.spec.flags);
            if (what == "leaks.close_on_exec") {
                require_close_on_exec(inheritable, "connecting");
            }
            channel.signal();
            channel.wait();
        }
        channel.signal();
        setup = channel.get<Setup>();
    }
    if (what == "leaks.memory") {
        growth.note();
        growth.judge("connect and close");
    } else if (what == "leaks.descriptors") {
        const auto now = open_descriptors().size();
        require(now <= descriptors, fmt::format("the connecting side had {} descriptors after three cycles and has {} "
                                                "now",
                                                descriptors, now));
    } else if (what == "leaks.threads") {
        require(settled_threads(threads, context.hang_limit()) <= threads,
                "the connecting side has more threads with each cycle");
        require(children().empty(), "the module left a child process on the connecting side");
    } else if (what == "leaks.process_state") {
        const auto changes = ProcessState::now().changes_since(state);
        require(changes.empty(), fmt::format("on the connecting side the module changed {} of the process", changes));
    }
}

void descriptors(Context& context) {
    Cycles cycles(context);
    cycles.run(3);
    const auto before = open_descriptors();
    cycles.run(10);
    const auto after = open_descriptors();
    if (after.size() > before.size()) {
        std::string example;
        for (const auto& [fd, target] : after) {
            if (!before.contains(fd)) {
                example = target;
            }
        }
        fail(fmt::format("10 cycles of listen, accept and close left {} descriptors open, such as {}",
                         after.size() - before.size(), example));
    }
    cycles.finish();
}

void close_on_exec(Context& context) {
    (void)context.module();
    const auto before = inheritable_descriptors();
    Cycles cycles(context, [&] { require_close_on_exec(before, "listening"); });
    cycles.run(1);
    cycles.finish();
}

void memory(Context& context) {
    if ((std::uint32_t{IPCMARK_BUILD_FLAGS} & (IPCMARK_BUILD_ASAN | IPCMARK_BUILD_TSAN)) != 0) {
        skip("the sanitizer has an allocator of its own; it finds leaks by itself");
    }
    Cycles cycles(context);
    Growth growth;
    for (int round = 0; round < Growth::rounds; ++round) {
        cycles.run(Growth::cycles_a_round);
        growth.note();
    }
    growth.judge("listen, accept and close");
    cycles.finish();
}

void threads(Context& context) {
    own_all_descendants();
    Cycles cycles(context);
    cycles.run(3);
    const auto before = thread_count();
    cycles.run(5);
    const auto after = settled_threads(before, context.hang_limit());
    require(after <= before, fmt::format("5 cycles of listen, accept and close left {} threads", after - before));
    require(children().size() <= 1, "the module left a child process");
    cycles.finish();
}

void process_state(Context& context) {
    (void)context.module();
    const auto before = ProcessState::now();
    Cycles cycles(context);
    cycles.run(3);
    cycles.finish();
    const auto changes = ProcessState::now().changes_since(before);
    require(changes.empty(), fmt::format("the module changed {} of the process", changes));
}

// Both processes write to one memory in place of their standard output and error.
void output(Context& context) {
    (void)context.module();
    CapturedOutput captured;
    {
        Cycles cycles(context);
        cycles.run(3);
        cycles.finish();
    }
    const auto text = captured.first_line();
    require(text.empty(),
            fmt::format("the module wrote to standard output or error, where the host's results go: '{}'; "
                        "what it has to say goes to the host's log",
                        text));
}

// A new empty folder of this test alone as the working directory: litter in it shows, and it is the module's.
std::filesystem::path enter_own_folder(Context& context) {
    const auto folder = std::filesystem::absolute(context.subject().scratch / "working-directory");
    std::filesystem::create_directory(folder);
    std::filesystem::current_path(folder);
    return folder;
}

// Not what is in the working directory, which the module may have changed.
std::string litter(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        return entry.path().string();
    }
    return "";
}

// How much of the machine this process sees alone.
struct View {
    bool names = isolate();
    Sharing folders = names && make_temporary_folders_private() ? Sharing::private_ : Sharing::with_all;
    [[nodiscard]] bool alone() const { return names && folders == Sharing::private_; }
};

std::set<std::string> all_names(const View& view) {
    auto names = system_names();
    names.merge(temporary_names(view.folders));
    return names;
}

// Where other processes can be seen, a name of theirs may come up meanwhile: only what stays, and comes each time,
// counts.
void no_new_names(const std::function<void()>& work, const std::string& when, const View& view,
                  const std::filesystem::path& own_folder) {
    std::string name;
    for (int attempt = 0; attempt < (view.alone() ? 1 : 4); ++attempt) {
        const auto before = all_names(view);
        work();
        auto left = all_names(view);
        std::erase_if(left, [&](const std::string& found) { return before.contains(found); });
        for (int i = 0; i < 200 && !(left.empty() && litter(own_folder).empty()); ++i) {
            usleep(10'000);
            const auto now = all_names(view);
            std::erase_if(left, [&](const std::string& found) { return !now.contains(found); });
        }
        // What one attempt has left in the folder is not new to the next: it counts at once.
        if (const auto file = litter(own_folder); !file.empty()) {
            name = file;
            break;
        }
        if (left.empty()) {
            return;
        }
        name = *left.begin();
    }
    fail(fmt::format("{} the name {} is left", when, name));
}

void names(Context& context) {
    (void)context.module();
    const View view;
    const auto own_folder = enter_own_folder(context);
    no_new_names(
        [&] {
            Cycles cycles(context);
            cycles.run(3);
            cycles.finish();
        },
        "after everything was closed", view, own_folder);
}

void names_after_kill(Context& context) {
    const View view;
    const auto own_folder = enter_own_folder(context);
    no_new_names(
        [&] {
            // Both ends in processes that are killed; this one only looks on.
            Peer first(context);
            Peer second(context);
            const auto spec = fitted(context, {});
            first.channel().put(Setup{spec, 1, true});
            const auto where = first.channel().get_bytes();
            second.channel().put(Setup{spec.mirrored(), 0});
            second.channel().put_bytes(where);
            for (auto* peer : {&first, &second}) {
                peer->channel().wait(); // the endpoint is made
                peer->channel().wait(); // a message came over
            }
            first.kill();
            second.kill();
        },
        "after both processes were killed in the middle of a run", view, own_folder);
}

void names_after_kill_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    if (joined.setup.argument == 1) {
        joined.wire.send_message(0, 64);
        joined.wire.recv_message(1, 64);
    } else {
        joined.wire.recv_message(0, 64);
        joined.wire.send_message(1, 64);
    }
    channel.signal();
    pause();
}

constexpr std::array tests{
    Test{.id = "leaks.descriptors",
         .proves = "No descriptor is left open by runs that end well, nor by calls that fail.",
         .run = descriptors,
         .peer = cycles_peer},
    Test{.id = "leaks.close_on_exec",
         .proves = "No program that the host starts inherits a descriptor of the module's: it would keep an endpoint "
                   "open whose process is dead.",
         .run = close_on_exec,
         .peer = cycles_peer},
    Test{.id = "leaks.memory",
         .proves = "No memory is left allocated or mapped, so that a long matrix of tests does not grow.",
         .run = memory,
         .peer = cycles_peer,
         .limit = std::chrono::seconds(180)},
    Test{.id = "leaks.threads",
         .proves = "No thread and no child process is left; one would go on using a CPU in the next measurement.",
         .run = threads,
         .peer = cycles_peer},
    Test{.id = "leaks.output",
         .proves = "Nothing is written to standard output or error, which are the host's.",
         .run = output,
         .peer = cycles_peer},
    Test{.id = "leaks.process_state",
         .proves =
             "Signals, umask, working directory, environment, resource limits, timers, scheduling and rounding of "
             "the host's processes stay as they are, on both sides.",
         .run = process_state,
         .peer = cycles_peer},
    Test{.id = "leaks.names",
         .proves = "No shared memory, queue, socket or file with a name is left once all is closed.",
         .run = names,
         .peer = cycles_peer},
    Test{.id = "leaks.names_after_kill",
         .proves = "No name is left when both processes are killed after they met, for nobody can clean up after them.",
         .run = names_after_kill,
         .peer = names_after_kill_peer},
};

} // namespace

std::span<const Test> leaks_tests() {
    return tests;
}

} // namespace ipcmark::check
