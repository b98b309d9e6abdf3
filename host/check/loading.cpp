// SPDX-License-Identifier: Apache-2.0
// The file and its tables: what the host looks at before it calls anything.
#include "host/check/peer.hpp"
#include "host/check/process_state.hpp"
#include "host/check/raw_module.hpp"
#include "module/elf_file.hpp"
#include "module/table_check.hpp"

#include <ipcmark/ext/batch.h>
#include <ipcmark/ext/loan.h>
#include <ipcmark/ext/pollfd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ipcmark::check {
namespace {

const std::filesystem::path& path_of(Context& context) {
    return context.subject().path;
}

void symbol(Context& context) {
    (void)identity_in_file(path_of(context));
}

void magic(Context& context) {
    const auto identity = identity_in_file(path_of(context));
    require(identity.magic == IPCMARK_MAGIC,
            fmt::format("the magic is {:#x} and must be {:#x}: is the entry made by IPCMARK_DEFINE_MODULE?",
                        identity.magic, IPCMARK_MAGIC));
}

void version(Context& context) {
    const auto identity = identity_in_file(path_of(context));
    require(identity.abi_major == IPCMARK_ABI_MAJOR,
            fmt::format("the module is built for ABI {}.{}, this host has {}.{}: the major must be the same",
                        identity.abi_major, identity.abi_minor, IPCMARK_ABI_MAJOR, IPCMARK_ABI_MINOR));
    require(identity.struct_size >= sizeof(ipcmark_module_entry_v1),
            fmt::format("struct_size is {} and must be at least {}", identity.struct_size,
                        sizeof(ipcmark_module_entry_v1)));
}

template <std::size_t size> std::string terminated(const char (&text)[size], const std::string& what) {
    const auto* end = static_cast<const char*>(std::memchr(text, '\0', size));
    require(end != nullptr, fmt::format("the {} has no NUL in its {} bytes", what, size));
    return {text, static_cast<std::size_t>(end - text)};
}

void identity(Context& context) {
    const auto entry = identity_in_file(path_of(context));
    const auto id = terminated(entry.id, "id");
    bool well_formed = !id.empty() && id.front() >= 'a' && id.front() <= 'z';
    for (const char c : id) {
        well_formed = well_formed && ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-');
    }
    require(well_formed,
            fmt::format("the id '{}' must be lower case, digits and hyphens, and begin with a letter", id));
    const auto own_version = terminated(entry.version, "version");
    require(!own_version.empty(), "the module has no version of its own");
    for (const char c : own_version) {
        require(c > ' ' && c < 127, fmt::format("the version '{}' has a character that is not printable", own_version));
    }
}

void flags(Context& context) {
    const auto entry = identity_in_file(path_of(context));
    constexpr std::uint32_t sanitizers = IPCMARK_BUILD_ASAN | IPCMARK_BUILD_TSAN;
    constexpr std::uint32_t known = sanitizers | IPCMARK_BUILD_DEBUG;
    require((entry.build_flags & ~known) == 0,
            fmt::format("build_flags {:#x} has bits that version 1 of the ABI does not know", entry.build_flags));
    require((entry.build_flags & sanitizers) == (std::uint32_t{IPCMARK_BUILD_FLAGS} & sanitizers),
            fmt::format("build_flags {:#x} name other sanitizers than this program is built with ({:#x})",
                        entry.build_flags, std::uint32_t{IPCMARK_BUILD_FLAGS} & sanitizers));
}

void exports(Context& context) {
    try {
        for (const auto& exported : ElfFile(path_of(context)).exported_symbols()) {
            require(exported.name == IPCMARK_ENTRY_SYMBOL,
                    fmt::format("the file exports '{}': two modules with one such name would meet. Build with "
                                "-fvisibility=hidden and a version script",
                                exported.name));
            require(exported.is_object, IPCMARK_ENTRY_SYMBOL " is a function and must be a constant object");
        }
    } catch (const ElfError& error) {
        fail(fmt::format("the file {}", error.what()));
    }
}

void loads(Context& context) {
    const auto on_disk = identity_in_file(path_of(context));
    const auto& entry = open_raw(path_of(context));
    require(std::memcmp(&entry, &on_disk, sizeof on_disk) == 0,
            "the entry in memory is not the one in the file: it must be constant and need no relocation");
}

struct LoadingTime {
    std::int64_t scan_ms;
    std::int64_t load_ms;
};

void loading_time_peer(Context& context, Channel& channel) {
    using clock = std::chrono::steady_clock;
    const auto before_scan = clock::now();
    (void)read_identity(path_of(context));
    const auto before_load = clock::now();
    (void)open_raw(path_of(context));
    const auto after_load = clock::now();
    const auto ms = [](auto time) { return std::chrono::duration_cast<std::chrono::milliseconds>(time).count(); };
    channel.put(LoadingTime{ms(before_load - before_scan), ms(after_load - before_load)});
}

// The least of several tries: a busy machine may be late now and then, a slow constructor is each time. A process loads
// a file once, so each try has one of its own.
void loading_time(Context& context) {
    constexpr int tries = 5;
    LoadingTime least{INT64_MAX, INT64_MAX};
    for (int i = 0; i < tries && (least.scan_ms >= 500 || least.load_ms >= 500); ++i) {
        Peer peer(context);
        const auto time = peer.channel().get<LoadingTime>();
        peer.join();
        least = {std::min(least.scan_ms, time.scan_ms), std::min(least.load_ms, time.load_ms)};
    }
    require(least.scan_ms < 500, fmt::format("reading the identity took {} ms", least.scan_ms));
    require(
        least.load_ms < 500,
        fmt::format("loading took {} ms: a constructor does work that belongs into listen or connect", least.load_ms));
}

// What comes after this is judged by how the process ends.
void ends(Context& context) {
    (void)open_raw(path_of(context));
}

void quiet(Context& context) {
    const int output = memfd_create("output", MFD_CLOEXEC);
    const int kept_out = dup(1);
    const int kept_error = dup(2);
    fflush(nullptr);
    dup2(output, 1);
    dup2(output, 2);
    const auto before = ProcessState::now();
    const auto descriptors = open_descriptors().size();
    const auto threads = thread_count();
    const auto& entry = open_raw(path_of(context));
    if (entry.descriptor != nullptr && entry.descriptor->get_extension != nullptr) {
        (void)entry.descriptor->get_extension(IPCMARK_EXT_POLLFD);
    }
    fflush(nullptr);
    const auto changes = ProcessState::now().changes_since(before);
    const auto written = lseek(output, 0, SEEK_END);
    dup2(kept_out, 1);
    dup2(kept_error, 2);
    const auto more_descriptors = open_descriptors().size();
    require(written == 0, fmt::format("loading the module wrote {} bytes to the terminal", written));
    require(changes.empty(), fmt::format("loading the module changed {}", changes));
    require(thread_count() == threads, "loading the module started a thread");
    require(more_descriptors == descriptors, "loading the module opened a descriptor");
}

void descriptor(Context& context) {
    const auto& table = raw_table(path_of(context));
    if (const auto fault = fault_of_table(table)) {
        fail(fmt::format("the module {}", *fault));
    }
    for (const char* text : {table.display_name, table.description, table.licence}) {
        require(std::strpbrk(text, "\n\r") == nullptr, fmt::format("the text '{}' has a line feed", text));
    }
    constexpr std::uint32_t known = (IPCMARK_CAP_SCRATCH_DIR << 1) - 1;
    require((table.capabilities & ~known) == 0,
            fmt::format("capabilities {:#x} has bits that version 1 of the ABI does not know", table.capabilities));
}

void accepted(Context& context) {
    (void)context.module();
}

template <class Table, class... Functions> void check_table(const void* found, const char* id, Functions... functions) {
    if (found == nullptr) {
        return;
    }
    const auto& table = *static_cast<const Table*>(found);
    require(table.size >= sizeof(Table),
            fmt::format("the table of {} says it has {} bytes, version 1 has {}", id, table.size, sizeof(Table)));
    for (const bool there : {(table.*functions != nullptr)...}) {
        require(there, fmt::format("the table of {} lacks a function", id));
    }
}

void extensions(Context& context) {
    const auto get = context.table().get_extension;
    if (get == nullptr) {
        return;
    }
    for (const char* unknown : {"", "ipcmark.nothing-of-the-kind/1", "ipcmark.pollfd/999", "IPCMARK.POLLFD/1"}) {
        require(get(unknown) == nullptr,
                fmt::format("get_extension(\"{}\") gives a table; a host would call it as what it is not", unknown));
    }
    for (const char* id : {IPCMARK_EXT_POLLFD, IPCMARK_EXT_LOAN, IPCMARK_EXT_BATCH}) {
        require(get(id) == get(id), fmt::format("get_extension(\"{}\") gives another table each time", id));
    }
    check_table<ipcmark_ext_pollfd>(get(IPCMARK_EXT_POLLFD), IPCMARK_EXT_POLLFD, &ipcmark_ext_pollfd::get_fd,
                                    &ipcmark_ext_pollfd::try_send, &ipcmark_ext_pollfd::try_recv,
                                    &ipcmark_ext_pollfd::arm);
    check_table<ipcmark_ext_loan>(get(IPCMARK_EXT_LOAN), IPCMARK_EXT_LOAN, &ipcmark_ext_loan::loan,
                                  &ipcmark_ext_loan::commit, &ipcmark_ext_loan::discard, &ipcmark_ext_loan::take,
                                  &ipcmark_ext_loan::release);
    check_table<ipcmark_ext_batch>(get(IPCMARK_EXT_BATCH), IPCMARK_EXT_BATCH, &ipcmark_ext_batch::send_batch,
                                   &ipcmark_ext_batch::recv_batch);
    if (const auto* batch = static_cast<const ipcmark_ext_batch*>(get(IPCMARK_EXT_BATCH)); batch != nullptr) {
        require(batch->max_batch >= 1, "max_batch is 0");
    }
}

constexpr std::array tests{
    Test{.id = "loading.symbol",
         .proves = "The file exports ipcmark_module_entry, by which the host finds everything else.",
         .run = symbol,
         .peers = Peers::none},
    Test{.id = "loading.magic",
         .proves = "The entry begins with the magic number, so that no other file is taken for a module.",
         .run = magic,
         .peers = Peers::none},
    Test{.id = "loading.version",
         .proves = "The module is built for the major version of the ABI that this host speaks.",
         .run = version,
         .peers = Peers::none},
    Test{.id = "loading.identity",
         .proves = "Id and version are well formed and readable from the file, before any code of the module runs.",
         .run = identity,
         .peers = Peers::none},
    Test{.id = "loading.flags",
         .proves =
             "The build flags are true: a module built with a sanitizer loads only into a host built the same way.",
         .run = flags,
         .peers = Peers::none},
    Test{.id = "loading.exports",
         .proves = "The entry is all that the file exports, so that several modules live in one process.",
         .run = exports,
         .peers = Peers::none},
    Test{.id = "loading.loads",
         .proves =
             "The dynamic loader takes the file with all symbols resolved at once; a missing one would else end a "
             "run in its middle.",
         .run = loads,
         .peers = Peers::none},
    Test{.id = "loading.time",
         .proves = "Scanning and loading take no time to speak of, since a host does both for every module there is.",
         .run = loading_time,
         .peer = loading_time_peer,
         .peers = Peers::none},
    Test{.id = "loading.ends",
         .proves =
             "A process that has loaded the module ends well: destructors that run at exit neither crash nor hang.",
         .run = ends,
         .peers = Peers::none},
    Test{.id = "loading.quiet",
         .proves = "Loading alone writes nothing, starts nothing and changes nothing in the process.",
         .run = quiet,
         .peers = Peers::none},
    Test{.id = "loading.descriptor",
         .proves =
             "The descriptor has every function and text that is required, and no capability bit that nobody knows.",
         .run = descriptor,
         .peers = Peers::none},
    Test{.id = "loading.accepted",
         .proves = "The host itself accepts the module, by all the rules it has.",
         .run = accepted,
         .peers = Peers::none},
    Test{.id = "loading.extensions",
         .proves = "Extensions are found by their exact id only, and their tables are complete.",
         .run = extensions,
         .peers = Peers::none},
};

} // namespace

std::span<const Test> loading_tests() {
    return tests;
}

} // namespace ipcmark::check
