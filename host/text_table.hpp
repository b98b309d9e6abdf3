// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/console_table.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Pieces of console output. The texts that are put in may be strangers': they come out as printable() shows them.
namespace ipcmark::host {

enum class Style { plain, bold, faint, red, yellow, green };

// The text in a style, where the console takes colours.
[[nodiscard]] std::string styled(std::string_view text, Style style, Colour colour);

struct Cell {
    std::string text;
    Style style = Style::plain;
};

enum class Align { left, right };

// Aligned columns, two spaces apart.
class TextTable {
public:
    void add_column(std::string heading, Align align);
    // As many cells as there are columns; fewer: the last one runs over the rest of the line.
    void add_row(std::vector<Cell> cells);
    [[nodiscard]] std::string text(Colour colour) const;

private:
    struct Column {
        std::string heading;
        Align align;
    };
    std::vector<Column> columns_;
    std::vector<std::vector<Cell>> rows_;
};

// "812 ns", "1.23 us", "45.6 ms", "2.10 s": three digits.
[[nodiscard]] std::string human_time(double ns);
// "0.00032", "812", "45.6k", "1.23M"
[[nodiscard]] std::string human_count(double count);
// "64 B", "1 KiB", "1.50 KiB", and "8191 B" where three digits do not say it: two sizes never look the same.
[[nodiscard]] std::string human_size(std::uint64_t bytes);
// Three digits whatever the size: "3.06 GiB".
[[nodiscard]] std::string rough_size(std::uint64_t bytes);

// How far the further lines of a paragraph are indented: a little, or to where the words of the first line begin.
enum class Hanging { little, below_words };

// A paragraph of at most `width` columns: the head, then the words.
[[nodiscard]] std::string paragraph(std::string_view head, std::string_view words, Style head_style, Colour colour,
                                    Hanging hanging = Hanging::little, std::size_t width = 100);

} // namespace ipcmark::host
