// SPDX-License-Identifier: Apache-2.0
#include "result/streaming.hpp"

#include "result/csv_text.hpp"
#include "result/output_file.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <string_view>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>

namespace ipcmark {

namespace {

namespace json = boost::json;

constexpr std::size_t flush_at_bytes = 1 << 20;
constexpr std::chrono::milliseconds flush_every{250}; // so that a reader can follow

enum class Format { csv, json, ndjson };

// The text around the numbers that differ between the rows of a test.
struct RowTexts {
    std::string before_time;
    std::string before_id;
    std::string before_latency;
    std::string after_latency;
    std::string before_endpoint; // with SampleColumns::with_origin, as the endpoint is
    std::string end;
};

RowTexts row_texts(Format format, std::size_t result, const ModuleIdentity& module, std::uint64_t size_bytes,
                   Direction direction) {
    const bool one_way = direction == Direction::one_way;
    const std::string name = json::serialize(json::value(module.result_name));
    switch (format) {
    case Format::csv:
        return {"",
                ",",
                fmt::format(",{},{},{}", result::csv_cell(module.display_name), size_bytes, one_way ? "" : ","),
                one_way ? "," : "",
                fmt::format(",{},", result),
                "\n"};
    case Format::json:
        return {",\n[",
                ",",
                fmt::format(",{},{},{}", name, size_bytes, one_way ? "" : "null,"),
                one_way ? ",null" : "",
                fmt::format(",{},", result),
                "]"};
    case Format::ndjson:
        break;
    }
    return {R"({"timestamp_ns":)",
            R"(,"message_id":)",
            fmt::format(R"(,"mechanism":{},"message_size":{},"{}":)", name, size_bytes,
                        one_way ? "one_way_latency_ns" : R"(one_way_latency_ns":null,"round_trip_latency_ns)"),
            one_way ? R"(,"round_trip_latency_ns":null)" : "",
            fmt::format(R"(,"result":{},"endpoint":)", result),
            "}\n"};
}

constexpr std::array predecessors_headings{"timestamp_ns", "message_id",         "mechanism",
                                           "message_size", "one_way_latency_ns", "round_trip_latency_ns"};
constexpr std::array origin_headings{"result", "endpoint"};

std::vector<std::string_view> headings(SampleColumns columns) {
    std::vector<std::string_view> names(predecessors_headings.begin(), predecessors_headings.end());
    if (columns == SampleColumns::with_origin)
        names.insert(names.end(), origin_headings.begin(), origin_headings.end());
    return names;
}

constexpr std::string_view json_closing = "\n]}\n";

class Stream {
public:
    Stream(const std::filesystem::path& path, Format format, SampleColumns columns)
        : file_(path), format_(format), columns_(columns) {
        if (format == Format::csv)
            file_.append(fmt::format("{}\n", fmt::join(headings(columns), ",")));
        else if (format == Format::json)
            file_.append(fmt::format(R"({{"headings":["{}"],"data":[)", fmt::join(headings(columns), R"(",")")),
                         json_closing);
    }

    // Without finish(): keeps the rows that there are, and no file without rows.
    ~Stream() {
        if (finished_)
            return;
        try {
            if (!failed_)
                flush();
        } catch (const RunError&) {
            // What was written before stays, and is well-formed.
        }
        if (!any_row_)
            file_.discard();
    }
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;

    void begin_test(std::size_t result, const ModuleIdentity& module, std::uint64_t size_bytes, Direction direction) {
        flush();
        texts_ = row_texts(format_, result, module, size_bytes, direction);
    }

    void add(unsigned endpoint, std::span<const Sample> samples) {
        after_latency_ = texts_.after_latency;
        if (columns_ == SampleColumns::with_origin)
            after_latency_ += fmt::format("{}{}", texts_.before_endpoint, endpoint);
        after_latency_ += texts_.end;
        constexpr std::size_t digits = 20; // of a 64-bit number
        row_bytes_ = texts_.before_time.size() + texts_.before_id.size() + texts_.before_latency.size() +
                     after_latency_.size() + 3 * digits;
        constexpr std::size_t rows_at_once = 4096;
        while (!samples.empty()) {
            const auto some = samples.first(std::min(samples.size(), rows_at_once));
            samples = samples.subspan(some.size());
            format(some);
            if (used_ >= flush_at_bytes)
                flush();
        }
        if (std::chrono::steady_clock::now() - flushed_ >= flush_every)
            flush();
    }

    void flush() {
        flushed_ = std::chrono::steady_clock::now();
        if (used_ == 0)
            return;
        const std::string_view rows(buffer_.data(), used_);
        used_ = 0;
        try {
            append(rows);
        } catch (const RunError&) {
            if (file_.seekable())
                append_what_fits(rows);
            throw;
        }
    }

