// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "result/codec.hpp"
#include "result/summary.hpp"
#include "result/wait_policy_names.hpp"

#include <ipcmark/document.hpp>

#include <array>
#include <cstdint>

// The structs that the document's text is made of: those of document.hpp where the text has the same shape, views over
// them where it has not. Their fields are in the tables_*.cpp beside this file.
namespace ipcmark::result {

struct DocumentView {
    const ResultDocument* document;
    DocumentSummary summary;
};

struct MetadataView {
    const ResultDocument* document;
};

struct TestView {
    const TestResult* result;
    const SystemInfo* system;
    TestSummary summary;
};

struct ConfigView {
    const TestResult* result;
};

struct ModuleView {
    const TestResult* result;
};

// A histogram that needs no direction of its own.
struct DistributionView {
    const Histogram* histogram;
    const std::vector<PercentileValue>* asked; // which percentiles
};

// "Success" or {"Failure": reason}
struct Status {
    const std::optional<std::string>* failure;
};

using Triples = std::vector<std::array<std::uint64_t, 3>>;

template <> struct Codec<Status> {
    static json::value write(const Status& status, Schema) {
        if (*status.failure)
            return json::object{{"Failure", **status.failure}};
        return "Success";
    }
    static json::object describe(Definitions&) {
        return {{"anyOf", json::array{json::object{{"const", "Success"}},
                                      json::object{{"type", "object"},
                                                   {"additionalProperties", false},
                                                   {"required", json::array{"Failure"}},
                                                   {"properties", {{"Failure", {{"type", "string"}}}}}}}}};
    }
};

#define IPCMARK_TABLE(Type, Name)                                                                                      \
    template <> struct Table<Type> {                                                                                   \
        static constexpr std::string_view name = Name;                                                                 \
        static std::span<const Field<Type>> fields();                                                                  \
    }

IPCMARK_TABLE(DocumentView, "Document");
IPCMARK_TABLE(MetadataView, "Metadata");
IPCMARK_TABLE(SystemInfo, "SystemInfo");
IPCMARK_TABLE(ClockInfo, "Clock");
IPCMARK_TABLE(Warning, "Warning");
IPCMARK_TABLE(TestView, "Result");
IPCMARK_TABLE(ConfigView, "TestConfig");
IPCMARK_TABLE(ModuleView, "Module");
IPCMARK_TABLE(OptionValue, "ModuleOption");
IPCMARK_TABLE(DirectionResult, "DirectionResults");
IPCMARK_TABLE(Latency, "Latency");
IPCMARK_TABLE(DistributionView, "Distribution");
IPCMARK_TABLE(PercentileValue, "PercentileValue");
IPCMARK_TABLE(Throughput, "Throughput");
IPCMARK_TABLE(Delivery, "Delivery");
IPCMARK_TABLE(SideUsage, "SideUsage");
IPCMARK_TABLE(AuditCheck, "AuditCheck");
IPCMARK_TABLE(TestSummary, "Summary");
IPCMARK_TABLE(DirectionSummary, "DirectionSummary");
IPCMARK_TABLE(DocumentSummary, "OverallSummary");
IPCMARK_TABLE(MechanismSummary, "MechanismSummary");

#undef IPCMARK_TABLE

template <> struct Names<Direction> {
    static constexpr std::pair<Direction, std::string_view> names[] = {{Direction::one_way, "OneWay"},
                                                                       {Direction::round_trip, "RoundTrip"}};
};
template <> struct Names<Mode> {
    static constexpr std::pair<Mode, std::string_view> names[] = {{Mode::blocking, "blocking"},
                                                                  {Mode::asynchronous, "asynchronous"}};
};
template <> struct Names<WaitPolicy> { static constexpr const auto& names = wait_policy_names; };
template <> struct Names<FirstMessage> {
    static constexpr std::pair<FirstMessage, std::string_view> names[] = {{FirstMessage::drop, "drop"},
                                                                          {FirstMessage::keep, "keep"}};
};
template <> struct Names<Access> {
    static constexpr std::pair<Access, std::string_view> names[] = {{Access::copy, "copy"}, {Access::direct, "direct"}};
};
template <> struct Names<CheckVerdict> {
    static constexpr std::pair<CheckVerdict, std::string_view> names[] = {
        {CheckVerdict::ok, "ok"},
        {CheckVerdict::suspicious, "suspicious"},
        {CheckVerdict::not_applicable, "not_applicable"}};
};

} // namespace ipcmark::result
