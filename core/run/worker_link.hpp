// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "measure/results_memory.hpp"
#include "run/control_channel.hpp"
#include "run/worker_process.hpp"

#include <optional>
#include <string>

namespace ipcmark {

// One worker as the coordinator of a direction sees it: a child of this process, or one that the serve() of another
// program runs for us.
class WorkerLink {
public:
    virtual ~WorkerLink() = default;
    [[nodiscard]] virtual ControlChannel& channel() noexcept = 0;
    // Readable once the worker has ended; -1 if only the channel tells.
    [[nodiscard]] virtual int end_descriptor() const noexcept = 0;
    // How it ended, empty if well; nothing while it runs.
    [[nodiscard]] virtual std::optional<std::string> ended() = 0;
    // By a signal or a debugger, where this end can know.
    [[nodiscard]] virtual bool stopped() const noexcept { return false; }
    virtual void kill() noexcept = 0;
    // Of the program that runs it for us; empty for a child of this one.
    [[nodiscard]] virtual std::string address() const { return {}; }
    // A message that the link itself understands is taken by it; false: it is the coordinator's.
    virtual bool handle(const boost::json::object& /*message*/) { return false; }
};

class LocalWorker : public WorkerLink {
public:
    explicit LocalWorker(const ResultsMemory& memory) : process_(WorkerProcess::spawn(memory.descriptor())) {}
    [[nodiscard]] ControlChannel& channel() noexcept override { return process_.channel(); }
    [[nodiscard]] int end_descriptor() const noexcept override { return process_.pidfd(); }
    [[nodiscard]] std::optional<std::string> ended() override { return process_.ended(); }
    [[nodiscard]] bool stopped() const noexcept override { return process_.stopped(); }
    void kill() noexcept override { process_.kill(); }

private:
    WorkerProcess process_;
};

} // namespace ipcmark
