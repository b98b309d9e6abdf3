// SPDX-License-Identifier: Apache-2.0
#include "host/execute_serve.hpp"

#include "host/interrupt.hpp"
#include "host/log.hpp"
#include "host/verbs.hpp"

#include <algorithm>

namespace ipcmark::host {

namespace {

class LogObserver : public Observer {
public:
    explicit LogObserver(Log& log) : log_(log) {}
    void log(int level, const std::string& text) override { log_.write(level, text); }

private:
    Log& log_;
};

} // namespace

ServeRequest serve_request_of(const RunRequest& request) {
    ServeRequest serve;
    serve.program = "ipc-benchmark";
    serve.options.address = *request.address;
    serve.options.modules = request.plan.modules;
    serve.options.server_cpus = request.plan.tests.front().server_cpus;
    serve.options.once = true;
    serve.log_file = request.log_file;
    serve.quiet = request.quiet;
    serve.verbosity = request.verbosity;
    return serve;
}

int execute_serve(const ServeRequest& request) {
    // That it is ready, and who came, is what a server has to say without being asked.
    const auto verbosity = request.quiet ? request.verbosity : std::max(request.verbosity, 1u);
    Log log(request.program, request.log_file, verbosity, request.quiet ? Quiet::yes : Quiet::no);
    LogObserver observer(log);
    Interrupt interrupt;
    serve(request.options, observer, interrupt.token());
    return exit_ok;
}

} // namespace ipcmark::host