    void finish() {
        flush();
        file_.commit();
        finished_ = true;
    }

    // Takes nothing any more; the file stays as it is.
    void give_up() noexcept { failed_ = true; }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return file_.path(); }

private:
    void append(std::string_view rows) {
        if (format_ == Format::json && !any_row_)
            rows.remove_prefix(1); // the comma before the first row
        file_.append(rows, format_ == Format::json ? json_closing : std::string_view());
        any_row_ = true;
    }

    // Of rows that do not fit as a whole: the first half, or what fits of it, then the same with the rest.
    void append_what_fits(std::string_view rows) {
        constexpr std::size_t smallest_piece_bytes = 1024;
        while (rows.size() > smallest_piece_bytes) {
            const std::size_t middle = row_end(rows, rows.size() / 2);
            if (middle == 0)
                return;
            const std::string_view first = rows.substr(0, middle);
            try {
                append(first);
                rows.remove_prefix(middle);
            } catch (const RunError&) {
                rows = first;
            }
        }
    }

    // Where the last row ends that is whole within so many bytes; 0: none is.
    [[nodiscard]] std::size_t row_end(std::string_view rows, std::size_t within) const {
        const std::size_t found = format_ == Format::json ? rows.rfind(",\n", within) : rows.rfind('\n', within);
        if (found == std::string_view::npos)
            return 0;
        return format_ == Format::json ? found : found + 1;
    }

    void format(std::span<const Sample> samples) {
        const std::size_t needed = used_ + samples.size() * row_bytes_;
        if (buffer_.size() < needed)
            buffer_.resize(needed);
        char* at = buffer_.data() + used_;
        char* const end = buffer_.data() + buffer_.size();
        const auto put = [&](const std::string& text) {
            std::memcpy(at, text.data(), text.size());
            at += text.size();
        };
        for (const Sample& sample : samples) {
            put(texts_.before_time);
            at = std::to_chars(at, end, sample.timestamp_ns).ptr;
            put(texts_.before_id);
            at = std::to_chars(at, end, sample.message_id).ptr;
            put(texts_.before_latency);
            at = std::to_chars(at, end, sample.latency_ns).ptr;
            put(after_latency_);
        }
        used_ = static_cast<std::size_t>(at - buffer_.data());
    }

    OutputFile file_;
    Format format_;
    SampleColumns columns_;
    RowTexts texts_;
    std::string after_latency_; // to the end of the row
    std::size_t row_bytes_ = 0; // no row is longer
    std::vector<char> buffer_;
    std::size_t used_ = 0;
    bool any_row_ = false;
    bool finished_ = false;
    bool failed_ = false;
    std::chrono::steady_clock::time_point flushed_ = std::chrono::steady_clock::now();
};

} // namespace

struct StreamingWriter::State {
    std::vector<std::unique_ptr<Stream>> streams;
    OnFailure on_failure;

    template <class Action> void with_each(const Action& action) {
        for (const auto& stream : streams) {
            if (stream->failed())
                continue;
            try {
                action(*stream);
            } catch (const RunError& error) {
                stream->give_up();
                on_failure(stream->path(), error.what());
            }
        }
    }
};

StreamingWriter::StreamingWriter(const StreamingOutputs& outputs, OnFailure on_failure)
    : state_(std::make_unique<State>()) {
    state_->on_failure = std::move(on_failure);
    std::vector<std::filesystem::path> taken;
    const auto open = [&](const std::optional<std::filesystem::path>& path, Format format) {
        if (!path)
            return;
        std::error_code ignored;
        const auto place = std::filesystem::weakly_canonical(*path, ignored);
        const bool device = std::filesystem::is_other(place, ignored);
        if (!device && std::find(taken.begin(), taken.end(), place) != taken.end())
            throw UsageError(fmt::format("two streaming outputs go to {}; give each its own file", path->string()));
        taken.push_back(place);
        state_->streams.push_back(std::make_unique<Stream>(*path, format, outputs.columns));
    };
    open(outputs.csv, Format::csv);
    open(outputs.json, Format::json);
    open(outputs.ndjson, Format::ndjson);
}

StreamingWriter::~StreamingWriter() = default;

void StreamingWriter::begin_test(std::size_t result, const ModuleIdentity& module, std::uint64_t message_size_bytes,
                                 Direction direction) {
    state_->with_each([&](Stream& stream) { stream.begin_test(result, module, message_size_bytes, direction); });
}

void StreamingWriter::add(unsigned endpoint, std::span<const Sample> samples) {
    state_->with_each([&](Stream& stream) { stream.add(endpoint, samples); });
}

void StreamingWriter::finish() {
    state_->with_each([](Stream& stream) { stream.finish(); });
}

} // namespace ipcmark
