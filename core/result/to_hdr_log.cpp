// SPDX-License-Identifier: Apache-2.0
#include "result/base64.hpp"
#include "result/rfc3339.hpp"
#include "result/test_parts.hpp"

#include <ipcmark/result.hpp>

#include <array>
#include <bit>
#include <iterator>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

namespace ipcmark {

namespace {

using Bytes = std::vector<unsigned char>;

template <class Unsigned> void append_big_endian(Bytes& bytes, Unsigned value) {
    for (int shift = 8 * (sizeof value - 1); shift >= 0; shift -= 8)
        bytes.push_back(static_cast<unsigned char>(value >> shift));
}

// ZigZag LEB128 as in HdrHistogram: 7 bits a byte, but the ninth byte holds 8.
void append_zigzag(Bytes& bytes, std::int64_t number) {
    auto value = (static_cast<std::uint64_t>(number) << 1) ^ static_cast<std::uint64_t>(number >> 63);
    for (int i = 0; i < 8 && value >= 0x80; ++i) {
        bytes.push_back(static_cast<unsigned char>(value | 0x80));
        value >>= 7;
    }
    bytes.push_back(static_cast<unsigned char>(value));
}

constexpr std::uint32_t v2_cookie = 0x1c849313;
constexpr std::uint32_t v2_compressed_cookie = 0x1c849314;
constexpr std::uint32_t significant_digits = 3;

// The counts up to the last that is not zero; a run of zeros is one negative number.
Bytes encode_counts(std::span<const std::uint64_t> counts) {
    Bytes bytes;
    std::size_t end = counts.size();
    while (end > 0 && counts[end - 1] == 0)
        --end;
    for (std::size_t i = 0; i < end;) {
        std::size_t next = i;
        while (counts[next] == 0)
            ++next;
        if (next > i)
            append_zigzag(bytes, -static_cast<std::int64_t>(next - i));
        append_zigzag(bytes, static_cast<std::int64_t>(counts[next]));
        i = next + 1;
    }
    return bytes;
}

std::string encode(const Histogram& histogram) {
    const Bytes counts = encode_counts(histogram.counts());
    Bytes plain;
    append_big_endian(plain, v2_cookie);
    append_big_endian(plain, static_cast<std::uint32_t>(counts.size()));
    append_big_endian(plain, std::uint32_t{0}); // normalizing index offset
    append_big_endian(plain, significant_digits);
    append_big_endian(plain, std::uint64_t{1}); // lowest value that is told from 0
    append_big_endian(plain, HistogramLayout::max_value_ns);
    append_big_endian(plain, std::bit_cast<std::uint64_t>(1.0)); // integer to double conversion ratio
    plain.insert(plain.end(), counts.begin(), counts.end());

    uLongf size = ::compressBound(plain.size());
    Bytes deflated(size);
    if (::compress2(deflated.data(), &size, plain.data(), plain.size(), Z_BEST_COMPRESSION) != Z_OK)
        throw std::bad_alloc(); // the only way it fails with a buffer of that size
    deflated.resize(size);

    Bytes bytes;
    append_big_endian(bytes, v2_compressed_cookie);
    append_big_endian(bytes, static_cast<std::uint32_t>(deflated.size()));
    bytes.insert(bytes.end(), deflated.begin(), deflated.end());
    return result::base64(bytes);
}

// What tags have where tests of a mechanism and size differ in it.
struct TagPart {
    const char* name;
    std::string (*value)(const TestResult&);
};

constexpr TagPart tag_parts[] = {
    {"conc", [](const TestResult& r) { return std::to_string(r.plan.concurrency); }},
    {"rate",
     [](const TestResult& r) {
         return r.plan.rate_per_second ? fmt::format("{}", *r.plan.rate_per_second) : std::string("max");
     }},
    {"repeat", [](const TestResult& r) { return std::to_string(r.plan.repeat_index + 1); }},
};

class HdrLog {
public:
    explicit HdrLog(const ResultDocument& document) {
        const double start = result::seconds_since_epoch(document.timestamp).value_or(0);
        text_ =
            fmt::format("#[ipcmark {}; values in ns, Interval_Max in ms; tag: mechanism/size/direction, then conc=, "
                        "rate=, repeat= where tests of that mechanism and size differ in it, then from the second "
                        "on the number among tests of the same tag, in the order of the results]\n"
                        "#[Histogram log format version 1.3]\n"
                        "#[StartTime: {:.3f} (seconds since epoch), {}]\n"
                        "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
                        document.version, start, document.timestamp);
        for (const TestResult& result : document.results) {
            auto& values = different_[kind_of(result)];
            for (std::size_t i = 0; i < std::size(tag_parts); ++i)
                values[i].insert(tag_parts[i].value(result));
        }
        for (const TestResult& result : document.results) {
            add(result, result.one_way, "one-way");
            add(result, result.round_trip, "round-trip");
        }
    }
    std::string text() && { return std::move(text_); }

private:
    using Kind = std::pair<std::string, std::uint64_t>;
    static Kind kind_of(const TestResult& result) {
        return {result::mechanism_of(result), result.plan.message_size_bytes};
    }

    void add(const TestResult& result, const std::optional<DirectionResult>& measured, const char* direction) {
        if (!measured)
            return;
        std::string tag =
            fmt::format("{}/{}/{}", result::mechanism_of(result), result.plan.message_size_bytes, direction);
        const auto& values = different_.at(kind_of(result));
        for (std::size_t i = 0; i < std::size(tag_parts); ++i)
            if (values[i].size() > 1)
                tag += fmt::format("/{}={}", tag_parts[i].name, tag_parts[i].value(result));
        for (char& c : tag)
            if (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r')
                c = '_';
        // A log is read by tag: tests that differ in something else are numbered.
        if (const int times = ++seen_[tag]; times > 1)
            tag += fmt::format("/{}", times);
        add_line(tag, *measured, measured->latency.histogram);
        if (measured->latency.uncorrected)
            add_line(tag + "/uncorrected", *measured, *measured->latency.uncorrected);
    }

    void add_line(const std::string& tag, const DirectionResult& measured, const Histogram& histogram) {
        if (histogram.empty())
            return;
        text_ += fmt::format("Tag={},{:.3f},{:.3f},{:.3f},{}\n", tag,
                             result::seconds_since_epoch(measured.timestamp).value_or(0),
                             static_cast<double>(measured.throughput.duration_ns) / 1e9,
                             static_cast<double>(histogram.max_ns()) / 1e6, encode(histogram));
    }

    std::string text_;
    std::map<Kind, std::array<std::set<std::string>, std::size(tag_parts)>> different_;
    std::map<std::string, int> seen_;
};

} // namespace

std::string to_hdr_log(const ResultDocument& document) {
    return HdrLog(document).text();
}

} // namespace ipcmark
