// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "fixture_path.hpp"
#include "module/loaded_module.hpp"
#include "module/table_check.hpp"

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>

#include <cerrno>
#include <cstring>

using namespace ipcmark;

namespace {

ModuleFile fixture(const std::string& name) {
    ModuleFile file;
    file.path = fixture_path(name);
    return file;
}

std::string load_failure(const std::string& name) {
    try {
        (void)Module::load(fixture(name));
    } catch (const RunError& error) {
        return error.what();
    }
    return "loaded";
}

std::string option_failure(const Module& module, const std::map<std::string, std::string>& texts) {
    try {
        (void)module.parse_options(texts);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

} // namespace

TEST_CASE("a module of a later minor version loads", "[module]") {
    const auto module = Module::load(fixture("none"));
    CHECK(module->file().id == "fixture");
    CHECK(module->file().version == "1.2.3");
    CHECK(module->file().abi_minor == IPCMARK_ABI_MINOR + 7);
    CHECK(std::strcmp(module->table().result_name, "Fixture") == 0);
    CHECK(module->table().effective_option == nullptr);
    CHECK(module->has(IPCMARK_CAP_ORDERED));
    CHECK_FALSE(module->has(IPCMARK_CAP_BOUNDARIES));
    CHECK(module->extension("ipcmark.batch/1") != nullptr);
    CHECK(module->extension("ipcmark.pollfd/1") == nullptr);
    const ModuleIdentity identity = module->identity();
    CHECK(identity.capabilities == std::vector<std::string>{"ordered", "reliable"});
    CHECK(identity.path == fixture_path("none").string());
    // Its options are longer than ours: the stride is theirs.
    REQUIRE(module->options().size() == 7);
    CHECK(std::strcmp(module->options()[6].name, "name") == 0);
}

TEST_CASE("an extension that cannot be called is a fault of its module", "[module]") {
    for (const Checking checking : {Checking::none, Checking::contract}) {
        CHECK(Module::load(fixture("none"), checking)->extension(IPCMARK_EXT_BATCH) != nullptr);
        const auto module = Module::load(fixture("short-extension"), checking);
        CHECK_THROWS_WITH(
            module->extension(IPCMARK_EXT_BATCH),
            "module 'fixture' has a table of ipcmark.batch/1 of 8 bytes, version 1 has 24: a fault of the module");
    }
    ipcmark_ext_pollfd pollfd{};
    pollfd.size = sizeof pollfd;
    CHECK(fault_of_extension(IPCMARK_EXT_POLLFD, &pollfd) == "has no function get_fd in its table of ipcmark.pollfd/1");
    ipcmark_ext_batch batch{};
    batch.size = sizeof batch;
    CHECK(fault_of_extension(IPCMARK_EXT_BATCH, &batch) == "has a max_batch of 0 in its table of ipcmark.batch/1");
    CHECK_FALSE(fault_of_extension("of.somebody.else/1", &batch));
    CHECK_FALSE(fault_of_extension(IPCMARK_EXT_LOAN, nullptr));
}

TEST_CASE("a module with a fault is refused, with its file and the fault", "[module]") {
    const std::vector<std::pair<std::string, std::string>> faults{
        {"no-entry", "does not export ipcmark_module_entry"},
        {"wrong-major", "is built for version 2 of the module ABI, this host has version 1"},
        {"short-descriptor", "has a descriptor of 64 bytes"},
        {"no-send", "has no function send in its table"},
        {"bad-result-name", "has the result_name 'Not one word'"},
        {"bad-default", "'kind' that has a default that is not allowed: 'fourth' is none of first, second, third"},
        {"two-options-of-one-name", "has two options of the name 'flag'"},
        {"changes-its-id", "changes its identity when it is loaded"},
        {"undefined-symbol", "cannot be loaded: "},
        {"there-is-no-such-file", "cannot be opened: No such file or directory"},
    };
    for (const auto& [name, fault] : faults) {
        const std::string failure = load_failure(name);
        INFO(failure);
        CHECK(failure.find(fixture_path(name).string()) != std::string::npos);
        CHECK(failure.find(fault) != std::string::npos);
        CHECK(failure.find('\n') == std::string::npos);
    }
    CHECK(load_failure("undefined-symbol").find("nobody_defines_this") != std::string::npos);
}

TEST_CASE("a file that was replaced since it was found is refused", "[module]") {
    ModuleFile file = fixture("none");
    file.id = "fixture";
    file.version = "1.0.0";
    CHECK_THROWS_AS(Module::load(file), RunError);
}

TEST_CASE("options are typed, and default where they are not given", "[module]") {
    const auto module = Module::load(fixture("none"));
    const OptionValues defaults = module->parse_options({});
    REQUIRE(defaults.values().size() == 7);
    CHECK(defaults.values()[0].as.boolean == 1);
    CHECK(defaults.values()[1].as.i64 == -1);
    CHECK(defaults.values()[2].as.u64 == 10);
    CHECK(defaults.values()[3].as.u64 == 65'536);
    CHECK(defaults.values()[4].as.u64 == 20'000);
    CHECK(defaults.values()[5].as.u64 == 1);
    CHECK(std::strcmp(defaults.values()[6].as.string, "") == 0);
    for (const ipcmark_value& value : defaults.values())
        CHECK(value.is_set == 0);

    OptionValues given = module->parse_options({{"flag", "off"},
                                                {"level", "-5"},
                                                {"depth", "1000"},
                                                {"buffer", "1MiB"},
                                                {"pause", "2ms"},
                                                {"kind", "third"},
                                                {"name", "a b"}});
    const OptionValues moved = std::move(given); // the texts keep their places
    CHECK(moved.values()[0].as.boolean == 0);
    CHECK(moved.values()[5].as.u64 == 2);
    CHECK(moved.values()[5].is_set == 1);
    CHECK(std::strcmp(moved.values()[6].as.string, "a b") == 0);
    const std::vector<std::string> texts{"false", "-5", "1000", "1MiB", "2ms", "third", "a b"};
    for (std::uint32_t index = 0; index < texts.size(); ++index)
        CHECK(module->option_text(index, moved.values()[index]) == texts[index]);

    ipcmark_value other_type{};
    other_type.type = IPCMARK_TYPE_U64;
    CHECK_THROWS_AS(module->option_text(6, other_type), RunError);
}

TEST_CASE("a bad option names the module, the option, the value and what is allowed", "[module]") {
    const auto module = Module::load(fixture("none"));
    CHECK(option_failure(*module, {{"dept", "1"}}) == "module fixture has no option 'dept'; did you mean 'depth'? "
                                                      "('ipcmark inspect fixture' shows what it has)");
    CHECK(option_failure(*module, {{"kind", "secnd"}}) ==
          "option 'kind' of module fixture: 'secnd' is none of first, second, third; did you mean 'second'?");
    CHECK(option_failure(*module, {{"depth", "0"}}) ==
          "option 'depth' of module fixture: '0' is below the minimum of 1 (allowed: 1 to 1000)");
    CHECK(option_failure(*module, {{"level", "6"}}) ==
          "option 'level' of module fixture: '6' is above the maximum of 5 (allowed: -5 to 5)");
    CHECK(option_failure(*module, {{"buffer", "2M"}}) ==
          "option 'buffer' of module fixture: '2M' is above the maximum of 1MiB (allowed: 1KiB to 1MiB)");
    for (const auto& [name, text] :
         std::vector<std::pair<std::string, std::string>>{{"flag", "maybe"},
                                                          {"flag", ""},
                                                          {"level", "1x"},
                                                          {"level", "99999999999999999999"},
                                                          {"level", ""},
                                                          {"depth", "-1"},
                                                          {"depth", "many"},
                                                          {"buffer", "64KB"},
                                                          {"pause", "-1s"},
                                                          {"pause", "soon"},
                                                          {"kind", ""},
                                                          {"name", std::string("a\0b", 3)}}) {
        const std::string failure = option_failure(*module, {{name, text}});
        INFO(failure);
        CHECK(failure.starts_with("option '" + name + "' of module fixture: "));
    }
}

TEST_CASE("a failed call becomes a message with what the module said", "[module]") {
    const auto module = Module::load(fixture("none"));
    CHECK_NOTHROW(module->check(IPCMARK_OK, nullptr, "listen"));
    try {
        module->check(IPCMARK_SYSTEM, nullptr, "send on endpoint 3");
        FAIL("no exception");
    } catch (const ModuleFailure& failure) {
        CHECK(std::string(failure.what()) == "module fixture: send on endpoint 3: system: the fixture has no room");
        CHECK(failure.status() == IPCMARK_SYSTEM);
        CHECK(failure.system_errno() == ENOSPC);
    }
    // last_error speaks of another failure: nothing is made of it.
    CHECK_THROWS_WITH(module->check(IPCMARK_PEER_GONE, nullptr, "recv"), "module fixture: recv: peer_gone");
    CHECK_THROWS_WITH(module->check(99, nullptr, "recv"),
                      "module fixture: recv: status 99, which is no status of the ABI: a fault of the module");
    CHECK(status_name(IPCMARK_INTERNAL) == "internal");
    CHECK(status_name(-1) == "status -1");
}
