// SPDX-License-Identifier: Apache-2.0
#include "host/suite_file.hpp"

#include "host/run_options.hpp"
#include "module/nearest_name.hpp"
#include "run/unique_fd.hpp"

#include <ipcmark/run.hpp>
#include <ipcmark/units.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <sstream>
#include <string_view>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <yaml-cpp/yaml.h>

namespace ipcmark::host {

namespace {

constexpr const char* tests_key = "tests";
constexpr std::uint64_t longest_suite = std::uint64_t{64} << 20; // /dev/zero has no end

struct Place {
    std::string file;
    bool in_test = false;

    [[nodiscard]] std::string at(const YAML::Node& node) const {
        return fmt::format("{}:{}", file, node.Mark().line + 1);
    }
};

[[noreturn]] void refuse_key(const std::string& where, const std::string& key, bool in_test) {
    std::vector<std::string> names;
    for (const auto& option : run_options())
        if (option.scope == OptionScope::test || (option.scope == OptionScope::run && !in_test))
            for (const auto& name : long_names(option.option))
                names.push_back(name);
    if (!in_test)
        names.emplace_back(tests_key);
    auto hint = did_you_mean(key, names);
    if (hint.empty())
        hint = "; the keys are the long names of the options of 'ipcmark run'";
    throw UsageError(fmt::format("{}: unknown key '{}'{}", where, key, hint));
}

// Applies one key; remembers it in `seen`, under the option's first name.
void apply(const std::string& where, const std::string& key, std::vector<std::string> values, bool in_test,
           std::set<std::string>& seen, RunSettings& settings) {
    const auto* option = find_run_option(key);
    if (option == nullptr || option->scope == OptionScope::invocation)
        refuse_key(where, key, in_test);
    if (in_test && option->scope == OptionScope::run)
        throw UsageError(fmt::format("{}: '{}' is about the whole run; write it at the top of the file", where, key));
    if (!seen.insert(option_key(option->option)).second)
        throw UsageError(fmt::format("{}: '{}' is given twice", where, key));
    if (values.empty() && option->option.arity == Arity::optional_value)
        values.push_back(option->option.bare);
    if (values.empty())
        throw UsageError(fmt::format("{}: '{}' needs a value", where, key));
    if (values.size() > 1 && option->option.arity != Arity::many)
        throw UsageError(fmt::format("{}: '{}' takes one value, not a list", where, key));
    try {
        option->set(settings, values);
    } catch (const UsageError& error) {
        throw UsageError(fmt::format("{}: {} {}", where, key, error.what()));
    }
}

std::string scalar(const std::string& where, const std::string& key, const YAML::Node& node) {
    if (!node.IsScalar())
        throw UsageError(fmt::format("{}: the values of '{}' must be plain text or numbers", where, key));
    return node.Scalar();
}

// {type: seqpacket, tcp: {nodelay: false}} to type=seqpacket, tcp.nodelay=false
void flatten(const std::string& where, const std::string& key, const std::string& prefix, const YAML::Node& node,
             std::vector<std::string>& values) {
    std::set<std::string> seen;
    for (const auto& entry : node) {
        const auto name = prefix + scalar(where, key, entry.first);
        if (!seen.insert(name).second)
            throw UsageError(fmt::format("{}: '{}' is given twice in '{}'", where, name, key));
        if (entry.second.IsMap() && prefix.empty())
            flatten(where, key, name + ".", entry.second, values);
        else
            values.push_back(name + "=" + scalar(where, key, entry.second));
    }
}

std::vector<std::string> values_of(const std::string& where, const std::string& key, const YAML::Node& node) {
    std::vector<std::string> values;
    if (node.IsScalar()) {
        values.push_back(node.Scalar());
    } else if (node.IsSequence()) {
        for (const auto& item : node)
            values.push_back(scalar(where, key, item));
        if (values.empty())
            throw UsageError(fmt::format("{}: the list of '{}' is empty", where, key));
    } else if (node.IsMap()) {
        const auto* option = find_run_option(key);
        if (option == nullptr || option_key(option->option) != "module-option")
            throw UsageError(fmt::format("{}: '{}' takes {}, not a mapping", where, key,
                                         option == nullptr ? "no value" : "a value or a list"));
        flatten(where, key, "", node, values);
    }
    return values;
}

RunSettings read_mapping(const Place& place, const YAML::Node& node) {
    if (!node.IsMap())
        throw UsageError(fmt::format("{}: expected 'key: value' lines here", place.at(node)));
    RunSettings settings;
    std::set<std::string> seen;
    for (const auto& entry : node) {
        const auto where = place.at(entry.first);
        const auto key = scalar(where, "key", entry.first);
        if (key == tests_key && !place.in_test) {
            if (!seen.insert(key).second)
                throw UsageError(fmt::format("{}: '{}' is given twice; write all tests in one list", where, key));
            continue;
        }
        if (find_run_option(key) == nullptr)
            refuse_key(where, key, place.in_test);
        apply(where, key, values_of(where, key, entry.second), place.in_test, seen, settings);
    }
    return settings;
}

Suite read_yaml(const std::string& file, std::istream& text) {
    std::vector<YAML::Node> documents;
    try {
        documents = YAML::LoadAll(text);
    } catch (const YAML::Exception& error) {
        throw UsageError(fmt::format("{}:{}: {}", file, error.mark.line + 1, error.msg));
    }
    if (documents.size() > 1)
        throw UsageError(fmt::format("{}:{}: a second document begins here, and a suite is one: take out the '---' or "
                                     "'...' before it, or write two files",
                                     file, documents[1].Mark().line + 1));
    if (documents.empty() || documents.front().IsNull())
        throw UsageError(fmt::format("{}: the file is empty", file));
    const YAML::Node& root = documents.front();
    Suite suite;
    suite.top = read_mapping({file, false}, root);
    if (const auto tests = root[tests_key]; tests.IsDefined()) {
        if (!tests.IsSequence() || tests.size() == 0)
            throw UsageError(
                fmt::format("{}:{}: 'tests' must be a list of at least one test", file, tests.Mark().line + 1));
        const Place place{file, true};
        for (const auto& test : tests)
            suite.tests.push_back({read_mapping(place, test).test, place.at(test)});
    } else {
        suite.tests.push_back({{}, file});
    }
    return suite;
}

Suite read_toml(const std::string& file, std::istream& text) {
    Suite suite;
    suite.tests.push_back({{}, file});
    std::set<std::string> seen;
    try {
        for (const auto& item : CLI::ConfigTOML().from_config(text)) {
            if (!item.parents.empty())
                throw UsageError(fmt::format("{}: tables such as [{}] are not supported; write suites in YAML", file,
                                             item.parents.front()));
            apply(file, item.name, item.inputs, false, seen, suite.top);
        }
    } catch (const CLI::Error& error) {
        throw UsageError(fmt::format("{}: {}", file, error.what()));
    }
    return suite;
}

// The text of a whole file, read here: a stream throws for what the system does not read. A device has no end, and a
// program or a picture would be told of by a parser that does not know what it is reading.
std::string text_of(const std::filesystem::path& file) {
    const UniqueFd descriptor(open(file.c_str(), O_RDONLY | O_CLOEXEC));
    std::string text;
    std::array<char, 65536> piece;
    ssize_t got = descriptor ? 1 : -1;
    while (got > 0 && (got = read(descriptor.get(), piece.data(), piece.size())) > 0) {
        const std::string_view more(piece.data(), static_cast<std::size_t>(got));
        text += more;
        if (more.find('\0') != std::string_view::npos)
            throw UsageError(fmt::format("{} is no suite file: it is not text", file.string()));
        if (text.size() > longest_suite)
            throw UsageError(fmt::format("{} is no suite file: it is larger than {}", file.string(),
                                         format_size_bytes(longest_suite)));
    }
    if (got < 0)
        throw UsageError(fmt::format("cannot read the suite file '{}': {}", file.string(), std::strerror(errno)));
    return text;
}

} // namespace

Suite read_suite(const std::filesystem::path& file) {
    std::error_code ignored;
    if (std::filesystem::is_directory(file, ignored))
        throw UsageError(fmt::format("cannot read the suite file '{}': it is a folder", file.string()));
    std::istringstream text(text_of(file));
    return file.extension() == ".toml" ? read_toml(file.string(), text) : read_yaml(file.string(), text);
}

} // namespace ipcmark::host
