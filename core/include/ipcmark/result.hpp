// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/export.hpp>

#include <string>

namespace ipcmark {

enum class Schema {
    ipcmark,     // everything
    rusty_comms, // just the subset that the published Arcaflow plugin of rusty-comms accepts
};

// The result document as JSON text, indented, ending in a line feed.
[[nodiscard]] IPCMARK_API std::string to_json(const ResultDocument& document, Schema schema = Schema::ipcmark);

// The JSON Schema (draft 2020-12) of what to_json writes.
[[nodiscard]] IPCMARK_API std::string json_schema(Schema schema = Schema::ipcmark);

// One line for each test and direction, with a line of headings: for spreadsheets.
[[nodiscard]] IPCMARK_API std::string to_csv(const ResultDocument& document);

// The latencies of one result in HdrHistogram's log format (V2 compressed, base64), one line an interval; readable by
// every HdrHistogram library.
[[nodiscard]] IPCMARK_API std::string to_hdr_log(const ResultDocument& document);

} // namespace ipcmark
