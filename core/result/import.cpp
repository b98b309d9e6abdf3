// SPDX-License-Identifier: Apache-2.0
#include "result/import.hpp"

#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace ipcmark::result {

namespace json = boost::json;

namespace {

// Far more than the largest plan has results; /dev/zero has no end.
constexpr std::uint64_t largest_document = std::uint64_t{1} << 30;
constexpr std::uint64_t largest_size = std::uint64_t{1} << 53; // every whole number up to it is one of a double
constexpr std::uint64_t most_endpoints = std::numeric_limits<unsigned>::max();

const json::object* object_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? nullptr : value->if_object();
}

const json::array* array_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value == nullptr ? nullptr : value->if_array();
}

std::optional<bool> bool_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_bool() ? std::optional(value->get_bool()) : std::nullopt;
}

std::optional<double> number_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    if (value == nullptr || !value->is_number())
        return std::nullopt;
    return value->to_number<double>();
}

// A count that a test was run with. Throws UsageError if it is none.
std::uint64_t count_in(const json::object& object, std::string_view key, std::uint64_t otherwise, std::uint64_t most) {
    const std::optional<double> value = number_in(object, key);
    if (!value)
        return otherwise;
    if (!(*value >= 0 && *value <= static_cast<double>(most)) || *value != std::floor(*value))
        throw UsageError(fmt::format("\"{}\" is {}: it must be a whole number from 0 to {}", key, *value, most));
    return static_cast<std::uint64_t>(*value);
}

bool is_finite(const json::value& value) {
    if (const json::object* object = value.if_object())
        return std::all_of(object->begin(), object->end(), [](const auto& entry) { return is_finite(entry.value()); });
    if (const json::array* array = value.if_array())
        return std::all_of(array->begin(), array->end(), is_finite);
    return !value.is_double() || std::isfinite(value.get_double());
}

std::string text_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

// 10^6 bytes a second under each of its names.
std::optional<double> throughput_in(const json::object& summary) {
    for (const char* spelling : {"mbps", "mb_s", "megabytes_per_sec"})
        if (const auto value = number_in(summary, fmt::format("average_throughput_{}", spelling)))
            return *value * 1e6;
    return std::nullopt;
}

std::optional<Figure> exact(std::optional<double> value) {
    return value ? std::optional<Figure>({*value, *value, *value}) : std::nullopt;
}

struct Bucket {
    double highest_ns;
    double count;
};

std::vector<Bucket> buckets_in(const json::object& latency) {
    std::vector<Bucket> buckets;
    const json::array* triples = array_in(latency, "histogram");
    if (triples == nullptr)
        return buckets;
    for (const json::value& triple : *triples)
        if (const json::array* values = triple.if_array();
            values != nullptr && values->size() == 3 && (*values)[1].is_number() && (*values)[2].is_number())
            buckets.push_back({(*values)[1].to_number<double>(), (*values)[2].to_number<double>()});
    return buckets;
}

double value_at_rank(const std::vector<Bucket>& buckets, double rank) {
    double seen = 0;
    for (const Bucket& bucket : buckets) {
        seen += bucket.count;
        if (seen >= rank)
            return bucket.highest_ns;
    }
    return buckets.back().highest_ns;
}

std::optional<double> asked_percentile(const json::object& latency, double percentile) {
    if (const json::array* values = array_in(latency, "percentiles"))
        for (const json::value& value : *values)
            if (const json::object* entry = value.if_object();
                entry != nullptr && std::abs(number_in(*entry, "percentile").value_or(-1) - percentile) < 1e-9)
                return number_in(*entry, "value_ns");
    return percentile == 50 ? number_in(latency, "median_ns") : std::nullopt;
}

// The range of a percentile: the samples whose ranks are two standard errors away.
std::optional<Figure> percentile_in(const json::object& latency, double percentile) {
    const std::vector<Bucket> buckets = buckets_in(latency);
    const std::optional<double> asked = asked_percentile(latency, percentile);
    if (buckets.empty())
        return exact(asked);
    double count = 0;
    for (const Bucket& bucket : buckets)
        count += bucket.count;
    const double share = percentile / 100;
    const double error = 2 * std::sqrt(count * share * (1 - share));
    const double rank = std::ceil(count * share);
    const double value = asked.value_or(value_at_rank(buckets, rank));
    return Figure{value, std::min(value, value_at_rank(buckets, std::max(1.0, rank - error))),
                  std::max(value, value_at_rank(buckets, std::min(count, rank + error)))};
}

