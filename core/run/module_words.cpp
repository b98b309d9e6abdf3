// SPDX-License-Identifier: Apache-2.0
#include "run/module_words.hpp"

#include <fmt/format.h>

namespace ipcmark {

bool is_objection(ipcmark_status status) noexcept {
    return status == IPCMARK_LIMIT || status == IPCMARK_TOO_BIG || status == IPCMARK_BAD_ARGUMENT ||
           status == IPCMARK_UNSUPPORTED;
}

std::string words_of(const ModuleFailure& failure, const WorkerJob& job) {
    if (failure.detail().empty() || !is_objection(failure.status()))
        return failure.what();
    for (const auto& [name, text] : job.soft_options)
        if (failure.detail().starts_with(name + " "))
            return fmt::format("module {}: --{}", job.module_id, failure.detail());
    return fmt::format("module {}: {}", job.module_id, failure.detail());
}

} // namespace ipcmark
