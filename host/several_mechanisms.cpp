// SPDX-License-Identifier: Apache-2.0
#include "host/several_mechanisms.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

bool has_option(const ModuleLookup& modules, const std::string& mechanism, const std::string& option) {
    try {
        const auto names = modules.option_names(mechanism);
        return std::find(names.begin(), names.end(), option) != names.end();
    } catch (const RunError&) {
        return false; // no module to give an option to
    }
}

} // namespace

std::string several_mechanisms_hint(const Plan& plan, const TestUsageError& error, const ModuleLookup& modules) {
    const auto& refused = plan.tests.at(error.test());
    std::set<std::string> others;
    for (const auto& test : plan.tests)
        if (test.mechanism != refused.mechanism)
            others.insert(test.mechanism);
    if (others.empty() || error.cause() == TestUsageError::Cause::plan)
        return "";
    if (error.cause() == TestUsageError::Cause::module)
        return fmt::format("; or leave {} out, or add --continue-on-error", refused.mechanism);
    for (const auto& [option, value] : refused.options) {
        if (has_option(modules, refused.mechanism, option))
            continue;
        for (const auto& other : others)
            if (has_option(modules, other, option))
                return fmt::format("; write {}.{}={}", modules.id(other), option, value);
    }
    return "";
}

} // namespace ipcmark::host