std::string as_text(const json::value& value) {
    if (value.is_string())
        return std::string(value.get_string());
    if (value.is_double())
        return fmt::format("{}", value.get_double());
    if (const json::object* time = value.if_object(); time != nullptr && time->contains("secs"))
        return fmt::format("{:g} s",
                           number_in(*time, "secs").value_or(0) + number_in(*time, "nanos").value_or(0) / 1e9);
    return json::serialize(value);
}

// Those of test_config that are compared by other means, or do not change a figure.
constexpr std::array<std::string_view, 9> not_configuration{"message_size",       "buffer_size", "concurrency",
                                                            "one_way_enabled",    "percentiles", "mechanism_id",
                                                            "round_trip_enabled", "timeout_ns",  "repeat_index"};

bool is_given(const json::object& option) {
    return bool_in(option, "given").value_or(true);
}

void add_configuration(ImportedResult& test, const json::object& result, const json::object& config) {
    for (const auto& [key, value] : config)
        if (std::find(not_configuration.begin(), not_configuration.end(), std::string_view(key)) ==
            not_configuration.end())
            test.configuration[key] = as_text(value);
    const json::object* module = object_in(result, "module");
    const json::array* options = module == nullptr ? nullptr : array_in(*module, "options");
    if (options == nullptr) { // which say it themselves, with what the system chose
        if (const json::value* asked = config.if_contains("buffer_size"))
            test.configuration["buffer_size"] = as_text(*asked);
        return;
    }
    if (const auto checked = bool_in(*module, "checked"))
        (*checked ? test.configuration : test.unasked)["checked"] = *checked ? "true" : "false";
    for (const json::value& option : *options)
        if (const json::object* entry = option.if_object())
            (is_given(*entry) ? test.configuration : test.unasked)["option " + text_in(*entry, "name")] =
                text_in(*entry, "value");
}

std::optional<std::string> failure_of(const json::object& result) {
    const json::value* status = result.if_contains("status");
    if (status == nullptr)
        return std::nullopt;
    if (const json::object* failure = status->if_object())
        return text_in(*failure, "Failure");
    if (text_in(result, "status") == "Failure") // as the Arcaflow plugin writes it
        return text_in(result, "failure_reason");
    return std::nullopt;
}

// "line 3, column 14" of the character at that index.
std::string place_of(std::string_view text, std::size_t index) {
    const auto before = text.substr(0, index);
    const auto line_begin = before.rfind('\n') + 1; // 0 where there is none
    return fmt::format("line {}, column {}", std::count(before.begin(), before.end(), '\n') + 1,
                       before.size() - line_begin + 1);
}

// Throws UsageError that says where it is wrong.
json::value parsed(std::string_view text, const std::string& name) {
    json::stream_parser parser;
    json::error_code error;
    const std::size_t read = parser.write_some(text, error);
    if (!error && read < text.size())
        error = json::error::extra_data;
    if (!error)
        parser.finish(error);
    if (error)
        throw UsageError(fmt::format("{} is not JSON: {} at {}; give a document that 'ipcmark run -o' has written",
                                     name, error.message(), place_of(text, read)));
    return parser.release();
}

class Importer {
public:
    Importer(std::string_view text, const std::string& name) {
        document_.name = name;
        const json::value root = parsed(text, name);
        if (!is_finite(root))
            throw UsageError(fmt::format("{} is not a result document: it has a number that is above {:g}", name,
                                         std::numeric_limits<double>::max()));
        const json::object* object = root.if_object();
        // The output of a workflow step wraps the document.
        for (const char* wrapper : {"output_data", "benchmark_result"})
            if (object != nullptr && object_in(*object, wrapper) != nullptr)
                object = object_in(*object, wrapper);
        const json::array* results = object == nullptr ? nullptr : array_in(*object, "results");
        if (results == nullptr)
            throw UsageError(fmt::format("{} is not a result document: it has no list \"results\"", name));
        if (const json::object* metadata = object_in(*object, "metadata"))
            add_metadata(*metadata);
        for (const json::value& result : *results)
            if (const json::object* test = result.if_object())
                add(*test);
    }
    ImportedDocument document() && { return std::move(document_); }

private:
    void add_metadata(const json::object& metadata) {
        document_.version = text_in(metadata, "version");
        const json::object* system = object_in(metadata, "system_info");
        if (system == nullptr)
            return;
        for (const char* key :
             {"architecture", "cpu_cores", "cpu_model", "kernel", "governor", "virtualization", "container"})
            if (const json::value* value = system->if_contains(key))
                document_.machine[key] = as_text(*value);
        if (const json::object* clock = object_in(*system, "clock"))
            document_.machine["clock"] = text_in(*clock, "source");
    }

