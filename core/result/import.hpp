// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/plan.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Reading result documents back: those of ipcmark, of rusty-comms in its three spellings of the throughput fields, and
// what the Arcaflow plugins make of either.
namespace ipcmark::result {

// A figure with the range that it would fall into if the same run's samples were drawn again.
struct Figure {
    double value;
    double low;
    double high;
};

// One direction of one test.
struct ImportedResult {
    std::string mechanism;              // the result name
    std::optional<Direction> direction; // not set: a document that has only summaries
    std::uint64_t message_size_bytes = 0;
    unsigned concurrency = 1;
    // Everything else that tells one test from another, by the field's name. Empty for documents of rusty-comms, which
    // do not say.
    std::map<std::string, std::string> configuration;
    // Options of the module that nobody asked for, as they were; they may differ from run to run.
    std::map<std::string, std::string> unasked;
    std::vector<std::string> suspicious; // the ids of the checks that its figures did not pass
    std::optional<Figure> p50_ns;
    std::optional<Figure> p99_ns;
    std::optional<Figure> messages_per_second;
    std::optional<Figure> bytes_per_second;
};

struct ImportedFailure {
    std::string mechanism;
    std::uint64_t message_size_bytes = 0;
    unsigned concurrency = 1;
    std::vector<Direction> directions; // that were asked for and are not measured to their end
    std::string reason;
};

struct ImportedDocument {
    std::string name;                           // for messages: the path
    std::string version;                        // of the program that wrote it
    std::map<std::string, std::string> machine; // "kernel", "cpu_model", ...: those that the document has
    std::vector<ImportedResult> results;        // of a failed test those of the directions that were done
    std::vector<ImportedFailure> failures;
};

// Throws UsageError naming the document and what is wrong with it.
[[nodiscard]] ImportedDocument import_document(std::string_view text, const std::string& name);
[[nodiscard]] ImportedDocument import_file(const std::filesystem::path& path);
// Documents of the same tests, measured in turns with those of another side, as one whose tests were repeated. Where
// their machines are not alike, a field has both values. `documents` is not empty.
[[nodiscard]] ImportedDocument joined(std::vector<ImportedDocument> documents);

} // namespace ipcmark::result
