// SPDX-License-Identifier: Apache-2.0
#include "host/check/raw_module.hpp"

#include "module/elf_file.hpp"

#include <cstring>

#include <dlfcn.h>
#include <fmt/format.h>

namespace ipcmark::check {

EntryIdentity identity_in_file(const std::filesystem::path& path) {
    try {
        const ElfFile file(path);
        for (const auto& symbol : file.exported_symbols()) {
            if (symbol.name == IPCMARK_ENTRY_SYMBOL) {
                require(symbol.size >= sizeof(ipcmark_module_entry_v1),
                        fmt::format("{} has {} bytes, version 1 of the ABI has {}", symbol.name, symbol.size,
                                    sizeof(ipcmark_module_entry_v1)));
                EntryIdentity identity{};
                file.read_loaded(symbol.address, std::as_writable_bytes(std::span(&identity, 1)));
                return identity;
            }
        }
    } catch (const ElfError& error) {
        fail(fmt::format("the file {}", error.what()));
    }
    fail("the file does not export " IPCMARK_ENTRY_SYMBOL);
}

const ipcmark_module_entry_v1& open_raw(const std::filesystem::path& path) {
    Sandbox::step("dlopen: constructors of the module");
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        fail(fmt::format("the dynamic loader refuses the file: {}", dlerror()));
    }
    const void* entry = dlsym(library, IPCMARK_ENTRY_SYMBOL);
    require(entry != nullptr, "the file does not export " IPCMARK_ENTRY_SYMBOL);
    Sandbox::step("looking at the tables of the module");
    return *static_cast<const ipcmark_module_entry_v1*>(entry);
}

const ipcmark_descriptor& raw_table(const std::filesystem::path& path) {
    const auto* table = open_raw(path).descriptor;
    require(table != nullptr, "the entry has no descriptor");
    require(table->size >= sizeof(ipcmark_descriptor),
            fmt::format("the descriptor's size is {}, version 1 of the ABI has {}", table->size,
                        sizeof(ipcmark_descriptor)));
    return *table;
}

std::vector<ipcmark_option> raw_options(const std::filesystem::path& path) {
    const auto& table = raw_table(path);
    if (table.option_count == 0) {
        return {};
    }
    require(table.options != nullptr, "option_count is not 0 but there are no options");
    require(table.option_size >= sizeof(ipcmark_option),
            fmt::format("option_size is {}, version 1 of the ABI has {}", table.option_size, sizeof(ipcmark_option)));
    std::vector<ipcmark_option> options(table.option_count);
    const auto* from = reinterpret_cast<const char*>(table.options);
    for (auto& option : options) {
        std::memcpy(&option, from, sizeof option);
        from += table.option_size;
    }
    return options;
}

} // namespace ipcmark::check
