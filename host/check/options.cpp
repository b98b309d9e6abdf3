// SPDX-License-Identifier: Apache-2.0
// The option table and the values that the host makes of it.
#include "host/check/peer.hpp"
#include "host/check/raw_module.hpp"
#include "module/option_text.hpp"
#include "module/table_check.hpp"

#include <array>
#include <climits>
#include <cstring>
#include <set>

#include <fmt/format.h>

namespace ipcmark::check {
namespace {

void table(Context& context) {
    std::set<std::string> names;
    for (const auto& option : raw_options(context.subject().path)) {
        require(option.name != nullptr && *option.name != '\0', "an option has no name");
        require(names.insert(option.name).second, fmt::format("two options have the name '{}'", option.name));
        require(option.type >= IPCMARK_TYPE_BOOL && option.type <= IPCMARK_TYPE_STRING,
                fmt::format("option '{}' has the unknown type {}", option.name, option.type));
        require(option.type != IPCMARK_TYPE_ENUM || (option.choices != nullptr && option.choice_count > 0),
                fmt::format("option '{}' is an enum without choices", option.name));
        require(option.default_text != nullptr, fmt::format("option '{}' has no default", option.name));
        require(option.help != nullptr && *option.help != '\0',
                fmt::format("option '{}' has no help: nobody will know what it does", option.name));
    }
}

void defaults(Context& context) {
    for (const auto& option : raw_options(context.subject().path)) {
        if (const auto fault = fault_of_options(std::span(&option, 1))) {
            fail(fmt::format("the module {}", *fault));
        }
    }
    const auto listener = context.listen();
    (void)context.address(listener);
}

bool is_numeric(std::uint32_t type) {
    return type >= IPCMARK_TYPE_I64 && type <= IPCMARK_TYPE_DURATION;
}

// Listens with these values; any status is right, but a failure has to say what is wrong.
void listen_with(Context& context, const std::vector<ipcmark_value>& values, const std::string& what) {
    auto params = context.listen_params(1, 64);
    params.values = values.data();
    params.value_count = static_cast<std::uint32_t>(values.size());
    ListenerHandle listener;
    Sandbox::step("listen with " + what);
    const auto status = context.try_listen(params, listener);
    if (status != IPCMARK_OK) {
        ipcmark_error error{};
        error.size = sizeof error;
        context.table().last_error(nullptr, &error);
        require(error.text[0] != '\0',
                fmt::format("listen with {} fails with {} and no text", what, status_name(status)));
    }
}

void bounds(Context& context) {
    const auto options = context.module().options();
    const std::vector<ipcmark_value> usual(context.values().begin(), context.values().end());
    for (std::size_t i = 0; i < options.size(); ++i) {
        const auto& option = options[i];
        auto values = usual;
        if (option.type == IPCMARK_TYPE_ENUM) {
            for (std::uint64_t choice = 0; choice < option.choice_count; ++choice) {
                values[i].as.u64 = choice;
                listen_with(context, values, fmt::format("{}={}", option.name, option.choices[choice].name));
            }
        } else if (is_numeric(option.type) && (option.minimum != 0 || option.maximum != 0)) {
            for (const auto bound : {option.minimum, option.maximum}) {
                values[i].as.i64 = bound;
                listen_with(context, values, fmt::format("{} at its bound {}", option.name, bound));
            }
        } else if (option.type == IPCMARK_TYPE_BOOL) {
            for (const int value : {0, 1}) {
                values[i].as.boolean = value;
                listen_with(context, values, fmt::format("{}={}", option.name, value));
            }
        }
    }
}

void bad_values(Context& context) {
    const auto options = context.module().options();
    const std::vector<ipcmark_value> usual(context.values().begin(), context.values().end());
    for (std::size_t i = 0; i < options.size(); ++i) {
        const auto& option = options[i];
        auto values = usual;
        if (option.type == IPCMARK_TYPE_ENUM) {
            for (const std::uint64_t choice : {std::uint64_t{option.choice_count}, UINT64_MAX}) {
                values[i].as.u64 = choice;
                listen_with(context, values, fmt::format("choice {} of {}", choice, option.name));
            }
        } else if (is_numeric(option.type)) {
            for (const auto value : {INT64_MIN, std::int64_t{-1}, INT64_MAX}) {
                values[i].as.i64 = value;
                listen_with(context, values, fmt::format("{} = {}", option.name, value));
            }
        } else if (option.type == IPCMARK_TYPE_STRING) {
            const std::string endless(100'000, 'x');
            for (const char* text : {endless.c_str(), "\xff\xfe", "../../..", "%s%n"}) {
                values[i].as.string = text;
                listen_with(context, values, fmt::format("an odd text for {}", option.name));
            }
        }
    }
}

void effective_peer(Context& context, Channel& channel) {
    Joined joined(context, channel);
    joined.finish();
}

void effective(Context& context) {
    const auto get = context.table().effective_option;
    if (get == nullptr) {
        skip("the module has no effective_option");
    }
    Link link(context, fitted(context, {}));
    const auto options = context.module().options();
    for (std::uint32_t i = 0; i < options.size(); ++i) {
        ipcmark_value value{};
        const auto status = get(link.wire.get(), i, &value);
        Context::in_set(status, "effective_option");
        if (status == IPCMARK_UNSUPPORTED) {
            continue; // it cannot tell
        }
        const auto* name = options[i].name;
        context.expect(status, IPCMARK_OK, link.wire.get(), fmt::format("effective_option of '{}'", name));
        require(value.type == options[i].type,
                fmt::format("effective_option of '{}' gives a value of type {}, the option has type {}", name,
                            value.type, options[i].type));
        require(value.type != IPCMARK_TYPE_STRING || value.as.string != nullptr,
                fmt::format("effective_option of '{}' gives a null string", name));
        require(value.type != IPCMARK_TYPE_ENUM || value.as.u64 < options[i].choice_count,
                fmt::format("effective_option of '{}' gives a choice that there is not", name));
        (void)context.module().option_text(i, value);
    }
    ipcmark_value beyond{};
    const auto status = get(link.wire.get(), static_cast<std::uint32_t>(options.size()) + 7, &beyond);
    Context::in_set(status, "effective_option");
    require(status != IPCMARK_OK, "effective_option of an option that there is not returns ok");
    link.finish();
}

constexpr std::array tests{
    Test{.id = "options.table",
         .proves =
             "Every option has a name of its own, a type, a default and a help text, for the host shows and parses "
             "them by this table alone.",
         .run = table,
         .peers = Peers::none},
    Test{.id = "options.defaults",
         .proves = "The defaults are allowed by the table's own bounds, and the module listens with them.",
         .run = defaults,
         .peers = Peers::none},
    Test{.id = "options.bounds",
         .proves = "At each bound and with each choice the module listens, or says in a text why it cannot.",
         .run = bounds,
         .peers = Peers::none},
    Test{.id = "options.bad_values",
         .proves = "A value that no host should pass does no harm: a status, not a crash.",
         .run = bad_values,
         .peers = Peers::none},
    Test{.id = "options.effective",
         .proves =
             "What an endpoint says its options really are has the type of the table, for it goes into the results.",
         .run = effective,
         .peer = effective_peer},
};

} // namespace

std::span<const Test> options_tests() {
    return tests;
}

} // namespace ipcmark::check
