// SPDX-License-Identifier: Apache-2.0
#include "host/run_settings.hpp"

namespace ipcmark::host {

namespace {

template <class T> void put(std::optional<T>& base, const std::optional<T>& over) {
    if (over)
        base = over;
}

} // namespace

TestSettings overlay(TestSettings base, const TestSettings& over) {
    if (over.message_count && !over.duration)
        base.duration.reset();
    put(base.mechanisms, over.mechanisms);
    put(base.sizes_bytes, over.sizes_bytes);
    put(base.concurrency, over.concurrency);
    put(base.rates_per_second, over.rates_per_second);
    put(base.repeat, over.repeat);
    put(base.message_count, over.message_count);
    put(base.duration, over.duration);
    put(base.warmup_messages, over.warmup_messages);
    put(base.first_message, over.first_message);
    // One source that names a direction says all about directions.
    if (over.one_way || over.round_trip) {
        base.one_way = over.one_way;
        base.round_trip = over.round_trip;
    }
    put(base.mode, over.mode);
    put(base.wait, over.wait);
    put(base.spin, over.spin);
    put(base.send_delay, over.send_delay);
    put(base.window, over.window);
    put(base.batch, over.batch);
    put(base.direct, over.direct);
    put(base.shm_direct, over.shm_direct);
    put(base.server_cpus, over.server_cpus);
    put(base.client_cpus, over.client_cpus);
    put(base.percentiles, over.percentiles);
    put(base.buffer_size_bytes, over.buffer_size_bytes);
    put(base.timeout, over.timeout);
    for (const auto& [name, value] : over.module_options)
        base.module_options[name] = value;
    put(base.host, over.host);
    put(base.port, over.port);
    put(base.pmq_priority, over.pmq_priority);
    return base;
}

} // namespace ipcmark::host
