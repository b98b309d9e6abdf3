// SPDX-License-Identifier: Apache-2.0
#include "measure/loop_context.hpp"
#include "measure/one_way.hpp"
#include "measure/port.hpp"
#include "measure/round_trip.hpp"

namespace ipcmark {
namespace {

template <class Clock, class Port> LoopEnd run_one_way_client(const LoopContext& context) {
    if (context.settings.loopback) {
        LoopbackSender<Clock, Port> sender(context);
        const LoopEnd end = send_one_way<Clock>(context, sender);
        sender.finish();
        return end;
    }
    if (context.settings.batch > 1) {
        BatchSender<Clock> sender(context);
        return send_one_way<Clock>(context, sender);
    }
    SingleSender<Clock, Port> sender(context);
    return send_one_way<Clock>(context, sender);
}

template <class Clock, class Port> LoopEnd run_with(const LoopContext& context) {
    const LoopSettings& settings = context.settings;
    const bool one_way = settings.direction == Direction::one_way;
    if (settings.role == Role::client)
        return one_way ? run_one_way_client<Clock, Port>(context) : RoundTripClient<Clock, Port>(context).run();
    if (settings.loopback) {
        context.server_slot().phase.store(Phase::finished, std::memory_order_release);
        return {};
    }
    if (!one_way)
        return serve_round_trip<Clock, Port>(context);
    return settings.batch > 1 ? serve_one_way_batched<Clock>(context) : serve_one_way<Clock, Port>(context);
}

template <class Clock> LoopEnd run_on(const LoopContext& context) {
    return context.settings.access == Access::direct ? run_with<Clock, DirectPort>(context)
                                                     : run_with<Clock, CopyPort>(context);
}

} // namespace

LoopEnd run_blocking(const LoopContext& context) {
    return static_cast<ClockKind>(context.memory->shape().clock_kind) == ClockKind::cycle_counter
               ? run_on<CycleClock>(context)
               : run_on<MonotonicClock>(context);
}

} // namespace ipcmark
