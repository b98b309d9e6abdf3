// SPDX-License-Identifier: Apache-2.0
#include "module/identity.hpp"

#include "module/elf_file.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ipcmark {
namespace {

// The host's own flags; IPCMARK_BUILD_FLAGS of this translation unit.
constexpr std::uint32_t host_flags = IPCMARK_BUILD_FLAGS;

template <std::size_t size> std::optional<std::string> text_of(const char (&field)[size]) {
    const char* const end = std::find(field, field + size, '\0');
    if (end == field + size)
        return {};
    return std::string(field, end);
}

bool is_lower_or_digit(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9');
}

std::optional<std::string> fault_of_id(const std::optional<std::string>& id) {
    if (!id)
        return fmt::format("has an id without an end (at most {} letters)", IPCMARK_ID_SIZE - 1);
    if (id->empty() || id->front() < 'a' || id->front() > 'z' ||
        !std::all_of(id->begin(), id->end(), [](char letter) { return is_lower_or_digit(letter) || letter == '-'; }))
        return "has a malformed id: lower-case letters, digits and hyphens are allowed, a letter first";
    if (*id == "all")
        return "has the id 'all', which means every module";
    return {};
}

std::optional<std::string> fault_of_version(const std::optional<std::string>& version) {
    if (!version)
        return fmt::format("has a version without an end (at most {} letters)", IPCMARK_VERSION_SIZE - 1);
    const auto allowed = [](char letter) {
        return is_lower_or_digit(letter) || (letter >= 'A' && letter <= 'Z') ||
               std::string_view(".+~-_").find(letter) != std::string_view::npos;
    };
    if (version->empty() || !std::all_of(version->begin(), version->end(), allowed))
        return "has a malformed version: letters, digits and . + ~ - _ are allowed";
    return {};
}

std::optional<std::string> fault_of_entry(const EntryIdentity& entry) {
    if (entry.magic != IPCMARK_MAGIC)
        return "has a wrong magic number in " IPCMARK_ENTRY_SYMBOL;
    if (entry.abi_major != IPCMARK_ABI_MAJOR)
        return fmt::format("is built for version {} of the module ABI, this host has version {}", entry.abi_major,
                           IPCMARK_ABI_MAJOR);
    if (entry.struct_size < sizeof(ipcmark_module_entry_v1))
        return fmt::format("has an entry of {} bytes, version 1 of the ABI has {}", entry.struct_size,
                           sizeof(ipcmark_module_entry_v1));
    for (const auto& [flag, name] :
         {std::pair(IPCMARK_BUILD_ASAN, "AddressSanitizer"), std::pair(IPCMARK_BUILD_TSAN, "ThreadSanitizer")})
        if ((entry.build_flags & flag) != 0 && (host_flags & flag) == 0)
            return fmt::format("is built with {}, this host is not: build both the same way", name);
    return {};
}

std::optional<std::string> fault_of_symbols(const std::vector<ElfSymbol>& symbols, const ElfSymbol* entry) {
    if (entry == nullptr)
        return "does not export " IPCMARK_ENTRY_SYMBOL ": it is no ipcmark module";
    if (!entry->is_object || (entry->size != 0 && entry->size < sizeof(ipcmark_module_entry_v1)))
        return "exports " IPCMARK_ENTRY_SYMBOL ", but not as an ipcmark_module_entry_v1";
    if (symbols.size() == 1)
        return {};
    constexpr std::size_t most_named = 5;
    std::vector<std::string> others;
    for (const ElfSymbol& symbol : symbols)
        if (&symbol != entry && others.size() < most_named)
            others.push_back(symbol.name);
    const std::size_t unnamed = symbols.size() - 1 - others.size();
    return fmt::format("exports more than " IPCMARK_ENTRY_SYMBOL ": {}{}; hide them with -fvisibility=hidden and a "
                       "version script",
                       fmt::join(others, ", "), unnamed == 0 ? "" : fmt::format(" and {} more", unnamed));
}

} // namespace

FileIdentity read_identity(const std::filesystem::path& path) {
    FileIdentity identity;
    try {
        const ElfFile file(path);
        std::vector<ElfSymbol> symbols = file.exported_symbols();
        // AddressSanitizer exports one of these for each global of a module that has no version script.
        std::erase_if(symbols, [](const ElfSymbol& symbol) { return symbol.name.starts_with("__odr_asan"); });
        const auto found = std::find_if(symbols.begin(), symbols.end(),
                                        [](const ElfSymbol& symbol) { return symbol.name == IPCMARK_ENTRY_SYMBOL; });
        const ElfSymbol* const entry = found == symbols.end() ? nullptr : &*found;
        identity.rejected = fault_of_symbols(symbols, entry);
        if (entry == nullptr || !entry->is_object)
            return identity;
        file.read_loaded(entry->address, std::as_writable_bytes(std::span(&identity.entry, 1)));
        const auto id = text_of(identity.entry.id);
        const auto version = text_of(identity.entry.version);
        // Of an entry of another major version, the texts may be anything: name it only if they look right.
        if (identity.entry.magic == IPCMARK_MAGIC && !fault_of_id(id))
            identity.id = *id;
        if (identity.entry.magic == IPCMARK_MAGIC && !fault_of_version(version))
            identity.version = *version;
        for (const auto& fault : {fault_of_entry(identity.entry), fault_of_id(id), fault_of_version(version)})
            if (!identity.rejected && fault)
                identity.rejected = fault;
    } catch (const ElfError& error) {
        identity.rejected = error.what();
    }
    return identity;
}

std::vector<std::string> build_flag_names(std::uint32_t flags) {
    std::vector<std::string> names;
    for (const auto& [flag, name] : {std::pair(IPCMARK_BUILD_DEBUG, "debug"), std::pair(IPCMARK_BUILD_ASAN, "asan"),
                                     std::pair(IPCMARK_BUILD_TSAN, "tsan")})
        if ((flags & flag) != 0)
            names.emplace_back(name);
    return names;
}

} // namespace ipcmark
