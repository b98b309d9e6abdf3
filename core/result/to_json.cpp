// SPDX-License-Identifier: Apache-2.0
#include "result/json_text.hpp"
#include "result/tables.hpp"

#include <ipcmark/result.hpp>

namespace ipcmark {

using namespace result;

std::string to_json(const ResultDocument& document, Schema schema) {
    return to_text(Codec<DocumentView>::write({&document, summarize(document)}, schema));
}

std::string json_schema(Schema schema) {
    Definitions definitions{schema, {}};
    json::object root{{"$schema", "https://json-schema.org/draft/2020-12/schema"},
                      {"title", schema == Schema::ipcmark
                                    ? "The result document of ipcmark"
                                    : "The result document of ipcmark, reduced to the fields of rusty-comms"}};
    for (auto& [key, value] : Codec<DocumentView>::describe(definitions))
        root[key] = value;
    root["$defs"] = std::move(definitions.types);
    return to_text(root);
}

} // namespace ipcmark
