// SPDX-License-Identifier: Apache-2.0
#include "result/json_text.hpp"

#include "result/valid_utf8.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

#include <fmt/format.h>

namespace ipcmark::result {

namespace json = boost::json;

namespace {

constexpr std::size_t columns = 120;

bool is_plain(const json::value& value) {
    return !value.is_object() && !value.is_array();
}

// A list that is filled into lines: of plain values, or of short lists of plain values.
bool is_flat(const json::array& array) {
    return std::all_of(array.begin(), array.end(), [](const json::value& item) {
        return is_plain(item) || (item.is_array() && item.get_array().size() <= 4 &&
                                  std::all_of(item.get_array().begin(), item.get_array().end(), is_plain));
    });
}

class Printer {
public:
    explicit Printer(std::string& text) : text_(text) {}

    void print(const json::value& value, std::size_t depth) {
        switch (value.kind()) {
        case json::kind::object:
            return print(value.get_object(), depth);
        case json::kind::array:
            return print(value.get_array(), depth);
        case json::kind::double_:
            return print(value.get_double());
        default:
            text_ += json::serialize(value);
        }
    }

private:
    void print(double value) {
        if (!std::isfinite(value)) { // JSON has no such number
            text_ += "null";
            return;
        }
        const std::size_t begin = text_.size();
        fmt::format_to(std::back_inserter(text_), "{}", value);
        if (text_.find_first_of(".en", begin) == std::string::npos)
            text_ += ".0";
    }

    void print(const json::object& object, std::size_t depth) {
        if (object.empty()) {
            text_ += "{}";
            return;
        }
        text_ += '{';
        std::string_view separator;
        for (const auto& [key, value] : object) {
            text_ += separator;
            separator = ",";
            new_line(depth + 1);
            text_ += json::serialize(json::value(key));
            text_ += ": ";
            print(value, depth + 1);
        }
        new_line(depth);
        text_ += '}';
    }

    void print(const json::array& array, std::size_t depth) {
        if (array.empty()) {
            text_ += "[]";
            return;
        }
        if (is_flat(array))
            return fill(array, depth);
        text_ += '[';
        std::string_view separator;
        for (const json::value& item : array) {
            text_ += separator;
            separator = ",";
            new_line(depth + 1);
            print(item, depth + 1);
        }
        new_line(depth);
        text_ += ']';
    }

    void fill(const json::array& array, std::size_t depth) {
        text_ += '[';
        std::string item;
        bool first = true;
        for (const json::value& value : array) {
            item.clear();
            Printer(item).print(value, 0);
            if (!first) {
                text_ += ',';
                if (text_.size() - line_begin() + item.size() + 2 > columns)
                    new_line(depth + 1);
                else
                    text_ += ' ';
            }
            first = false;
            text_ += item;
        }
        text_ += ']';
    }

    std::size_t line_begin() const {
        const std::size_t feed = text_.rfind('\n');
        return feed == std::string::npos ? 0 : feed + 1;
    }

    void new_line(std::size_t depth) {
        text_ += '\n';
        text_.append(2 * depth, ' ');
    }

    std::string& text_;
};

} // namespace

std::string to_text(const json::value& value) {
    std::string text;
    Printer(text).print(value, 0);
    text += '\n';
    return valid_utf8(text);
}

} // namespace ipcmark::result
