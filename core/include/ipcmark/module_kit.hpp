// SPDX-License-Identifier: Apache-2.0
#pragma once

// Header-only comfort for writing a module in C++20: nothing to link, everything hidden inside the module. What a
// module class must have is told in module_kit/table.hpp; the other parts are included on their own:
//   module_kit/local_rendezvous.hpp  two processes of one machine meet, strangers are turned away, descriptors pass
//   module_kit/rendezvous.hpp        the same over any listening stream socket
//   module_kit/stream_channel.hpp    messages over a connected byte-stream socket
//   module_kit/socket_file.hpp       a unix socket's file: mode, stale ones, removal
//   module_kit/control_groups.hpp    the control groups that this process is in
//   module_kit/memory_room.hpp       how much more memory this process may get
#include <ipcmark/module.h>
#include <ipcmark/module_kit/error.hpp>
#include <ipcmark/module_kit/fd.hpp>
#include <ipcmark/module_kit/request.hpp>
#include <ipcmark/module_kit/system_value.hpp>
#include <ipcmark/module_kit/table.hpp>
#include <ipcmark/module_kit/wait.hpp>
