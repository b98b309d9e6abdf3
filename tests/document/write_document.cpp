// SPDX-License-Identifier: Apache-2.0
// Writes the sample document in the form named by the only argument, for the Python tests that read it back.
#include "sample_document.hpp"

#include <ipcmark/result.hpp>

#include <cstdio>
#include <map>
#include <string>

int main(int argc, char** argv) {
    using namespace ipcmark;
    const ResultDocument document = sample::document();
    const std::string form = argc == 2 ? argv[1] : "";
    std::string text;
    if (form == "json")
        text = to_json(document);
    else if (form == "rusty-comms")
        text = to_json(document, Schema::rusty_comms);
    else if (form == "schema")
        text = json_schema();
    else if (form == "schema-rusty-comms")
        text = json_schema(Schema::rusty_comms);
    else if (form == "csv")
        text = to_csv(document);
    else if (form == "hdr-log")
        text = to_hdr_log(document);
    else
        return 2;
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}
