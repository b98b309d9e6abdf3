// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/export.hpp>
#include <ipcmark/plan.hpp>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ipcmark {

// One file that discovery looked at.
struct ModuleFile {
    std::filesystem::path path;
    std::string id; // empty if it could not be read
    std::string version;
    std::uint32_t abi_major = 0;
    std::uint32_t abi_minor = 0;
    std::optional<std::string> rejected;              // the reason; not set: usable
    std::optional<std::filesystem::path> shadowed_by; // the same id was found earlier in the search order
};

struct ModuleFolder {
    std::filesystem::path path;
    std::string origin;                  // "--module-path", "IPCMARK_MODULE_PATH", "build tree", "installed"
    std::optional<std::string> rejected; // missing, writable by others
    std::vector<ModuleFile> files;       // by name
};

// Looks through the search path, in its order: --module-path, IPCMARK_MODULE_PATH, the build tree when not installed,
// libdir/ipcmark/modules-1. Runs no code of any module.
[[nodiscard]] IPCMARK_API std::vector<ModuleFolder> discover(const ModuleSearch& search);

// The usable file of a module id. Throws UsageError with the nearest name and the names there are, or with the reason
// why the only file of that id was rejected, or one of that id in a folder of `search.paths` before any usable one. A
// mechanism that contains a '/' is taken as a path.
[[nodiscard]] IPCMARK_API ModuleFile find_module(const ModuleSearch& search, const std::string& mechanism);

struct OptionInfo {
    std::string name;
    std::string type; // "bool", "i64", "u64", "bytes", "duration", "enum", "string"
    std::string default_text;
    std::string minimum; // empty: no bound
    std::string maximum;
    std::vector<std::pair<std::string, std::string>> choices; // name, help
    std::string unit;
    std::string help;
};

struct ModuleDescription {
    ModuleFile file;
    std::string display_name;
    std::string result_name;
    std::string description;
    std::string licence;
    std::vector<std::string> capabilities;
    std::vector<std::string> extensions; // those of v1 that it has
    std::vector<std::string> build_flags;
    std::vector<OptionInfo> options;
    std::uint64_t max_message_size_bytes = 0; // with default options; 0: it could not tell, limit_reason says why
    std::uint64_t max_in_flight = 0;
    std::uint32_t max_endpoints = 0;
    std::string limit_reason;
};

// Loads the module in a child process, so that a module that crashes harms nobody, and returns what it says about
// itself. Throws RunError naming the module if that fails.
[[nodiscard]] IPCMARK_API ModuleDescription describe(const ModuleFile& file);

} // namespace ipcmark
