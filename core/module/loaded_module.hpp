// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/document.hpp>
#include <ipcmark/module.h>
#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace ipcmark {

// A status other than IPCMARK_OK from a module, with what the module said about it. what() names the module.
class ModuleFailure : public RunError {
public:
    // what: without `detail`, which is added where there is any.
    ModuleFailure(const std::string& what, ipcmark_status status, const std::string& detail, int system_errno)
        : RunError(detail.empty() ? what : what + ": " + detail), status_(status), detail_(detail),
          errno_(system_errno) {}
    [[nodiscard]] ipcmark_status status() const noexcept { return status_; }
    // What the module said, or the system's text for its errno; empty for neither.
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }
    [[nodiscard]] int system_errno() const noexcept { return errno_; }

private:
    ipcmark_status status_;
    std::string detail_;
    int errno_;
};

// "would_block", "peer_gone", ...; "status 99" for one outside the closed set.
[[nodiscard]] std::string status_name(ipcmark_status status);

// The values of a module's options in the order of its table; owns the strings that they point to.
class OptionValues {
public:
    [[nodiscard]] std::span<const ipcmark_value> values() const noexcept { return values_; }

private:
    friend class Module;
    std::vector<ipcmark_value> values_;
    std::vector<std::unique_ptr<std::string>> strings_;
};

// Whether every call of a module is checked against the contract (--debug-module).
enum class Checking { none, contract };

// A loaded module. Its code stays mapped until the process ends.
class Module {
public:
    // Loads the file (absolute path, RTLD_NOW | RTLD_LOCAL) after its identity was read and checked from the file, and
    // checks its tables. Throws RunError that names the file and the fault.
    // With Checking::contract the table is the checking one of debug_wrapper.hpp.
    [[nodiscard]] static std::shared_ptr<const Module> load(const ModuleFile& file, Checking checking = Checking::none);

    [[nodiscard]] const ModuleFile& file() const noexcept { return file_; }
    // A copy of the module's table as large as this host knows it; functions that an older module does not have are
    // null.
    [[nodiscard]] const ipcmark_descriptor& table() const noexcept { return table_; }
    [[nodiscard]] std::span<const ipcmark_option> options() const noexcept { return options_; }
    [[nodiscard]] bool has(std::uint32_t capability) const noexcept { return (table_.capabilities & capability) != 0; }
    // The table of an extension, as large as this host knows it and with all of its functions, or null. Throws RunError
    // for one that is neither.
    [[nodiscard]] const void* extension(const char* id) const;
    [[nodiscard]] ModuleIdentity identity() const;

    // Parses option texts by the module's table; those not named get their defaults. Throws UsageError naming the
    // module, the option and what is allowed, for an unknown option the nearest one.
    [[nodiscard]] OptionValues parse_options(const std::map<std::string, std::string>& texts) const;
    // The text of one value, as the user could have written it.
    [[nodiscard]] std::string option_text(std::uint32_t index, const ipcmark_value& value) const;

    // Throws ModuleFailure made of `status`, last_error(object) and `action` ("send on endpoint 3") if it is not
    // IPCMARK_OK.
    void check(ipcmark_status status, const void* object, const std::string& action) const;

private:
    Module() = default;
    ModuleFile file_;
    ipcmark_descriptor table_{};
    std::vector<ipcmark_option> options_;
    Checking checking_ = Checking::none;
};

struct ListenerCloser {
    std::shared_ptr<const Module> module;
    void operator()(ipcmark_listener* listener) const noexcept { module->table().close_listener(listener); }
};
using ListenerHandle = std::unique_ptr<ipcmark_listener, ListenerCloser>;

struct EndpointCloser {
    std::shared_ptr<const Module> module;
    void operator()(ipcmark_endpoint* endpoint) const noexcept { module->table().close(endpoint); }
};
using EndpointHandle = std::unique_ptr<ipcmark_endpoint, EndpointCloser>;

// What a module may call; its log lines go to the handler set with set_module_log (stderr by default).
[[nodiscard]] const ipcmark_host* module_host() noexcept;
void set_module_log(void (*handler)(int level, const char* text)) noexcept;

} // namespace ipcmark
