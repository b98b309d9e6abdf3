// SPDX-License-Identifier: Apache-2.0
#include "host/text_table.hpp"

#include "host/printable.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

// Columns of a UTF-8 text, taking every code point as one.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(std::string_view text, std::size_t width, Align align) {
    const std::string space(width - std::min(width, width_of(text)), ' ');
    return align == Align::left ? std::string(text) + space : space + std::string(text);
}

int decimals_of_three_digits(double value) {
    return value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
}

// Three digits where the number is below 1000.
std::string three_digits(double value) {
    return fmt::format("{:.{}f}", value, decimals_of_three_digits(value));
}

struct Scaled {
    double value;
    const char* unit;
};

Scaled scaled(std::uint64_t bytes) {
    constexpr std::array<const char*, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    return {value, units[unit]};
}

} // namespace

std::string styled(std::string_view text, Style style, Colour colour) {
    if (colour == Colour::none || style == Style::plain)
        return printable(text);
    constexpr std::array<std::string_view, 6> codes{"0", "1", "2", "31", "33", "32"};
    return fmt::format("\033[{}m{}\033[0m", codes[static_cast<std::size_t>(style)], printable(text));
}

void TextTable::add_column(std::string heading, Align align) {
    columns_.push_back({printable(heading), align});
}

void TextTable::add_row(std::vector<Cell> cells) {
    for (Cell& cell : cells)
        cell.text = printable(cell.text);
    rows_.push_back(std::move(cells));
}

std::string TextTable::text(Colour colour) const {
    std::vector<std::size_t> widths;
    for (const Column& column : columns_)
        widths.push_back(width_of(column.heading));
    for (const auto& row : rows_) {
        const bool complete = row.size() == columns_.size();
        for (std::size_t i = 0; i < row.size() - (complete ? 0 : 1); ++i)
            widths[i] = std::max(widths[i], width_of(row[i].text));
    }
    std::string text;
    const auto add_line = [&](const std::vector<Cell>& row) {
        std::string line;
        for (std::size_t i = 0; i < row.size(); ++i) {
            const bool runs_over = i + 1 == row.size() && row.size() < columns_.size();
            const std::string cell = runs_over ? row[i].text : padded(row[i].text, widths[i], columns_[i].align);
            line += (i == 0 ? "" : "  ") + styled(cell, row[i].style, colour);
        }
        const std::size_t end = line.find_last_not_of(' ');
        line.resize(end == std::string::npos ? 0 : end + 1);
        text += line + "\n";
    };
    std::vector<Cell> headings;
    for (const Column& column : columns_)
        headings.push_back({column.heading, Style::bold});
    add_line(headings);
    for (const auto& row : rows_)
        add_line(row);
    return text;
}

std::string human_time(double ns) {
    if (ns < 999.5)
        return fmt::format("{:.0f} ns", ns);
    if (ns < 999.5e3)
        return three_digits(ns / 1e3) + " us";
    if (ns < 999.5e6)
        return three_digits(ns / 1e6) + " ms";
    return three_digits(ns / 1e9) + " s";
}

std::string human_count(double count) {
    if (count > 0 && count < 0.0995) // two digits, wherever they begin
        return fmt::format("{:.{}f}", count, 1 - static_cast<int>(std::floor(std::log10(count))));
    if (count < 999.5)
        return count >= 99.95 || count == std::floor(count) ? fmt::format("{:.0f}", count) : three_digits(count);
    if (count < 999.5e3)
        return three_digits(count / 1e3) + "k";
    if (count < 999.5e6)
        return three_digits(count / 1e6) + "M";
    return three_digits(count / 1e9) + "G";
}

std::string human_size(std::uint64_t bytes) {
    const auto value = scaled(bytes).value;
    const double in_last_digit = value * std::pow(10, decimals_of_three_digits(value));
    return in_last_digit == std::floor(in_last_digit) ? rough_size(bytes) : fmt::format("{} B", bytes);
}

std::string rough_size(std::uint64_t bytes) {
    const auto [value, unit] = scaled(bytes);
    return value == std::floor(value) ? fmt::format("{:.0f} {}", value, unit)
                                      : fmt::format("{} {}", three_digits(value), unit);
}

std::string paragraph(std::string_view head, std::string_view words, Style head_style, Colour colour, Hanging hanging,
                      std::size_t width) {
    std::string text = styled(head, head_style, colour);
    std::size_t column = width_of(head);
    const std::size_t indent = hanging == Hanging::little ? 3 : column;
    std::istringstream stream{std::string(words)};
    for (std::string word; stream >> word;) {
        word = printable(word);
        if (column + 1 + width_of(word) > width && column > indent + 1) {
            text += "\n" + std::string(indent, ' ');
            column = indent;
        }
        text += " " + word;
        column += 1 + width_of(word);
    }
    return text + "\n";
}

} // namespace ipcmark::host
