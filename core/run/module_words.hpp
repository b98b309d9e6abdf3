// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "module/loaded_module.hpp"
#include "run/worker_job.hpp"

#include <string>

namespace ipcmark {

// True for what a module says about the job that it was asked for; with any other status it has failed itself.
[[nodiscard]] bool is_objection(ipcmark_status status) noexcept;

// A failure of a set-up as the user is told it. An objection is in the module's words alone, with an
// option as it was typed (--buffer-size): which function gave which status is no matter of the user's. A module that
// gives no words, or fails by itself, is told of in full.
[[nodiscard]] std::string words_of(const ModuleFailure& failure, const WorkerJob& job);

} // namespace ipcmark
