// SPDX-License-Identifier: Apache-2.0
#include "../catch.hpp"
#include "request_of.hpp"

using namespace ipcmark;
using namespace ipcmark::host;

namespace {

std::string order_of(const std::string& line) {
    std::string order;
    for (const auto& test : run_of(line).plan.tests)
        order += test.mechanism + "/" + std::to_string(test.message_size_bytes) + "/" +
                 std::to_string(test.concurrency) + "/" +
                 std::to_string(static_cast<int>(test.rate_per_second.value_or(0))) + "/" +
                 std::to_string(test.repeat_index) + " ";
    return order;
}

} // namespace

TEST_CASE("the matrix keeps the lines that a reader compares together") {
    CHECK(order_of("-m uds,tcp -s 64,1K") == "uds/64/1/0/0 uds/1024/1/0/0 tcp/64/1/0/0 tcp/1024/1/0/0 ");
    CHECK(order_of("-c 1,2 -s 64 --rate 10,20") == "uds/64/1/10/0 uds/64/1/20/0 uds/64/2/10/0 uds/64/2/20/0 ");
    CHECK(order_of("-s 1K,64 --repeat 2") == "uds/1024/1/0/0 uds/1024/1/0/1 uds/64/1/0/0 uds/64/1/0/1 ");
}

TEST_CASE("all stands for the four transports in their order") {
    const std::vector<std::string> four{"uds", "shm", "tcp", "pmq"};
    CHECK(expand_mechanisms({"all"}) == four);
    CHECK(expand_mechanisms({"tcp", "all"}) == four);
    CHECK(expand_mechanisms({"all", "pipe", "uds"}) == std::vector<std::string>{"uds", "shm", "tcp", "pmq", "pipe"});
    CHECK(expand_mechanisms({"uds", "uds"}) == std::vector<std::string>{"uds", "uds"});
}
