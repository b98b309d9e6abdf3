// SPDX-License-Identifier: Apache-2.0
#include "module/locate.hpp"

#include "config.h"

#include <ipcmark/run.hpp>

#include <array>
#include <vector>

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>

namespace ipcmark {
namespace {

namespace fs = std::filesystem;

constexpr const char* worker_name = "ipcmark-worker";
constexpr const char* program_link = "/proc/self/exe";
std::string own_file_doubt;

struct Place {
    std::optional<fs::path> build_root; // of the build tree; not set: installed
    fs::path libexecdir;
    fs::path moduledir;
};

// The real folder of the program or library that this function is in.
fs::path own_folder() {
    Dl_info info{};
    link_map* map = nullptr;
    std::error_code error;
    fs::path file = program_link; // what the loader knows of the program itself is only argv[0]
    if (::dladdr1(reinterpret_cast<const void*>(&own_folder), &info, reinterpret_cast<void**>(&map), RTLD_DL_LINKMAP) !=
            0 &&
        map != nullptr && map->l_name != nullptr && *map->l_name != '\0')
        file = map->l_name;
    const fs::path real = fs::canonical(file, error);
    if (error)
        own_file_doubt =
            fmt::format(" ({} cannot be read: {}; without it only the place of an installation is known{})",
                        file.string(), error.message(), file == program_link ? ": mount /proc" : "");
    return error ? fs::path(IPCMARK_BINDIR) : real.parent_path();
}

// `folder` without `suffix` at its end; not set if it does not end so. Both are absolute or both relative to something.
std::optional<fs::path> without_suffix(const fs::path& folder, const fs::path& suffix) {
    fs::path rest = folder;
    fs::path end = suffix.lexically_normal();
    while (!end.empty() && end != end.root_path()) {
        if (rest.filename() != end.filename())
            return {};
        rest = rest.parent_path();
        end = end.parent_path();
    }
    return rest;
}

fs::path below(const fs::path& root, const fs::path& absolute) {
    return (root / absolute.relative_path()).lexically_normal();
}

// Where the parts would be if `folder` were one of our installed folders: with everything below some DESTDIR, or with
// the whole prefix moved elsewhere.
std::vector<Place> places_seen_from(const fs::path& folder) {
    const std::array<fs::path, 3> own_dirs{IPCMARK_BINDIR, IPCMARK_LIBDIR, IPCMARK_LIBEXECDIR};
    const fs::path prefix = IPCMARK_PREFIX;
    const auto in_prefix = [&](const fs::path& path) { return path.lexically_relative(prefix); };
    std::vector<Place> places;
    for (const fs::path& own : own_dirs)
        if (const auto root = without_suffix(folder, own))
            places.push_back({{}, below(*root, IPCMARK_LIBEXECDIR), below(*root, IPCMARK_MODULEDIR)});
    for (const fs::path& own : own_dirs) {
        const fs::path relative = in_prefix(own);
        if (relative.empty() || *relative.begin() == "..")
            continue;
        if (const auto moved = without_suffix(folder, relative))
            places.push_back({{},
                              (*moved / in_prefix(IPCMARK_LIBEXECDIR)).lexically_normal(),
                              (*moved / in_prefix(IPCMARK_MODULEDIR)).lexically_normal()});
    }
    return places;
}

bool is_inside(const fs::path& path, const fs::path& folder) {
    const fs::path relative = path.lexically_relative(folder);
    return !relative.empty() && *relative.begin() != "..";
}

bool has_worker(const fs::path& folder) {
    std::error_code error;
    return fs::is_regular_file(folder / worker_name, error);
}

Place find_place() {
    const fs::path folder = own_folder();
    std::error_code error;
    // Installed comes first: a test may install below the build tree. Modules without a worker are a broken
    // installation, but ours: the error will name the place where the worker should be.
    const std::vector<Place> installed = places_seen_from(folder);
    for (const Place& place : installed)
        if (has_worker(place.libexecdir))
            return place;
    for (const Place& place : installed)
        if (fs::is_directory(place.moduledir, error))
            return place;
    const fs::path build_root = fs::canonical(IPCMARK_BUILD_ROOT, error);
    if (!error && is_inside(folder, build_root))
        return {build_root, build_root / "host", {}};
    return {{}, IPCMARK_LIBEXECDIR, IPCMARK_MODULEDIR};
}

const Place& place() {
    static const Place found = find_place();
    return found;
}

} // namespace

fs::path worker_program() {
    if (has_worker(place().libexecdir))
        return place().libexecdir / worker_name;
    throw RunError(fmt::format("the worker program {} is missing: it should be in {}; install ipcmark again",
                               worker_name, place().libexecdir.string()) +
                   own_file_doubt);
}

std::optional<fs::path> installed_module_dir() {
    if (place().build_root)
        return {};
    return place().moduledir;
}

std::optional<fs::path> build_tree_module_dir() {
    if (!place().build_root)
        return {};
    return *place().build_root / "modules";
}

std::string place_doubt() {
    (void)place();
    return own_file_doubt;
}

} // namespace ipcmark
