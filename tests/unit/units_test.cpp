// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"

#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <limits>

using namespace ipcmark;
using namespace std::chrono_literals;

namespace {

template <typename Parse> std::string refusal(Parse parse, const std::string& text) {
    try {
        (void)parse(text);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("sizes", "[units]") {
    CHECK(parse_size_bytes("0") == 0);
    CHECK(parse_size_bytes("1024") == 1024);
    CHECK(parse_size_bytes("64B") == 64);
    CHECK(parse_size_bytes("64K") == 65'536);
    CHECK(parse_size_bytes("64k") == 65'536);
    CHECK(parse_size_bytes("64KiB") == 65'536);
    CHECK(parse_size_bytes("64 KiB") == 65'536);
    CHECK(parse_size_bytes("1M") == 1'048'576);
    CHECK(parse_size_bytes("16G") == 16ull << 30);
    CHECK(parse_size_bytes("16777215T") == 16777215ull << 40);
    CHECK(parse_size_bytes("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
    for (const char* bad : {"",          " ",
                            "K",         "-1",
                            "-1K",       "1.5K",
                            "1e3",       "0x10",
                            "64KB",      "64 MB",
                            "64X",       "64KiBB",
                            "1 2",       " 1",
                            "1 ",        "18446744073709551616",
                            "16777216T", "99999999999999999999999",
                            "NaN",       "+1"}) {
        INFO(bad);
        CHECK(refusal(parse_size_bytes, bad).starts_with("'" + std::string(bad) + "'"));
    }
    CHECK(refusal(parse_size_bytes, "64KB").find("1000 or of 1024") != std::string::npos);
    for (const std::uint64_t bytes : {0ull, 1ull, 1000ull, 1024ull, 65'536ull, 3ull << 20, ~0ull, 5ull << 40})
        CHECK(parse_size_bytes(format_size_bytes(bytes)) == bytes);
    CHECK(format_size_bytes(65'536) == "64KiB");
    CHECK(format_size_bytes(1000) == "1000");
}

TEST_CASE("durations", "[units]") {
    CHECK(parse_duration("10us") == 10us);
    CHECK(parse_duration("500ms") == 500ms);
    CHECK(parse_duration("2s") == 2s);
    CHECK(parse_duration("2") == 2s);
    CHECK(parse_duration("0.5") == 500ms);
    CHECK(parse_duration(".5s") == 500ms);
    CHECK(parse_duration("1.5h") == 90min);
    CHECK(parse_duration("5m") == 5min);
    CHECK(parse_duration("0") == 0ns);
    CHECK(parse_duration("0.333333333333333333333333s") == 333'333'333ns);
    CHECK(parse_duration("9223372036854775807ns").count() == std::numeric_limits<std::int64_t>::max());
    for (const char* bad : {"", "s", "ms", "-1s", "-0.5", "1x", "1 2", "1s2", "1..5s", ".", "inf", "nan", "1e3s",
                            "9223372036854775808ns", "2562048h", "99999999999999999999s", "0.1ns", "1S", "--"}) {
        INFO(bad);
        CHECK(refusal(parse_duration, bad).starts_with("'" + std::string(bad) + "'"));
    }
    for (const auto duration : {0ns, 1ns, 1500ns, 20'000ns, 1'500'000'000ns, 3'600'000'000'000ns})
        CHECK(parse_duration(format_duration(duration)) == duration);
    CHECK(format_duration(20us) == "20us");
    CHECK(format_duration(90s) == "90s");
}

TEST_CASE("counts and rates", "[units]") {
    CHECK(parse_count("10000") == 10'000);
    CHECK(parse_count("10k") == 10'000);
    CHECK(parse_count("2M") == 2'000'000);
    for (const char* bad : {"", "-5", "1.5", "1.5k", "ten", "10x", "18446744073709551616", "18446744073709551615k"}) {
        INFO(bad);
        CHECK(refusal(parse_count, bad).starts_with("'" + std::string(bad) + "'"));
    }
    CHECK(parse_rate("2500") == 2500);
    CHECK(parse_rate("0.5/s") == 0.5);
    CHECK(parse_rate("1.5M") == 1.5e6);
    CHECK(parse_rate("10k/s") == 1e4);
    for (const char* bad : {"", "0", "0.0", "-1", "fast", "10/m", "/s"}) {
        INFO(bad);
        CHECK(refusal(parse_rate, bad).starts_with("'" + std::string(bad) + "'"));
    }
}

TEST_CASE("CPU lists", "[units]") {
    CHECK(parse_cpu_list("0-2,5") == std::vector{0, 1, 2, 5});
    CHECK(parse_cpu_list("5,0") == std::vector{5, 0});
    CHECK(parse_cpu_list("0-8:4") == std::vector{0, 4, 8});
    for (const char* bad : {"", ",", "0,", ",0", "-1", "0-", "2-0", "0-2,1", "1,1", "a", "0-4:0", "0 1", "99999999999",
                            "0-99999999", "1.5", "0--1", "65536"}) {
        INFO(bad);
        CHECK(refusal(parse_cpu_list, bad).starts_with("'" + std::string(bad) + "'"));
    }
    CHECK(format_cpu_list({0, 1, 2, 5}) == "0-2,5");
    CHECK(format_cpu_list({5, 0}) == "5,0");
    CHECK(format_cpu_list({}).empty());
}
