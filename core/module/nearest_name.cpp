// SPDX-License-Identifier: Apache-2.0
#include "module/nearest_name.hpp"

#include <algorithm>
#include <vector>

namespace ipcmark {
namespace {

char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

// Optimal string alignment: Levenshtein's distance, where a swap of two neighbours counts as one edit.
std::size_t edit_distance(std::string_view from, std::string_view to) {
    const std::size_t width = to.size() + 1;
    std::vector<std::size_t> before_last(width), last(width), row(width);
    for (std::size_t column = 0; column < width; ++column)
        last[column] = column;
    for (std::size_t i = 1; i <= from.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j < width; ++j) {
            const bool same = lower(from[i - 1]) == lower(to[j - 1]);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && lower(from[i - 1]) == lower(to[j - 2]) && lower(from[i - 2]) == lower(to[j - 1]))
                row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
        std::swap(before_last, last);
        std::swap(last, row);
    }
    return last[to.size()];
}

} // namespace

std::optional<std::string> nearest_name(std::string_view asked, std::span<const std::string> names) {
    constexpr std::size_t longest_considered = 256; // of hostile input: the distance takes quadratic time
    if (asked.empty() || asked.size() > longest_considered)
        return {};
    const std::string* nearest = nullptr;
    std::size_t least = std::max<std::size_t>(1, asked.size() / 3) + 1;
    for (const std::string& name : names) {
        if (name.empty() || name.size() > longest_considered)
            continue;
        const std::size_t distance = edit_distance(asked, name);
        // In names of one or two letters, one edit makes any name of any other.
        if (distance < least && distance < std::max(asked.size(), name.size())) {
            least = distance;
            nearest = &name;
        }
    }
    if (nearest == nullptr) {
        const auto begins =
            std::find_if(names.begin(), names.end(), [&](const std::string& name) { return name.starts_with(asked); });
        if (begins == names.end())
            return {};
        nearest = &*begins;
    }
    return *nearest;
}

std::string did_you_mean(std::string_view asked, std::span<const std::string> names) {
    const auto name = nearest_name(asked, names);
    return name ? "; did you mean '" + *name + "'?" : "";
}

} // namespace ipcmark
