// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace ipcmark {

struct Sample {
    std::uint64_t timestamp_ns; // since the Unix epoch, when the latency began: when it was sent, or due
    std::uint64_t message_id;   // the sequence number, from 0, in the order of one endpoint
    std::uint64_t latency_ns;
};

// Writes each sample to the streaming outputs while the run is under way. Files are written as NAME.partial and renamed
// by finish(); a writer that is destroyed unfinished leaves the .partial, which is then a well-formed document up to
// the last test. An output that cannot be written any more, most often for a full disk, ends alone: its .partial keeps
// the rows that fit, the others go on.
class StreamingWriter {
public:
    // The output as the user named it, and one line for them.
    using OnFailure = std::function<void(const std::filesystem::path&, const std::string& reason)>;

    // Opens all the outputs; throws UsageError naming the path and the reason.
    StreamingWriter(const StreamingOutputs& outputs, OnFailure on_failure);
    ~StreamingWriter();
    // `result`: the index that the test's result will have in the document. `module`: its CSV rows have the name for
    // people, as the predecessor's have, the others the result name.
    void begin_test(std::size_t result, const ModuleIdentity& module, std::uint64_t message_size_bytes,
                    Direction direction);
    void add(unsigned endpoint, std::span<const Sample> samples);
    void finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace ipcmark
