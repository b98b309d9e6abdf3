// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"

#include <boost/json/array.hpp>

namespace ipcmark {

// What the server worker of another program left in its results memory, as text and back into ours. Histograms go as
// pairs of bucket and count.
[[nodiscard]] boost::json::array server_slots_to_json(const ResultsMemory& memory);
// Throws RunError for what does not fit the memory.
void server_slots_from_json(const boost::json::array& slots, ResultsMemory& memory);

} // namespace ipcmark
