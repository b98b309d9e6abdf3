// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "temp_dir.hpp"

#include <ipcmark/module_kit/local_rendezvous.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include <sys/stat.h>

using namespace ipcmark;
namespace fs = std::filesystem;

namespace {

void leave_stale_socket(const fs::path& path) {
    const auto name = kit::detail::local_name(path.string());
    const auto socket = kit::detail::local_socket();
    REQUIRE(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&name.address), name.length) == 0);
}

} // namespace

TEST_CASE("a socket file goes away with its listener") {
    const TempDir folder;
    const auto path = folder / "meet";
    {
        kit::LocalRendezvous listener(path.string());
        CHECK(fs::is_socket(path));
        listener.remove_name();
        CHECK(!fs::exists(path));
    }
    {
        const kit::LocalRendezvous listener(path.string());
        CHECK(fs::is_socket(path));
    }
    CHECK(!fs::exists(path));
}

TEST_CASE("a file that somebody else has made in the place of the socket file stays") {
    const TempDir folder;
    const auto path = folder / "meet";
    std::optional<kit::LocalRendezvous> listener(std::in_place, path.string());
    // Beside the socket, so that it is another inode.
    folder.write("other", "another's");
    fs::rename(folder / "other", path);
    listener.reset();
    CHECK(fs::is_regular_file(path));
}

TEST_CASE("of many who find a stale socket file one replaces it, and keeps it") {
    const TempDir folder;
    const auto path = folder / "meet";
    for (int round = 0; round < 50; ++round) {
        leave_stale_socket(path);
        std::array<std::optional<kit::LocalRendezvous>, 8> listeners;
        std::latch start(listeners.size());
        std::vector<std::jthread> threads;
        for (auto& listener : listeners) {
            threads.emplace_back([&] {
                start.arrive_and_wait();
                try {
                    listener.emplace(path.string());
                } catch (const kit::Error&) {
                    // It is taken.
                }
            });
        }
        threads.clear();
        const auto made =
            std::count_if(listeners.begin(), listeners.end(), [](const auto& one) { return one.has_value(); });
        REQUIRE(made == 1);
        REQUIRE(fs::is_socket(path));
    }
}

TEST_CASE("whoever made a socket file may connect to it, whatever the umask, and nobody else") {
    const TempDir folder;
    const auto path = folder / "meet";
    for (const mode_t mask : {0000, 0022, 0277}) {
        INFO("umask " << std::oct << mask);
        const auto before = ::umask(mask);
        const kit::LocalRendezvous listener(path.string());
        ::umask(before);
        CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    }
}
