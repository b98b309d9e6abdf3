// SPDX-License-Identifier: Apache-2.0
// The plan of the shared memory that the connecting side makes and the accepting one must not believe.
#include "../../../modules/shm/greeting.hpp"
#include "../../unit/catch.hpp"

#include <functional>
#include <string>
#include <vector>

using namespace ipcmark::shm;
namespace kit = ipcmark::kit;

namespace {

ipcmark_endpoint_params params_of(std::uint64_t size, std::uint64_t fixed, std::uint32_t in_flight,
                                  std::uint32_t flags = 0) {
    ipcmark_endpoint_params params{};
    params.size = sizeof params;
    params.max_message_size = size;
    params.tx_fixed_size = fixed;
    params.rx_fixed_size = fixed;
    params.in_flight = in_flight;
    params.flags = flags;
    return params;
}

Greeting planned(const ipcmark_endpoint_params& params) {
    ipcmark_value values[option::count]{};
    values[option::buffer_size] = kit::value_of_bytes(0);
    values[option::huge_pages] = kit::value_of_u64(0, IPCMARK_TYPE_ENUM);
    values[option::numa_node] = {IPCMARK_TYPE_I64, 1, {}};
    values[option::numa_node].as.i64 = -1;
    return plan(kit::EndpointRequest(&params), Settings(kit::Options(values, option::count)), 1);
}

// What the accepting side says to it; empty if it takes it.
std::string answer(const Greeting& greeting, const ipcmark_endpoint_params& params) {
    try {
        (void)read_greeting(std::as_bytes(std::span(&greeting, 1)), kit::EndpointRequest(&params));
    } catch (const kit::Error& error) {
        return error.what();
    }
    return "";
}

} // namespace

TEST_CASE("messages of one size of which few are under way get a slot each, all others records", "[shm]") {
    CHECK(planned(params_of(64, 64, 1)).layout.rings[0].capacity == 128);
    CHECK(planned(params_of(64, 64, 1)).layout.rings[0].slot == 128);
    CHECK(planned(params_of(48, 48, 1)).layout.rings[1].slot == 64);
    CHECK(planned(params_of(100, 100, 1)).layout.rings[1].slot == 192);
    CHECK(planned(params_of(64, 64, 8)).layout.rings[1].capacity == 8 * 128);
    // One that is read in place is given back after its answer.
    CHECK(planned(params_of(64, 64, 1, IPCMARK_ENDPOINT_LOANED)).layout.rings[0].capacity == 2 * 128);
    CHECK(planned(params_of(64, 64, 0)).layout.rings[0].slot == 0);
    CHECK(planned(params_of(64, 0, 1)).layout.rings[0].slot == 0);
    CHECK(planned(params_of(64, 64, 1000)).layout.rings[0].slot == 0);
    CHECK(planned(params_of(1 << 20, 1 << 20, 1)).layout.rings[0].slot == 0);
}

TEST_CASE("no two slots share a line", "[shm]") {
    for (std::uint64_t size = 1; size <= 1000; ++size) {
        const auto& ring = planned(params_of(size, size, 2)).layout.rings[0];
        REQUIRE(ring.slot == slot_for(size));
        const auto header = ring.offset + lead_of(ring.slot); // of the first slot
        const auto last_line = (header + header_size + size - 1) / 64;
        const auto next_line = (header + ring.slot - header_size) / 64; // where the second one begins
        REQUIRE(last_line < next_line);
        REQUIRE(header + ring.capacity - ring.slot + header_size + size <=
                ring.offset + ring.capacity + largest_granule);
    }
}

TEST_CASE("a plan that would lead out of the memory is refused", "[shm]") {
    const std::vector<std::pair<std::string, std::function<void(Greeting&)>>> lies{
        {"a ring behind the end", [](Greeting& it) { it.layout.rings[1].offset = it.layout.total; }},
        {"a ring over the end", [](Greeting& it) { it.layout.rings[1].capacity = it.layout.total & ~63U; }},
        {"a ring over the positions", [](Greeting& it) { it.layout.rings[0].offset = 0; }},
        {"a ring over the other", [](Greeting& it) { it.layout.rings[1].offset = it.layout.rings[0].offset; }},
        {"a ring that is not aligned", [](Greeting& it) { it.layout.rings[0].offset += 8; }},
        {"an unknown granule", [](Greeting& it) { it.layout.rings[0].granule = 8; }},
        {"half a record at the end", [](Greeting& it) { it.layout.rings[0].capacity += 8; }},
        {"no capacity", [](Greeting& it) { it.layout.rings[0].capacity = 0; }},
        {"empty pieces", [](Greeting& it) { it.piece[1] = 0; }},
        {"pieces larger than the ring", [](Greeting& it) { it.piece[1] = it.layout.rings[1].capacity; }},
        {"pieces larger than everything", [](Greeting& it) { it.piece[1] = ~std::uint64_t{0}; }},
        {"slots of another size", [](Greeting& it) { it.layout.rings[0].slot = 64; }},
        {"slots of no size", [](Greeting& it) { it.layout.rings[0].slot = 1; }},
    };
    const std::vector<std::pair<std::string, std::function<void(Greeting&)>>> lies_of_slots{
        {"slots smaller than a message",
         [](Greeting& it) {
             it.piece[0] = 16;
             it.layout.rings[0].slot = 64;
         }},
        {"half a slot at the end", [](Greeting& it) { it.layout.rings[0].capacity = 192; }},
    };
    for (const auto& [size, fixed, in_flight] : {std::tuple{64U, 64U, 1U}, {3000U, 3000U, 2U}, {500U, 0U, 0U}}) {
        const auto params = params_of(size, fixed, in_flight);
        REQUIRE(answer(planned(params), params).empty());
        auto all = lies;
        if (fixed != 0) {
            all.insert(all.end(), lies_of_slots.begin(), lies_of_slots.end());
        }
        for (const auto& [name, tell] : all) {
            INFO(name << ", messages of " << size);
            auto greeting = planned(params);
            tell(greeting);
            CHECK(answer(greeting, params).find("not sound") != std::string::npos);
        }
    }
}

TEST_CASE("messages of any size cannot go through slots", "[shm]") {
    auto greeting = planned(params_of(64, 64, 1));
    greeting.fixed_size[0] = greeting.fixed_size[1] = 0;
    CHECK(answer(greeting, params_of(64, 0, 1)).find("not sound") != std::string::npos);
}
