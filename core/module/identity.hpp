// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

namespace ipcmark {

// The plain data at the beginning of a module's entry: everything before the pointer to its descriptor.
struct EntryIdentity {
    std::uint64_t magic;
    std::uint32_t abi_major;
    std::uint32_t abi_minor;
    std::uint32_t struct_size;
    std::uint32_t build_flags;
    char id[IPCMARK_ID_SIZE];
    char version[IPCMARK_VERSION_SIZE];
};
static_assert(sizeof(EntryIdentity) == offsetof(ipcmark_module_entry_v1, descriptor));
static_assert(std::is_trivially_copyable_v<EntryIdentity>);

// What a file says about itself, and why it cannot be used, if it cannot. The texts are set as far as they could be
// read, so that a rejected module can still be named.
struct FileIdentity {
    EntryIdentity entry{};
    std::string id;
    std::string version;
    std::optional<std::string> rejected; // what follows the name of the file: "is not an ELF file"
};

// Reads and checks the identity of a module in its file, running none of its code.
[[nodiscard]] FileIdentity read_identity(const std::filesystem::path& path);

// "asan", "debug", ...
[[nodiscard]] std::vector<std::string> build_flag_names(std::uint32_t flags);

} // namespace ipcmark
