// SPDX-License-Identifier: Apache-2.0
#include "module/guarded_call.hpp"
#include "module/loaded_module.hpp"

#include <algorithm>
#include <array>
#include <system_error>

#include <fmt/format.h>

namespace ipcmark {
namespace {

constexpr std::array names{"ok",      "would_block", "timed_out", "cancelled", "peer_gone",    "not_connected",
                           "too_big", "truncated",   "limit",     "no_memory", "bad_argument", "unsupported",
                           "system",  "internal"};
static_assert(names.size() == IPCMARK_STATUS_COUNT);

// What the module says about the failure; empty if it says nothing, or speaks of another one.
ipcmark_error ask(const Module& module, const void* object, ipcmark_status status) {
    ipcmark_error error{};
    error.size = sizeof error;
    guarded_call(module.file().id, "last_error", [&] { module.table().last_error(object, &error); });
    if (error.status != status)
        return {};
    error.text[IPCMARK_ERROR_TEXT_SIZE - 1] = '\0';
    std::replace(std::begin(error.text), std::end(error.text), '\n', ' ');
    return error;
}

} // namespace

std::string status_name(ipcmark_status status) {
    if (status < 0 || status >= IPCMARK_STATUS_COUNT)
        return fmt::format("status {}", status);
    return names[static_cast<std::size_t>(status)];
}

ModuleFailure escaped_exception(const std::string& module_id, const char* function, std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return {fmt::format("module '{}' let an exception leave {}{}{}: a fault of the module", module_id, function,
                        text.empty() ? "" : ": ", text),
            IPCMARK_INTERNAL, "", 0};
}

void Module::check(ipcmark_status status, const void* object, const std::string& action) const {
    if (status == IPCMARK_OK)
        return;
    const std::string failure = fmt::format("module {}: {}: {}", file_.id, action, status_name(status));
    if (status < 0 || status >= IPCMARK_STATUS_COUNT)
        throw ModuleFailure(failure + ", which is no status of the ABI: a fault of the module", status, "", 0);
    const ipcmark_error error = ask(*this, object, status);
    std::string detail;
    if (error.text[0] != '\0')
        detail = error.text;
    else if (error.system_errno != 0)
        detail = std::generic_category().message(error.system_errno);
    throw ModuleFailure(failure, status, detail, error.system_errno);
}

} // namespace ipcmark
