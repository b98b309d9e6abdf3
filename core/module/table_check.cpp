// SPDX-License-Identifier: Apache-2.0
#include "module/table_check.hpp"

#include "module/option_text.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <set>
#include <string_view>

#include <fmt/format.h>

namespace ipcmark {
namespace {

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

    struct Function {
        const char* name;
        bool present;
    };
    for (const Function& function :
         {Function{"limits", table.limits != nullptr}, Function{"listen", table.listen != nullptr},
          Function{"listener_address", table.listener_address != nullptr}, Function{"accept", table.accept != nullptr},
          Function{"connect", table.connect != nullptr}, Function{"close_listener", table.close_listener != nullptr},
          Function{"close", table.close != nullptr}, Function{"send", table.send != nullptr},
          Function{"recv", table.recv != nullptr}, Function{"interrupt", table.interrupt != nullptr},
          Function{"interrupt_listener", table.interrupt_listener != nullptr},
          Function{"last_error", table.last_error != nullptr}})
        if (!function.present)
            return fmt::format("has no function {} in its table", function.name);
    return {};
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

} // namespace ipcmark
