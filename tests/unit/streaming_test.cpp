// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "result/streaming.hpp"
#include "temp_dir.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

#include <boost/json.hpp>
#include <sys/resource.h>

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace ipcmark;

namespace {

const std::vector<Sample> two{{1'640'995'200'000'000'001, 0, 50'000}, {UINT64_MAX, UINT64_MAX, UINT64_MAX}};

std::vector<Sample> many(std::uint64_t count) {
    std::vector<Sample> samples;
    for (std::uint64_t i = 0; i < count; ++i)
        samples.push_back({1'640'995'200'000'000'000 + i, i, 1'000 + i % 977});
    return samples;
}

// Files of this process may not grow beyond a size, as if the disk were full.
class FullDisk {
public:
    explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit limit{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    rlimit before_{};
    void (*handler_)(int);
};

void never_fails(const fs::path&, const std::string& reason) {
    FAIL(reason);
}

StreamingOutputs all_in(const TempDir& folder) {
    StreamingOutputs outputs;
    outputs.csv = folder / "s.csv";
    outputs.json = folder / "s.json";
    outputs.ndjson = folder / "s.ndjson";
    return outputs;
}

ModuleIdentity named(const char* result_name, const char* display_name) {
    ModuleIdentity module;
    module.result_name = result_name;
    module.display_name = display_name;
    return module;
}

const ModuleIdentity uds = named("UnixDomainSocket", "Unix Domain Socket");
const ModuleIdentity tcp = named("TcpSocket", "TCP, IPv4");
const ModuleIdentity quoted = named("A \"quoted\" name", "");

} // namespace

TEST_CASE("CSV rows have the latency in the column of their direction") {
    const TempDir folder;
    StreamingOutputs outputs;
    outputs.csv = folder / "s.csv";
    StreamingWriter writer(outputs, never_fails);
    writer.begin_test(0, uds, 1024, Direction::one_way);
    writer.add(0, two);
    writer.begin_test(3, tcp, 64, Direction::round_trip);
    writer.add(12, std::span(two).first(1));
    writer.add(0, std::span(two).first(1));
    writer.finish();
    CHECK(text_of(folder / "s.csv") ==
          "timestamp_ns,message_id,mechanism,message_size,one_way_latency_ns,round_trip_latency_ns,result,endpoint\n"
          "1640995200000000001,0,Unix Domain Socket,1024,50000,,0,0\n"
          "18446744073709551615,18446744073709551615,Unix Domain Socket,1024,18446744073709551615,,0,0\n"
          "1640995200000000001,0,\"TCP, IPv4\",64,,50000,3,12\n"
          "1640995200000000001,0,\"TCP, IPv4\",64,,50000,3,0\n");
    CHECK_FALSE(fs::exists(folder / "s.csv.partial"));
}

TEST_CASE("JSON has headings and rows of values") {
    const TempDir folder;
    StreamingOutputs outputs;
    outputs.json = folder / "s.json";
    StreamingWriter writer(outputs, never_fails);
    writer.begin_test(0, uds, 1024, Direction::one_way);
    writer.add(0, two);
    writer.begin_test(1, quoted, 64, Direction::round_trip);
    writer.add(2, std::span(two).first(1));
    writer.finish();
    const json::value read = json::parse(text_of(folder / "s.json"));
    CHECK(read.as_object().size() == 2);
    CHECK(read.at("headings") == json::array{"timestamp_ns", "message_id", "mechanism", "message_size",
                                             "one_way_latency_ns", "round_trip_latency_ns", "result", "endpoint"});
    CHECK(read.at("data").as_array().size() == 3);
    CHECK(read.at("data").at(0) ==
          json::array{1'640'995'200'000'000'001, 0, "UnixDomainSocket", 1024, 50'000, nullptr, 0, 0});
    CHECK(read.at("data").at(2) ==
          json::array{1'640'995'200'000'000'001, 0, "A \"quoted\" name", 64, nullptr, 50'000, 1, 2});
}

TEST_CASE("NDJSON has an object a line") {
    const TempDir folder;
    StreamingOutputs outputs;
    outputs.ndjson = folder / "s.ndjson";
    StreamingWriter writer(outputs, never_fails);
    writer.begin_test(0, uds, 1024, Direction::round_trip);
    writer.add(3, std::span(two).first(1));
    writer.begin_test(1, uds, 64, Direction::one_way);
    writer.add(0, std::span(two).first(1));
    writer.finish();
    CHECK(text_of(folder / "s.ndjson") ==
          "{\"timestamp_ns\":1640995200000000001,\"message_id\":0,\"mechanism\":\"UnixDomainSocket\","
          "\"message_size\":1024,\"one_way_latency_ns\":null,\"round_trip_latency_ns\":50000,\"result\":0,"
          "\"endpoint\":3}\n"
          "{\"timestamp_ns\":1640995200000000001,\"message_id\":0,\"mechanism\":\"UnixDomainSocket\","
          "\"message_size\":64,\"one_way_latency_ns\":50000,\"round_trip_latency_ns\":null,\"result\":1,"
          "\"endpoint\":0}\n");
}

TEST_CASE("the predecessor's rows do not say where they are from") {
    const TempDir folder;
    StreamingOutputs outputs = all_in(folder);
    outputs.columns = SampleColumns::rusty_comms;
    StreamingWriter writer(outputs, never_fails);
    writer.begin_test(1, uds, 1024, Direction::one_way);
    writer.add(1, std::span(two).first(1));
    writer.finish();
    CHECK(text_of(folder / "s.csv") ==
          "timestamp_ns,message_id,mechanism,message_size,one_way_latency_ns,round_trip_latency_ns\n"
          "1640995200000000001,0,Unix Domain Socket,1024,50000,\n");
    CHECK(text_of(folder / "s.json") ==
          "{\"headings\":[\"timestamp_ns\",\"message_id\",\"mechanism\",\"message_size\",\"one_way_latency_ns\","
          "\"round_trip_latency_ns\"],\"data\":["
          "\n[1640995200000000001,0,\"UnixDomainSocket\",1024,50000,null]\n]}\n");
    CHECK(text_of(folder / "s.ndjson") ==
          "{\"timestamp_ns\":1640995200000000001,\"message_id\":0,\"mechanism\":\"UnixDomainSocket\","
          "\"message_size\":1024,\"one_way_latency_ns\":50000,\"round_trip_latency_ns\":null}\n");
}

TEST_CASE("no sample at all is a complete file too") {
    const TempDir folder;
    StreamingWriter writer(all_in(folder), never_fails);
    writer.begin_test(0, uds, 1024, Direction::one_way);
    writer.finish();
    CHECK(json::parse(text_of(folder / "s.json")).at("data").as_array().empty());
    CHECK(text_of(folder / "s.ndjson").empty());
}

TEST_CASE("every one of many rows arrives, whatever the pieces") {
    const TempDir folder;
    const std::vector<Sample> samples = many(100'000);
    StreamingWriter writer(all_in(folder), never_fails);
    writer.begin_test(0, uds, 1024, Direction::one_way);
    std::size_t piece = 1;
    for (std::span<const Sample> rest = samples; !rest.empty(); piece = piece * 3 + 1) {
        const auto some = rest.first(std::min(piece, rest.size()));
        writer.add(0, some);
        rest = rest.subspan(some.size());
    }
    writer.finish();
    const json::value read = json::parse(text_of(folder / "s.json"));
    const json::array& rows = read.at("data").as_array();
    REQUIRE(rows.size() == samples.size());
    bool all = true;
    for (std::size_t i = 0; i < rows.size(); ++i)
        all = all && rows[i].at(0).to_number<std::uint64_t>() == samples[i].timestamp_ns &&
              rows[i].at(4).to_number<std::uint64_t>() == samples[i].latency_ns;
    CHECK(all);
    const std::string csv = text_of(folder / "s.csv");
    CHECK(static_cast<std::size_t>(std::count(csv.begin(), csv.end(), '\n')) == samples.size() + 1);
}

TEST_CASE("the partial file is well-formed while the run is under way and when it is given up") {
    const TempDir folder;
    {
        StreamingWriter writer(all_in(folder), never_fails);
        writer.begin_test(0, uds, 1024, Direction::one_way);
        writer.add(0, many(200'000)); // more than is kept in memory
        const json::value under_way = json::parse(text_of(folder / "s.json.partial"));
        CHECK(under_way.at("data").as_array().size() > 0);
        writer.add(0, many(10));
    }
    CHECK(json::parse(text_of(folder / "s.json.partial")).at("data").as_array().size() == 200'010);
    CHECK_FALSE(fs::exists(folder / "s.json"));
}

TEST_CASE("a writer that was given up before the first sample leaves nothing") {
    const TempDir folder;
    { const StreamingWriter writer(all_in(folder), never_fails); }
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a full disk ends its output alone, named once; the rows that fit stay well-formed") {
    const TempDir folder;
    StreamingOutputs outputs = all_in(folder);
    outputs.ndjson = "/dev/null";
    std::vector<std::string> failed;
    constexpr std::size_t limit_bytes = 1'500'000;
    {
        StreamingWriter writer(outputs, [&](const fs::path& path, const std::string& reason) {
            CHECK(reason.find(path.string()) != std::string::npos);
            failed.push_back(path.filename());
        });
        writer.begin_test(0, uds, 1024, Direction::one_way);
        const FullDisk full(limit_bytes);
        for (int i = 0; i < 20; ++i)
            writer.add(0, many(20'000));
        writer.begin_test(0, uds, 1024, Direction::round_trip);
        writer.add(0, many(10));
        writer.finish();
    }
    std::sort(failed.begin(), failed.end());
    CHECK(failed == std::vector<std::string>{"s.csv", "s.json"});
    CHECK_FALSE(fs::exists(folder / "s.json"));
    CHECK_FALSE(fs::exists(folder / "s.csv"));
    // Whole rows up to the limit, in order and without a gap.
    const auto rows = json::parse(text_of(folder / "s.json.partial")).at("data").as_array();
    REQUIRE(rows.size() > 10'000);
    for (std::size_t i = 0; i < rows.size(); ++i)
        if (rows[i].at(1).to_number<std::size_t>() != i % 20'000)
            FAIL("row " << i << " is out of order");
    const std::string csv = text_of(folder / "s.csv.partial");
    CHECK(csv.ends_with(",,0,0\n"));
    for (const char* name : {"s.json.partial", "s.csv.partial"})
        CHECK(fs::file_size(folder / name) > limit_bytes - 2048);

    outputs.json = "/dev/full";
    CHECK_THROWS_AS(StreamingWriter(outputs, never_fails), RunError);
}

TEST_CASE("an output that cannot be opened, or two in one file, are refused before anything runs") {
    const TempDir folder;
    StreamingOutputs outputs = all_in(folder);
    outputs.ndjson = folder / "no" / "s.ndjson";
    CHECK_THROWS_AS(StreamingWriter(outputs, never_fails), UsageError);
    outputs.ndjson = folder / "." / "s.csv";
    CHECK_THROWS_AS(StreamingWriter(outputs, never_fails), UsageError);
    CHECK(fs::is_empty(folder.path()));
}
