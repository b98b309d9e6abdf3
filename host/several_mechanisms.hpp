// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/test_matrix.hpp"

#include <ipcmark/plan.hpp>
#include <ipcmark/run.hpp>

#include <string>

namespace ipcmark::host {

// Where a plan has several mechanisms and one of them cannot do its test: what to do about that one, as the end of the
// message; empty where there is nothing to add. Asks the modules for their options, in processes of theirs.
[[nodiscard]] std::string several_mechanisms_hint(const Plan& plan, const TestUsageError& error,
                                                  const ModuleLookup& modules);

} // namespace ipcmark::host
