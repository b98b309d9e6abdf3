// SPDX-License-Identifier: Apache-2.0
// ipcmark-worker: the process that a module runs in. Only ipcmark itself starts it.
#include "module/describe_main.hpp"
#include "run/worker.hpp"

#include <string_view>

int main(int argc, char** argv) {
    if (argc == 3 && std::string_view(argv[1]) == "--describe")
        return ipcmark::describe_main(argv[2]);
    return ipcmark::worker_main();
}
