// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ipcmark::host {

enum class Arity {
    flag,           // --quiet, also --quiet=false
    request,        // --help: asks for something else than the verb does; has no value
    counter,        // -v -vv
    optional_value, // --output-file, --output-file FILE
    one,            // --duration 5s
    many,           // --size 64 1K, --size 64,1K, --size 64 --size 1K
};

// One option of a verb: the single source of its parsing, its help, the suite files, and the tests of the man page.
struct Option {
    std::string names; // "-s,--size,--message-size"; the first long one is the key in Arguments
    std::string value; // in help: "SIZE"; empty for flags
    Arity arity = Arity::flag;
    std::string group;
    std::string help;
    std::string bare; // optional_value: what stands for a missing value
};

struct Positional {
    std::string name; // "MODULE"
    std::string help;
};

struct Grammar {
    std::string command; // "ipcmark inspect"
    std::string usage;   // what follows it: "MODULE [options]"
    std::string description;
    std::vector<Positional> positionals;
    bool needs_positionals = true; // false: each may be left out
    std::vector<Option> options;
    std::string footer;
};

// What was given. A flag has the value "true" unless another was written.
struct Arguments {
    bool help = false;
    bool version = false;
    std::map<std::string, std::vector<std::string>> values; // by the first long name, without hyphens
    std::vector<std::string> positionals;

    [[nodiscard]] bool has(const std::string& name) const { return values.contains(name); }
    // False where the flag was not given. Throws UsageError where its value is not a boolean.
    [[nodiscard]] bool flag(const std::string& name) const;
    // The values of a `many` option, split at commas; empty where it was not given.
    [[nodiscard]] std::vector<std::string> list(const std::string& name) const;
};

// "size" of "-s,--size,--message-size".
[[nodiscard]] std::string option_key(const Option& option);
// All the long names, without hyphens.
[[nodiscard]] std::vector<std::string> long_names(const Option& option);

// true/false, yes/no, on/off, 1/0. Throws UsageError that begins with the text in quotes.
[[nodiscard]] bool parse_bool(std::string_view text);
// "64, 1K" to {"64", "1K"}; throws UsageError where an item is empty.
[[nodiscard]] std::vector<std::string> split_list(const std::vector<std::string>& texts);

// Throws UsageError of one line: unknown option with the nearest name, missing value, option given twice. After --help
// or --version, where the grammar has it, only that is set and nothing else was checked.
[[nodiscard]] Arguments parse_command_line(const Grammar& grammar, std::span<const std::string> arguments);

// Grouped, wrapped at 80 columns.
[[nodiscard]] std::string help_text(const Grammar& grammar);

// -h/--help, in the group "General"; every grammar has it.
[[nodiscard]] Option help_option();
// -V/--version, in the same group.
[[nodiscard]] Option version_option();

} // namespace ipcmark::host
