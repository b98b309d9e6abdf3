// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/result.hpp>

#include <array>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/json.hpp>

// One description of the result document, from which both its text and its JSON Schema are made, so that the two
// cannot drift apart. Every struct of the document has a Table: a list of fields with name, unit, description and a
// function that gets the value. The type that this function returns decides how the value is written and described.
namespace ipcmark::result {

namespace json = boost::json;

enum class In { both, ipcmark }; // the schemas that have a field

// The named types that a JSON Schema refers to, gathered while it is made.
struct Definitions {
    Schema schema;
    json::object types;
};

// How a C++ type is written and described:
//   static json::value write(const T&, Schema);
//   static json::object describe(Definitions&);
template <class T> struct Codec;

template <class T> struct Field {
    std::string_view name;
    std::string_view unit; // "ns", "bytes", "1/s"; empty: none
    std::string_view description;
    In in;
    json::value (*write)(const T&, Schema);
    json::object (*describe)(Definitions&);
};

template <class T, class Get>
constexpr Field<T> make_field(In in, std::string_view name, std::string_view unit, std::string_view description, Get) {
    using Value = std::remove_cvref_t<std::invoke_result_t<Get, const T&>>;
    return {name,
            unit,
            description,
            in,
            [](const T& object, Schema schema) -> json::value { return Codec<Value>::write(Get{}(object), schema); },
            [](Definitions& definitions) { return Codec<Value>::describe(definitions); }};
}

// Specialised for every struct of the document: `static constexpr std::string_view name` and
// `static std::span<const Field<T>> fields()`.
template <class T> struct Table;

template <class T>
concept Described = requires {
    Table<T>::name;
};

// Specialised for every enumeration of the document: `static constexpr std::pair<T, std::string_view> names[]`.
template <class T> struct Names;

template <class T>
concept Named = requires {
    Names<T>::names;
};

inline bool has(Schema schema, In in) {
    return in == In::both || schema == Schema::ipcmark;
}

template <Described T> struct Codec<T> {
    static json::value write(const T& value, Schema schema) {
        json::object object;
        for (const Field<T>& field : Table<T>::fields())
            if (has(schema, field.in))
                object.emplace(field.name, field.write(value, schema));
        return object;
    }
    static json::object describe(Definitions& definitions) {
        const std::string_view name = Table<T>::name;
        if (!definitions.types.contains(name)) {
            definitions.types.emplace(name, nullptr); // keeps its place before the types of its fields
            json::object properties;
            json::array required;
            for (const Field<T>& field : Table<T>::fields()) {
                if (!has(definitions.schema, field.in))
                    continue;
                json::object property = field.describe(definitions);
                property["description"] = field.description;
                if (!field.unit.empty())
                    property["unit"] = field.unit;
                properties.emplace(field.name, std::move(property));
                required.emplace_back(field.name);
            }
            definitions.types[name] = json::object{{"type", "object"},
                                                   {"additionalProperties", false},
                                                   {"required", std::move(required)},
                                                   {"properties", std::move(properties)}};
        }
        return {{"$ref", "#/$defs/" + std::string(name)}};
    }
};

template <Named T> struct Codec<T> {
    static json::value write(const T& value, Schema) {
        for (const auto& [candidate, name] : Names<T>::names)
            if (candidate == value)
                return json::value(name);
        return nullptr;
    }
    static json::object describe(Definitions&) {
        json::array names;
        for (const auto& entry : Names<T>::names)
            names.emplace_back(entry.second);
        return {{"enum", std::move(names)}};
    }
};

template <> struct Codec<bool> {
    static json::value write(bool value, Schema) { return value; }
    static json::object describe(Definitions&) { return {{"type", "boolean"}}; }
};

template <class T>
requires(std::integral<T> && !std::same_as<T, bool>) struct Codec<T> {
    static json::value write(T value, Schema) { return value; }
    static json::object describe(Definitions&) {
        json::object type{{"type", "integer"}};
        if constexpr (std::unsigned_integral<T>)
            type["minimum"] = 0;
        return type;
    }
};

// What is not a finite number has no place in JSON: null, which the schema then refuses.
template <> struct Codec<double> {
    static json::value write(double value, Schema) {
        return std::isfinite(value) ? json::value(value) : json::value(nullptr);
    }
    static json::object describe(Definitions&) { return {{"type", "number"}}; }
};

template <> struct Codec<std::string> {
    static json::value write(const std::string& value, Schema) { return json::value(value); }
    static json::object describe(Definitions&) { return {{"type", "string"}}; }
};

// Always there, null where not set.
template <class T> struct Codec<std::optional<T>> {
    static json::value write(const std::optional<T>& value, Schema schema) {
        return value ? Codec<T>::write(*value, schema) : json::value(nullptr);
    }
    static json::object describe(Definitions& definitions) {
        return {{"anyOf", json::array{Codec<T>::describe(definitions), json::object{{"type", "null"}}}}};
    }
};

template <class T> struct Codec<std::vector<T>> {
    static json::value write(const std::vector<T>& values, Schema schema) {
        json::array array;
        array.reserve(values.size());
        for (const T& value : values)
            array.emplace_back(Codec<T>::write(value, schema));
        return array;
    }
    static json::object describe(Definitions& definitions) {
        return {{"type", "array"}, {"items", Codec<T>::describe(definitions)}};
    }
};

template <class T, std::size_t n> struct Codec<std::array<T, n>> {
    static json::value write(const std::array<T, n>& values, Schema schema) {
        return Codec<std::vector<T>>::write({values.begin(), values.end()}, schema);
    }
    static json::object describe(Definitions& definitions) {
        json::object type = Codec<std::vector<T>>::describe(definitions);
        type["minItems"] = n;
        type["maxItems"] = n;
        return type;
    }
};

// An object with free keys, in the order given.
template <class T> struct Codec<std::vector<std::pair<std::string, T>>> {
    static json::value write(const std::vector<std::pair<std::string, T>>& values, Schema schema) {
        json::object object;
        for (const auto& [key, value] : values)
            object.emplace(key, Codec<T>::write(value, schema));
        return object;
    }
    static json::object describe(Definitions& definitions) {
        return {{"type", "object"}, {"additionalProperties", Codec<T>::describe(definitions)}};
    }
};

// {"secs": 1, "nanos": 500000000}
template <> struct Codec<std::chrono::nanoseconds> {
    static json::value write(std::chrono::nanoseconds value, Schema) {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(value);
        return json::object{{"secs", seconds.count()}, {"nanos", (value - seconds).count()}};
    }
    static json::object describe(Definitions& definitions) {
        if (!definitions.types.contains("Duration"))
            definitions.types["Duration"] =
                json::object{{"type", "object"},
                             {"additionalProperties", false},
                             {"required", json::array{"secs", "nanos"}},
                             {"properties",
                              {{"secs", {{"type", "integer"}, {"minimum", 0}, {"description", "Whole seconds."}}},
                               {"nanos",
                                {{"type", "integer"},
                                 {"minimum", 0},
                                 {"maximum", 999'999'999},
                                 {"description", "Nanoseconds beyond them."}}}}}};
        return {{"$ref", "#/$defs/Duration"}};
    }
};

} // namespace ipcmark::result
