// SPDX-License-Identifier: Apache-2.0
#include "module/describe_text.hpp"

#include "module/any_bytes.hpp"

#include <boost/json.hpp>

namespace ipcmark {
namespace {

namespace json = boost::json;

json::array to_array(const std::vector<std::string>& texts) {
    return json::array(texts.begin(), texts.end());
}

std::string text_at(const json::object& object, std::string_view name) {
    return std::string(object.at(name).as_string());
}

std::vector<std::string> texts_at(const json::object& object, std::string_view name) {
    std::vector<std::string> texts;
    for (const json::value& text : object.at(name).as_array())
        texts.emplace_back(text.as_string());
    return texts;
}

json::object to_object(const OptionInfo& option) {
    json::array choices;
    for (const auto& [name, help] : option.choices)
        choices.push_back(json::array{name, help});
    return {{"name", option.name},       {"type", option.type},       {"default", option.default_text},
            {"minimum", option.minimum}, {"maximum", option.maximum}, {"choices", std::move(choices)},
            {"unit", option.unit},       {"help", option.help}};
}

OptionInfo to_option(const json::object& object) {
    OptionInfo option;
    option.name = text_at(object, "name");
    option.type = text_at(object, "type");
    option.default_text = text_at(object, "default");
    option.minimum = text_at(object, "minimum");
    option.maximum = text_at(object, "maximum");
    for (const json::value& choice : object.at("choices").as_array())
        option.choices.emplace_back(choice.as_array().at(0).as_string(), choice.as_array().at(1).as_string());
    option.unit = text_at(object, "unit");
    option.help = text_at(object, "help");
    return option;
}

} // namespace

std::string description_to_text(const ModuleDescription& description) {
    json::array options;
    for (const OptionInfo& option : description.options)
        options.push_back(to_object(option));
    return json::serialize(json::object{
        {"display_name", description.display_name},
        {"result_name", description.result_name},
        {"description", description.description},
        {"licence", description.licence},
        {"capabilities", to_array(description.capabilities)},
        {"extensions", to_array(description.extensions)},
        {"build_flags", to_array(description.build_flags)},
        {"options", std::move(options)},
        {"max_message_size_bytes", description.max_message_size_bytes},
        {"max_in_flight", description.max_in_flight},
        {"max_endpoints", description.max_endpoints},
        {"limit_reason", description.limit_reason},
    });
}

ModuleDescription description_from_text(std::string_view text) {
    const json::value parsed = json::parse(text, {}, any_bytes());
    const json::object& object = parsed.as_object();
    ModuleDescription description;
    description.display_name = text_at(object, "display_name");
    description.result_name = text_at(object, "result_name");
    description.description = text_at(object, "description");
    description.licence = text_at(object, "licence");
    description.capabilities = texts_at(object, "capabilities");
    description.extensions = texts_at(object, "extensions");
    description.build_flags = texts_at(object, "build_flags");
    for (const json::value& option : object.at("options").as_array())
        description.options.push_back(to_option(option.as_object()));
    description.max_message_size_bytes = object.at("max_message_size_bytes").to_number<std::uint64_t>();
    description.max_in_flight = object.at("max_in_flight").to_number<std::uint64_t>();
    description.max_endpoints = object.at("max_endpoints").to_number<std::uint32_t>();
    description.limit_reason = text_at(object, "limit_reason");
    return description;
}

} // namespace ipcmark
