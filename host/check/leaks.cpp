// SPDX-License-Identifier: Apache-2.0
// What a module leaves behind: descriptors, memory, threads, names.
#include "host/check/peer.hpp"
#include "host/check/process_state.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <functional>
#include <iterator>

#include <fmt/format.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

// Listens, meets a peer, exchanges messages and closes everything, `count` times with one peer process.
class Cycles {
public:
    explicit Cycles(Context& context) : context_(context), peer_(context), spec_(fitted(context, {})) {}

    void run(int count) {
        for (int i = 0; i < count; ++i) {
            const auto listener = context_.listen(1, spec_.max_message_size);
            peer_.channel().put(Setup{spec_.mirrored(), 1});
            peer_.channel().put_bytes(context_.address(listener));
            {
                Wire wire(context_, context_.accept(listener, spec_));
                for (std::uint64_t number = 0; number < 5; ++number) {
                    wire.send_message(number, 64);
                    wire.recv_message(number, 64);
                }
            }
            peer_.channel().wait();
            failures();
        }
    }
    void finish() {
        peer_.channel().put(Setup{spec_, 0});
        peer_.join();
    }

private:
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
};

void cycles_peer(Context& context, Channel& channel) {
    const auto one = [&](const Setup& setup) {
        Wire wire(context, context.connect(channel.get_bytes(), setup.spec));
        for (std::uint64_t number = 0; number < 5; ++number) {
            wire.recv_message(number, 64);
            wire.send_message(number, 64);
        }
    };
    const std::string what = context.test().id;
    auto setup = channel.get<Setup>();
    std::size_t descriptors = 0;
    std::size_t threads = 0;
    for (int cycle = 0; setup.argument != 0; ++cycle) {
        one(setup);
        if (cycle == 2) {
            descriptors = open_descriptors().size();
            threads = thread_count();
        }
        channel.signal();
        setup = channel.get<Setup>();
    }
    if (what == "leaks.descriptors") {
        const auto now = open_descriptors().size();
        require(now <= descriptors, fmt::format("the connecting side had {} descriptors after three cycles and has {} "
                                                "now",
                                                descriptors, now));
    }
    if (what == "leaks.threads") {
        require(thread_count() <= threads, "the connecting side has more threads with each cycle");
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

// Allocators keep reserves, so growth counts that goes on at the same pace.
void memory(Context& context) {
    if ((std::uint32_t{IPCMARK_BUILD_FLAGS} & (IPCMARK_BUILD_ASAN | IPCMARK_BUILD_TSAN)) != 0) {
        skip("the sanitizer has an allocator of its own; it finds leaks by itself");
    }
    constexpr int rounds = 3;
    constexpr int cycles_a_round = 20;
    Cycles cycles(context);
    cycles.run(cycles_a_round);
    std::array<std::size_t, rounds + 1> allocated{};
    std::array<std::size_t, rounds + 1> mapped{};
    allocated[0] = allocated_bytes();
    mapped[0] = mapped_bytes();
    for (int round = 1; round <= rounds; ++round) {
        cycles.run(cycles_a_round);
        allocated[static_cast<std::size_t>(round)] = allocated_bytes();
        mapped[static_cast<std::size_t>(round)] = mapped_bytes();
    }
    const auto least_growth = [](const auto& samples) {
        std::size_t least = SIZE_MAX;
        for (std::size_t i = 1; i < samples.size(); ++i) {
            least = std::min(least, samples[i] > samples[i - 1] ? samples[i] - samples[i - 1] : 0);
        }
        return least;
    };
    const auto bytes = least_growth(allocated) / cycles_a_round;
    require(bytes < 16,
            fmt::format("each cycle of listen, accept and close leaves {} bytes of memory allocated", bytes));
    const auto pages = least_growth(mapped) / cycles_a_round;
    require(pages < 4096, fmt::format("each cycle of listen, accept and close leaves {} bytes mapped", pages));
    cycles.finish();
}

void threads(Context& context) {
    Cycles cycles(context);
    cycles.run(3);
    const auto before = thread_count();
    cycles.run(5);
    // A thread that was told to end may take a moment.
    auto after = thread_count();
    for (int i = 0; i < 1000 && after > before; ++i) {
        usleep(10'000);
        after = thread_count();
    }
    require(after <= before, fmt::format("5 cycles of listen, accept and close left {} threads", after - before));
    require(child_count() <= 1, "the module left a child process");
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

void enter_own_folder(Context& context) {
    const auto folder = context.subject().scratch / "working-directory";
    std::filesystem::create_directory(folder);
    std::filesystem::current_path(folder);
}

// The working directory is a new empty folder of this test alone, so litter shows, and it is the module's.
std::string litter() {
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::current_path())) {
        return entry.path().string();
    }
    return "";
}

// Where other processes can be seen, a name of theirs may come up meanwhile: only what stays, and comes each time,
// counts.
void no_new_names(const std::function<void()>& work, const std::string& when, bool isolated) {
    std::string name;
    for (int attempt = 0; attempt < (isolated ? 1 : 4); ++attempt) {
        const auto before = system_names();
        work();
        auto left = system_names();
        std::erase_if(left, [&](const std::string& found) { return before.contains(found); });
        for (int i = 0; i < 200 && !(left.empty() && litter().empty()); ++i) {
            usleep(10'000);
            const auto now = system_names();
            std::erase_if(left, [&](const std::string& found) { return !now.contains(found); });
        }
        // What one attempt has left in the folder is not new to the next: it counts at once.
        if (const auto file = litter(); !file.empty()) {
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
    const bool isolated = isolate();
    enter_own_folder(context);
    no_new_names(
        [&] {
            Cycles cycles(context);
            cycles.run(3);
            cycles.finish();
        },
        "after everything was closed", isolated);
}

void names_after_kill(Context& context) {
    const bool isolated = isolate();
    enter_own_folder(context);
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
        "after both processes were killed in the middle of a run", isolated);
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
    Test{.id = "leaks.memory",
         .proves = "No memory is left allocated or mapped, so that a long matrix of tests does not grow.",
         .run = memory,
         .peer = cycles_peer,
         .limit = std::chrono::seconds(180)},
    Test{.id = "leaks.threads",
         .proves = "No thread and no child process is left; one would go on using a CPU in the next measurement.",
         .run = threads,
         .peer = cycles_peer},
    Test{.id = "leaks.process_state",
         .proves = "Signal handlers, masks, umask, working directory and environment of the host stay as they are.",
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
