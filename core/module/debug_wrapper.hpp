// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module.h>

#include <string>

namespace ipcmark {

// --debug-module: a table whose functions check the contract of module.h on both sides of every call before they hand
// it to `table`: which thread, in which state, statuses, sizes, tokens, overlapping calls, what is logged from where. A
// breach is logged as an error of the host's log and makes the call return IPCMARK_INTERNAL with a last_error that
// names the module and the rule, and so do all later calls: the run fails. It costs time; what is measured with it is
// not the transport. Listeners and endpoints made through this table work with this table only. Throws RunError when
// too many modules are wrapped in one process.
[[nodiscard]] ipcmark_descriptor wrap_for_debugging(const ipcmark_descriptor& table, const std::string& module_id);

} // namespace ipcmark
