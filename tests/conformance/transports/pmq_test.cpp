// SPDX-License-Identifier: Apache-2.0
// What only message queues have: limits of the system, priorities, names.
#include "../../../modules/pmq/name_lock.hpp"
#include "../../unit/catch.hpp"
#include "pair.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <dirent.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace transports;
using namespace std::chrono_literals;

namespace {

std::uint64_t system_limit(const char* name) {
    std::ifstream file(std::string("/proc/sys/fs/mqueue/") + name);
    std::uint64_t value = 0;
    file >> value;
    return value;
}

std::string refusal(const Transport& transport, const Shape& shape, std::uint32_t endpoints = 1) {
    try {
        Listening listening(transport, shape.max_size, endpoints);
        (void)listening.connect(shape);
    } catch (const ipcmark::ModuleFailure& failure) {
        return (failure.status() == IPCMARK_LIMIT ? "limit: " : "other: ") + std::string(failure.what());
    }
    return "none";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// Our queues of everybody that have a name, by the file system of message queues; none where it cannot be mounted.
std::set<std::string> named_queues() {
    std::set<std::string> names;
    char folder[] = "/tmp/ipcmark-mqueue-XXXXXX";
    if (::mkdtemp(folder) == nullptr) {
        return names;
    }
    if (::mount("none", folder, "mqueue", 0, nullptr) == 0) {
        if (auto* const entries = ::opendir(folder); entries != nullptr) {
            while (const auto* entry = ::readdir(entries)) {
                if (const std::string name = entry->d_name; name.starts_with("ipcmark-")) {
                    names.insert(name);
                }
            }
            ::closedir(entries);
        }
        ::umount2(folder, MNT_DETACH);
    }
    ::rmdir(folder);
    return names;
}

// Names that stay. A test that runs beside this one has names too, each for the time of two system calls.
std::set<std::string> lasting_queue_names() {
    auto lasting = named_queues();
    for (int look = 0; !lasting.empty() && look < 3000; ++look) {
        std::this_thread::sleep_for(20ms);
        const auto now = named_queues();
        std::erase_if(lasting, [&](const std::string& name) { return !now.contains(name); });
    }
    return lasting;
}

} // namespace

TEST_CASE("a limit that is in the way is named with both numbers and the command that raises it", "[pmq]") {
    const auto largest = system_limit("msgsize_max");
    const Transport large{"pmq", {}, UINT64_MAX};
    const auto size = refusal(large, {largest + 1});
    CHECK(contains(size, "limit: "));
    CHECK(contains(size, std::to_string(largest + 1)));
    CHECK(contains(size, "fs.mqueue.msgsize_max (" + std::to_string(largest) + ")"));
    CHECK(contains(size, "sysctl fs.mqueue.msgsize_max=" + std::to_string(largest + 1)));

    const auto deepest = system_limit("msg_max");
    const auto depth = refusal({"pmq", {{"depth", std::to_string(deepest + 1)}}}, {64});
    CHECK(contains(depth, "limit: "));
    CHECK(contains(depth, "sysctl fs.mqueue.msg_max=" + std::to_string(deepest + 1)));

    const auto queues = system_limit("queues_max");
    const auto count = refusal({"pmq", {{"depth", "1"}}}, {1}, static_cast<std::uint32_t>(queues / 2 + 1));
    CHECK(contains(count, "limit: "));
    CHECK(contains(count, "sysctl fs.mqueue.queues_max="));
}

// A user of its own, with no queue yet, for this process: what the tests beside this one have counts for the same user.
bool be_another_user() {
    const auto write_to = [](const char* path, const std::string& text) {
        std::ofstream file(path);
        file << text << std::flush;
        return file.good();
    };
    const auto user = std::to_string(::getuid());
    const auto group = std::to_string(::getgid());
    return ::unshare(CLONE_NEWUSER) == 0 && write_to("/proc/self/setgroups", "deny") &&
           write_to("/proc/self/uid_map", user + " " + user + " 1") &&
           write_to("/proc/self/gid_map", group + " " + group + " 1");
}

TEST_CASE("RLIMIT_MSGQUEUE is named before any queue is made, and when others have used it up", "[pmq]") {
    Child process([] {
        const bool alone = be_another_user();
        const rlimit few{30'000, 30'000};
        ::setrlimit(RLIMIT_MSGQUEUE, &few);
        const auto early = refusal({"pmq", {}}, {8000});
        if (!contains(early, "limit: ") || !contains(early, "RLIMIT_MSGQUEUE, which is 30000") ||
            !contains(early, "--ulimit msgqueue=")) {
            std::fprintf(stderr, "early: %s\n", early.c_str());
            return 1;
        }
        Listening listening({"pmq", {}}, 1000);
        Shape shape{1000};
        std::unique_ptr<Endpoint> first;
        for (auto end = std::chrono::steady_clock::now() + hang_limit; !first;) {
            try {
                first = listening.connect(shape);
            } catch (const ipcmark::ModuleFailure&) {
                if (alone || std::chrono::steady_clock::now() > end) {
                    throw;
                }
                std::this_thread::sleep_for(5ms); // until the others have no queue
            }
        }
        try {
            const auto second = listening.connect(shape);
        } catch (const ipcmark::ModuleFailure& failure) {
            const std::string text = failure.what();
            return failure.status() == IPCMARK_LIMIT && contains(text, "used up RLIMIT_MSGQUEUE (30000 bytes)") ? 0 : 2;
        }
        return 3;
    });
    CHECK(process.join() == 0);
}

TEST_CASE("limits tells what a connect would accept, and what sets it", "[pmq]") {
    Listening one({"pmq", {}}, 1);
    CHECK(one.limit() <= system_limit("msgsize_max"));
    CHECK(refusal({"pmq", {}, UINT64_MAX}, {one.limit()}) == "none");
    CHECK(refusal({"pmq", {}, UINT64_MAX}, {one.limit() + 1}) != "none");
}

TEST_CASE("a queue is made whatever the umask", "[pmq]") {
    const Shape shape{1000};
    Listening listening({"pmq", {}}, shape.max_size);
    Child peer([&] {
        // Root may open what it likes.
        if (::getuid() == 0 && ::setresuid(23456, 23456, 23456) != 0) {
            return 0;
        }
        ::umask(0277);
        (void)listening.connect(shape);
        return 0;
    });
    CHECK(peer.join() == 0);
}

TEST_CASE("no queue keeps a name, nor its memory after kill -9", "[pmq]") {
    const Shape shape{1000};
    Listening listening({"pmq", {}}, shape.max_size);
    for (int round = 0; round < 20; ++round) { // more than RLIMIT_MSGQUEUE holds at once
        Child peer([&] {
            const auto end = listening.connect(shape);
            end->must_send(pattern(1000, 1));
            return ::pause();
        });
        const auto end = listening.accept(shape);
        CHECK(end->must_recv() == pattern(1000, 1));
        CHECK(lasting_queue_names().empty());
        peer.kill();
        CHECK(peer.join() == -SIGKILL);
        CHECK(end->recv().status == IPCMARK_PEER_GONE);
    }
}

TEST_CASE("the depth is what was asked, and what is sent without a receiver", "[pmq]") {
    const Shape shape{100, 0, 0, IPCMARK_WAIT_BLOCK, IPCMARK_ENDPOINT_POLLED};
    Listening listening({"pmq", {{"depth", "7"}, {"priority", "31"}}}, shape.max_size);
    const auto there = listening.connect(shape);
    const auto here = listening.accept(shape);
    for (const auto* end : {there.get(), here.get()}) {
        ipcmark_value value{};
        REQUIRE(end->table().effective_option(end->handle(), 0, &value) == IPCMARK_OK);
        CHECK(value.as.u64 == 7);
        REQUIRE(end->table().effective_option(end->handle(), 1, &value) == IPCMARK_OK);
        CHECK(value.as.u64 == 31);
    }
    unsigned sent = 0;
    while (here->pollfd()->try_send(here->handle(), "x", 1) == IPCMARK_OK) {
        ++sent;
    }
    CHECK(sent == 7);
}

TEST_CASE("an interrupt of a sender that waits loses none of its messages", "[pmq]") {
    const Shape shape{100, 100, 100};
    Listening listening({"pmq", {}}, shape.max_size);
    const auto there = listening.connect(shape);
    const auto here = listening.accept(shape);
    std::thread other([&] {
        std::this_thread::sleep_for(20ms);
        here->table().interrupt(here->handle(), IPCMARK_CANCELLED);
    });
    unsigned sent = 0;
    while (here->send(pattern(100, sent)) == IPCMARK_OK) {
        ++sent;
    }
    other.join();
    for (unsigned i = 0; i < sent; ++i) {
        REQUIRE(there->must_recv() == pattern(100, i));
    }
}

TEST_CASE("a receiver with a full queue is told of its peer's death after the last message", "[pmq]") {
    for (const auto wait : {IPCMARK_WAIT_BLOCK, IPCMARK_WAIT_SPIN, IPCMARK_WAIT_ADAPTIVE}) {
        INFO("wait policy " << wait);
        const Shape shape{100, 100, 100, static_cast<std::uint32_t>(wait), 0};
        Listening listening({"pmq", {{"depth", "5"}}}, shape.max_size);
        Child peer([&] {
            const auto end = listening.connect(shape);
            for (unsigned i = 0; i < 5; ++i) {
                end->must_send(pattern(100, i));
            }
            return ::raise(SIGKILL);
        });
        const auto end = listening.accept(shape);
        CHECK(peer.join() == -SIGKILL);
        std::this_thread::sleep_for(20ms); // the wake-up finds no room
        for (unsigned i = 0; i < 5; ++i) {
            REQUIRE(end->must_recv() == pattern(100, i));
        }
        CHECK(end->recv().status == IPCMARK_PEER_GONE);
        CHECK(end->recv().status == IPCMARK_PEER_GONE);
    }
}

TEST_CASE("messages of each size up to the limit go through a buffer that is smaller than the queue's", "[pmq]") {
    const Shape shape{8192};
    Listening listening({"pmq", {}}, shape.max_size);
    const auto there = listening.connect(shape);
    const auto here = listening.accept(shape);
    for (const std::size_t size : {1, 2, 100, 8191, 8192}) {
        here->must_send(pattern(size, 1));
        Bytes exact(size);
        std::size_t got = 0;
        CHECK(there->table().recv(there->handle(), exact.data(), exact.size(), &got) == IPCMARK_OK);
        CHECK(got == size);
        CHECK(exact == pattern(size, 1));
    }
}

namespace {

// A queue as a process leaves it that is killed before it unlinks the name.
void leave_queue() {
    const ipcmark::kit::Fd queue(::mq_open(pmq::users_name().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600, nullptr));
    REQUIRE(queue);
}

bool name_is_there() {
    return static_cast<bool>(ipcmark::kit::Fd(::mq_open(pmq::users_name().c_str(), O_RDONLY | O_CLOEXEC)));
}

// Tests beside this one may have it for a moment.
std::unique_ptr<pmq::NameLock> name_lock() {
    const auto give_up = std::chrono::steady_clock::now() + hang_limit;
    auto lock = std::make_unique<pmq::NameLock>();
    while (!lock->held() && std::chrono::steady_clock::now() < give_up) {
        lock = std::make_unique<pmq::NameLock>();
    }
    REQUIRE(lock->held());
    return lock;
}

void check_that_a_message_crosses(Listening& listening) {
    const auto there = listening.connect({1000});
    const auto here = listening.accept({1000});
    there->must_send(pattern(100, 1));
    CHECK(here->must_recv() == pattern(100, 1));
}

} // namespace

TEST_CASE("the name that a killed process has left goes with the next queue", "[pmq]") {
    Listening listening({"pmq", {}}, 1000);
    leave_queue();
    // Where others keep the lock for too long it is left to the next one.
    const auto give_up = std::chrono::steady_clock::now() + 10s;
    do {
        check_that_a_message_crosses(listening);
        const auto lock = name_lock();
        if (!name_is_there()) {
            return;
        }
    } while (std::chrono::steady_clock::now() < give_up);
    ::mq_unlink(pmq::users_name().c_str());
    FAIL("it has stayed");
}

TEST_CASE("the name of a process that lives stays", "[pmq]") {
    Listening listening({"pmq", {}}, 1000);
    const auto lock = name_lock();
    leave_queue();
    check_that_a_message_crosses(listening);
    CHECK(name_is_there());
    ::mq_unlink(pmq::users_name().c_str());
}

TEST_CASE("a name that another user has taken stays, and keeps nobody from queues", "[pmq]") {
    constexpr uid_t user = 65'432; // nobody's
    if (::geteuid() != 0) {
        WARN("only root has other users' names");
        return;
    }
    const auto name = "/ipcmark-" + std::to_string(user);
    const ipcmark::kit::Fd taken(::mq_open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600, nullptr));
    REQUIRE(taken);
    Listening listening({"pmq", {}}, 1000);
    Child peer([&] {
        if (::setresuid(user, user, user) != 0) {
            return 1;
        }
        listening.connect({1000})->must_send(pattern(100, 1));
        return pmq::users_name() == name ? 0 : 1;
    });
    CHECK(listening.accept({1000})->must_recv() == pattern(100, 1));
    CHECK(peer.join() == 0);
    CHECK(::mq_unlink(name.c_str()) == 0);
}
