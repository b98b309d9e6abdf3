// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "module/nearest_name.hpp"

#include <vector>

using ipcmark::did_you_mean;
using ipcmark::nearest_name;

TEST_CASE("the nearest name", "[nearest-name]") {
    const std::vector<std::string> names{"uds", "tcp", "shm", "pmq", "null", "send-buffer", "receive-buffer"};
    CHECK(nearest_name("udp", names) == "uds");
    CHECK(nearest_name("usd", names) == "uds");
    CHECK(nearest_name("UDS", names) == "uds");
    CHECK(nearest_name("nul", names) == "null");
    CHECK(nearest_name("sendbuffer", names) == "send-buffer");
    CHECK(nearest_name("receive", names) == "receive-buffer");
    CHECK(nearest_name("zeromq", names) == std::nullopt);
    CHECK(nearest_name("", names) == std::nullopt);
    CHECK(nearest_name("x", names) == std::nullopt);
    CHECK(nearest_name(std::string(100'000, 'a'), names) == std::nullopt);
    CHECK(did_you_mean("smh", names) == "; did you mean 'shm'?");
    CHECK(did_you_mean("quic", names).empty());
}