    void add(const json::object& test) {
        try {
            add_test(test);
        } catch (const UsageError& error) {
            throw UsageError(fmt::format("{} is not a result document: {}", document_.name, error.what()));
        }
    }

    void add_test(const json::object& test) {
        ImportedResult common;
        common.mechanism = text_in(test, "mechanism");
        static const json::object none;
        const json::object* found = object_in(test, "test_config");
        const json::object& config = found == nullptr ? none : *found;
        common.message_size_bytes = count_in(config, "message_size", 0, largest_size);
        common.concurrency = static_cast<unsigned>(count_in(config, "concurrency", 1, most_endpoints));
        add_configuration(common, test, config);
        auto reason = failure_of(test);
        std::vector<std::pair<Direction, const json::object*>> done;
        std::vector<Direction> missing;
        for (const auto& [key, enabled, direction] :
             {std::tuple("one_way_results", "one_way_enabled", Direction::one_way),
              std::tuple("round_trip_results", "round_trip_enabled", Direction::round_trip)}) {
            const json::object* measured = object_in(test, key);
            // Documents of rusty-comms do not say how far a failed test came.
            if (measured != nullptr && (!reason || !bool_in(*measured, "partial").value_or(true)))
                done.emplace_back(direction, measured);
            else if (bool_in(config, enabled).value_or(true))
                missing.push_back(direction);
        }
        if (reason && missing.empty()) // it failed after all was measured, and how much of that counts nobody knows
            for (; !done.empty(); done.pop_back())
                missing.push_back(done.back().first);
        for (const auto& [direction, measured] : done)
            add_direction(common, direction, *measured);
        if (reason) {
            document_.failures.push_back({common.mechanism, common.message_size_bytes, common.concurrency,
                                          std::move(missing), std::move(*reason)});
            return;
        }
        if (const json::object* summary = object_in(test, "summary"); summary != nullptr && done.empty()) {
            common.p99_ns = exact(number_in(*summary, "p99_latency_ns"));
            common.bytes_per_second = exact(throughput_in(*summary));
            if (common.p99_ns || common.bytes_per_second)
                document_.results.push_back(std::move(common));
        }
    }

    void add_direction(ImportedResult result, Direction direction, const json::object& measured) {
        result.direction = direction;
        if (const json::object* latency = object_in(measured, "latency")) {
            result.p50_ns = percentile_in(*latency, 50);
            result.p99_ns = percentile_in(*latency, 99);
        }
        if (const json::object* throughput = object_in(measured, "throughput")) {
            result.messages_per_second = exact(number_in(*throughput, "messages_per_second"));
            result.bytes_per_second = exact(number_in(*throughput, "bytes_per_second"));
        }
        if (const json::array* audit = array_in(measured, "audit"))
            for (const json::value& check : *audit)
                if (const json::object* entry = check.if_object();
                    entry != nullptr && text_in(*entry, "verdict") == "suspicious")
                    result.suspicious.push_back(text_in(*entry, "id"));
        document_.results.push_back(std::move(result));
    }

    ImportedDocument document_;
};

} // namespace

ImportedDocument import_document(std::string_view text, const std::string& name) {
    return Importer(text, name).document();
}

ImportedDocument import_file(const std::filesystem::path& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        throw UsageError(fmt::format("cannot read {}: it is a folder; name a result document", path.string()));
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw UsageError(fmt::format("cannot read {}: {}", path.string(), std::strerror(errno)));
    std::string text;
    std::vector<char> piece(std::size_t{1} << 20);
    while (file.read(piece.data(), static_cast<std::streamsize>(piece.size())), file.gcount() > 0) {
        text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
        if (text.size() > largest_document)
            throw UsageError(fmt::format("cannot read {}: it is larger than the {} that a result document may have",
                                         path.string(), format_size_bytes(largest_document)));
    }
    return import_document(text, path.string());
}

ImportedDocument joined(std::vector<ImportedDocument> documents) {
    ImportedDocument all = std::move(documents.front());
    for (auto document = documents.begin() + 1; document != documents.end(); ++document) {
        all.name += ", " + document->name;
        for (const auto& [key, value] : document->machine)
            if (std::string& known = all.machine[key]; known.empty())
                known = value;
            else if ((" or " + known + " or ").find(" or " + value + " or ") == std::string::npos)
                known += " or " + value;
        std::move(document->results.begin(), document->results.end(), std::back_inserter(all.results));
        std::move(document->failures.begin(), document->failures.end(), std::back_inserter(all.failures));
    }
    return all;
}

} // namespace ipcmark::result
