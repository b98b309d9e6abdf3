// SPDX-License-Identifier: Apache-2.0
#include "module/table_check.hpp"

#include "module/option_text.hpp"

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>
#include <ipcmark/run.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <set>
#include <string_view>

#include <fmt/format.h>

namespace ipcmark {
namespace {

struct NamedFunction {
    const char* name;
    bool present;
};

std::optional<std::string> first_missing(const std::string& where, std::initializer_list<NamedFunction> functions) {
    for (const NamedFunction& function : functions)
        if (!function.present)
            return fmt::format("has no function {} in {}", function.name, where);
    return {};
}

bool is_letter_or_digit(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
}

bool is_option_name(std::string_view name) {
    return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
           std::all_of(name.begin(), name.end(), [](char letter) {
               return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '-';
           });
}

std::optional<std::string> fault_of_choices(const ipcmark_option& option) {
    if (option.type != IPCMARK_TYPE_ENUM)
        return {};
    if (option.choices == nullptr || option.choice_count == 0)
        return "has no choices";
    std::set<std::string_view> names;
    for (const ipcmark_choice& choice : std::span(option.choices, option.choice_count))
        if (choice.name == nullptr || *choice.name == '\0' || !names.insert(choice.name).second)
            return "has a choice without a name of its own";
    return {};
}

std::optional<std::string> fault_of_option(const ipcmark_option& option) {
    if (option.type < IPCMARK_TYPE_BOOL || option.type > IPCMARK_TYPE_STRING)
        return fmt::format("has the type {}, which the ABI does not know", option.type);
    if (option.default_text == nullptr)
        return "has no default";
    if (const auto fault = fault_of_choices(option))
        return fault;
    const bool is_signed = option.type == IPCMARK_TYPE_I64;
    if (is_signed ? option.minimum > option.maximum
                  : static_cast<std::uint64_t>(option.minimum) > static_cast<std::uint64_t>(option.maximum))
        return "has a minimum above its maximum";
    try {
        std::string text;
        (void)parse_option_text(option, option.default_text, text);
    } catch (const UsageError& error) {
        return fmt::format("has a default that is not allowed: {}", error.what());
    }
    return {};
}

} // namespace

std::optional<std::string> fault_of_table(const ipcmark_descriptor& table) {
    struct Text {
        const char* name;
        const char* value;
    };
    for (const Text& text : {Text{"display_name", table.display_name}, Text{"result_name", table.result_name},
                             Text{"description", table.description}, Text{"licence", table.licence}})
        if (text.value == nullptr || *text.value == '\0')
            return fmt::format("has no {} in its table", text.name);
    const std::string_view result_name = table.result_name;
    if (!std::all_of(result_name.begin(), result_name.end(), is_letter_or_digit))
        return fmt::format("has the result_name '{}': only letters and digits are allowed", result_name);

    return first_missing("its table", {{"limits", table.limits != nullptr},
                                       {"listen", table.listen != nullptr},
                                       {"listener_address", table.listener_address != nullptr},
                                       {"accept", table.accept != nullptr},
                                       {"connect", table.connect != nullptr},
                                       {"close_listener", table.close_listener != nullptr},
                                       {"close", table.close != nullptr},
                                       {"send", table.send != nullptr},
                                       {"recv", table.recv != nullptr},
                                       {"interrupt", table.interrupt != nullptr},
                                       {"interrupt_listener", table.interrupt_listener != nullptr},
                                       {"last_error", table.last_error != nullptr}});
}

std::optional<std::string> fault_of_options(std::span<const ipcmark_option> options) {
    std::set<std::string_view> names;
    for (const ipcmark_option& option : options) {
        if (option.name == nullptr || !is_option_name(option.name))
            return "has an option with a malformed name: lower-case letters, digits and hyphens are allowed";
        if (!names.insert(option.name).second)
            return fmt::format("has two options of the name '{}'", option.name);
        if (const auto fault = fault_of_option(option))
            return fmt::format("has an option '{}' that {}", option.name, *fault);
    }
    return {};
}

namespace {

std::string table_of(std::string_view id) {
    return fmt::format("its table of {}", id);
}

// The table in a copy, where it is as large as version 1 has it.
template <class Table, class Missing>
std::optional<std::string> fault_of(std::string_view id, const void* given, Missing missing) {
    std::uint32_t size = 0;
    std::memcpy(&size, given, sizeof size);
    if (size < sizeof(Table))
        return fmt::format("has a table of {} of {} bytes, version 1 has {}", id, size, sizeof(Table));
    Table table;
    std::memcpy(&table, given, sizeof table);
    return missing(table);
}

} // namespace

std::optional<std::string> fault_of_extension(std::string_view id, const void* table) {
    if (table == nullptr)
        return {};
    if (id == IPCMARK_EXT_POLLFD)
        return fault_of<ipcmark_ext_pollfd>(id, table, [&](const ipcmark_ext_pollfd& t) {
            return first_missing(table_of(id), {{"get_fd", t.get_fd != nullptr},
                                                {"try_send", t.try_send != nullptr},
                                                {"try_recv", t.try_recv != nullptr},
                                                {"arm", t.arm != nullptr}});
        });
    if (id == IPCMARK_EXT_LOAN)
        return fault_of<ipcmark_ext_loan>(id, table, [&](const ipcmark_ext_loan& t) {
            return first_missing(table_of(id), {{"loan", t.loan != nullptr},
                                                {"commit", t.commit != nullptr},
                                                {"discard", t.discard != nullptr},
                                                {"take", t.take != nullptr},
                                                {"release", t.release != nullptr}});
        });
    if (id == IPCMARK_EXT_BATCH)
        return fault_of<ipcmark_ext_batch>(id, table, [&](const ipcmark_ext_batch& t) -> std::optional<std::string> {
            if (t.max_batch == 0)
                return "has a max_batch of 0 in " + table_of(id);
            return first_missing(table_of(id),
                                 {{"send_batch", t.send_batch != nullptr}, {"recv_batch", t.recv_batch != nullptr}});
        });
    return {};
}

} // namespace ipcmark
