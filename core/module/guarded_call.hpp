// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "module/loaded_module.hpp"

#include <exception>
#include <string>

namespace ipcmark {

// An exception has left this function of the module's table; text: what it says, empty for one of an unknown type.
[[nodiscard]] ModuleFailure escaped_exception(const std::string& module_id, const char* function, std::string text);

// Calls a function of a module's table outside of the measurement. No exception may leave a module; one that does
// becomes a ModuleFailure that names module and function, so that nobody takes it for an error of the host's.
template <class Call>
auto guarded_call(const std::string& module_id, const char* function, const Call& call) -> decltype(call()) {
    try {
        return call();
    } catch (const std::exception& error) {
        throw escaped_exception(module_id, function, error.what());
    } catch (...) {
        throw escaped_exception(module_id, function, "");
    }
}

} // namespace ipcmark
