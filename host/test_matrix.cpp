// SPDX-License-Identifier: Apache-2.0
#include "host/test_matrix.hpp"

#include <ipcmark/run.hpp>

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace ipcmark::host {

namespace {

const std::array<std::string, 4> all_mechanisms{"uds", "shm", "tcp", "pmq"};

std::vector<Direction> directions(const TestSettings& settings) {
    if (!settings.one_way && !settings.round_trip)
        return TestPlan{}.directions;
    // Where only one is named and that as false, the other is meant.
    const bool one_way = settings.one_way.value_or(!settings.round_trip.value_or(true));
    const bool round_trip = settings.round_trip.value_or(!settings.one_way.value_or(true));
    std::vector<Direction> chosen;
    if (one_way)
        chosen.push_back(Direction::one_way);
    if (round_trip)
        chosen.push_back(Direction::round_trip);
    if (chosen.empty())
        throw UsageError("--one-way=false and --round-trip=false leave nothing to measure");
    return chosen;
}

bool wants_direct(const TestSettings& settings, const std::string& module_id) {
    return settings.direct.value_or(false) || (settings.shm_direct.value_or(false) && module_id == "shm");
}

void check(const TestSettings& settings) {
    if (settings.rates_per_second && settings.send_delay && settings.send_delay->count() != 0)
        throw UsageError("--rate and --send-delay exclude each other: the first sends on a fixed schedule, the second "
                         "waits after each message");
    const bool asynchronous = settings.mode == Mode::asynchronous;
    if (asynchronous && settings.direct.value_or(false))
        throw UsageError("--direct needs blocking mode; leave --async (--blocking=false) out");
    if (asynchronous && settings.shm_direct.value_or(false))
        throw UsageError("--shm-direct needs blocking mode; leave --async (--blocking=false) out");
}

std::map<std::string, std::string> options_for(const std::string& mechanism, const std::string& id,
                                               const TestSettings& settings, const ModuleLookup& modules,
                                               OptionUse& use) {
    std::map<std::string, std::string> options;
    const auto give_if_known = [&](const char* argument, const char* name, const std::string& value) {
        use.asked.emplace(argument, "");
        try {
            const auto names = modules.option_names(mechanism);
            if (std::find(names.begin(), names.end(), name) == names.end())
                return;
        } catch (const RunError&) {
            // It crashes when it is asked, and will when its limits are: that is told there, and may be one failed
            // test.
        }
        use.used.insert(argument);
        options[name] = value;
    };
    if (settings.host)
        give_if_known("--host", "host", *settings.host);
    if (settings.port)
        give_if_known("--port", "port", std::to_string(*settings.port));
    if (settings.pmq_priority)
        give_if_known("--pmq-priority", "priority", *settings.pmq_priority);
    // An option for this module alone wins over one for all.
    for (const auto& [name, value] : settings.module_options)
        if (name.find('.') == std::string::npos)
            options[name] = value;
    for (const auto& [name, value] : settings.module_options) {
        const auto dot = name.rfind('.');
        if (dot == std::string::npos)
            continue;
        const auto scope = name.substr(0, dot);
        use.asked.emplace("--module-option " + name, "");
        if (scope != id && scope != mechanism)
            continue;
        use.used.insert("--module-option " + name);
        options[name.substr(dot + 1)] = value;
    }
    return options;
}

TestPlan common_part(const TestSettings& settings) {
    TestPlan test;
    const auto put = [](auto& to, const auto& from) {
        if (from)
            to = *from;
    };
    test.directions = directions(settings);
    put(test.message_count, settings.message_count);
    if (settings.duration) {
        test.duration = settings.duration;
        test.message_count.reset();
    }
    put(test.warmup_messages, settings.warmup_messages);
    put(test.first_message, settings.first_message);
    put(test.wait, settings.wait);
    put(test.spin, settings.spin);
    put(test.send_delay, settings.send_delay);
    put(test.window, settings.window);
    put(test.batch, settings.batch);
    put(test.server_cpus, settings.server_cpus);
    put(test.client_cpus, settings.client_cpus);
    put(test.percentiles, settings.percentiles);
    put(test.timeout, settings.timeout);
    test.buffer_size_bytes = settings.buffer_size_bytes;
    return test;
}

void note_direction(OptionUse& use, const std::pair<const std::string, std::string>& option,
                    const std::optional<std::uint32_t>& value, const TestPlan& test, Direction direction) {
    if (value.value_or(1) == 1)
        return;
    use.asked.insert(option);
    if (std::find(test.directions.begin(), test.directions.end(), direction) != test.directions.end())
        use.used.insert(option.first);
}

} // namespace

std::vector<std::string> expand_mechanisms(const std::vector<std::string>& asked) {
    if (std::find(asked.begin(), asked.end(), "all") == asked.end())
        return asked;
    std::vector<std::string> expanded;
    const auto add_once = [&](const std::string& name) {
        if (std::find(expanded.begin(), expanded.end(), name) == expanded.end())
            expanded.push_back(name);
    };
    // In their own order wherever `all` stands, as the predecessor does; strangers come after.
    std::for_each(all_mechanisms.begin(), all_mechanisms.end(), add_once);
    for (const auto& name : asked)
        if (name != "all")
            add_once(name);
    return expanded;
}

std::vector<TestPlan> make_tests(const TestSettings& settings, const MatrixDefaults& defaults,
                                 const ModuleLookup& modules, OptionUse& use) {
    check(settings);
    TestPlan test = common_part(settings);
    note_direction(use, {"--window", "round trips"}, settings.window, test, Direction::round_trip);
    note_direction(use, {"--batch", "one-way measurements"}, settings.batch, test, Direction::one_way);
    std::vector<std::optional<double>> rates{std::nullopt};
    if (settings.rates_per_second)
        rates.assign(settings.rates_per_second->begin(), settings.rates_per_second->end());

    const auto repeats = settings.repeat.value_or(1);
    std::vector<TestPlan> tests;
    for (const auto& mechanism : expand_mechanisms(settings.mechanisms.value_or(std::vector{test.mechanism}))) {
        const auto id = modules.id(mechanism);
        use.mechanisms.insert(mechanism);
        test.mechanism = mechanism;
        test.options = options_for(mechanism, id, settings, modules, use);
        test.access = wants_direct(settings, id) ? Access::direct : Access::copy;
        const bool any_direct = settings.direct.value_or(false) || settings.shm_direct.value_or(false);
        test.mode = settings.mode.value_or(any_direct ? Mode::blocking : defaults.mode);
        if (settings.shm_direct.value_or(false)) {
            use.asked.emplace("--shm-direct", "");
            if (id == "shm")
                use.used.insert("--shm-direct");
        }
        for (const auto size : settings.sizes_bytes.value_or(std::vector{test.message_size_bytes}))
            for (const auto concurrency : settings.concurrency.value_or(std::vector{1u}))
                for (const auto& rate : rates)
                    for (unsigned repeat = 0; repeat < repeats; ++repeat) {
                        if (tests.size() == most_tests)
                            throw UsageError(
                                fmt::format("more than {} tests; ask for fewer values or repeats", most_tests));
                        tests.push_back(test);
                        tests.back().message_size_bytes = size;
                        tests.back().concurrency = concurrency;
                        tests.back().rate_per_second = rate;
                        tests.back().repeat_index = repeat;
                    }
    }
    return tests;
}

} // namespace ipcmark::host
