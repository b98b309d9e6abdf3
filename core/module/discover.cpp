// SPDX-License-Identifier: Apache-2.0
#include "module/identity.hpp"
#include "module/locate.hpp"
#include "module/nearest_name.hpp"
#include "module/trust.hpp"

#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ipcmark {
namespace {

namespace fs = std::filesystem;

constexpr const char* path_variable = "IPCMARK_MODULE_PATH";
constexpr const char* asked_origin = "--module-path";

enum class Layout {
    flat,       // x.so for each module
    build_tree, // x/x.so for each module
};

struct SearchFolder {
    fs::path path;
    std::string origin;
    Layout layout = Layout::flat;
};

void add_from_environment(std::vector<SearchFolder>& folders) {
    const char* const list = ::secure_getenv(path_variable); // null in a set-uid program
    if (list == nullptr)
        return;
    const std::string text = list;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(':', begin), text.size());
        if (end > begin)
            folders.push_back({text.substr(begin, end - begin), path_variable, Layout::flat});
        begin = end + 1;
    }
}

std::vector<SearchFolder> search_folders(const ModuleSearch& search) {
    std::vector<SearchFolder> folders;
    for (const fs::path& path : search.paths)
        folders.push_back({fs::absolute(path), asked_origin, Layout::flat});
    if (search.use_environment)
        add_from_environment(folders);
    if (const auto path = build_tree_module_dir())
        folders.push_back({*path, "build tree", Layout::build_tree});
    if (const auto path = installed_module_dir())
        folders.push_back({*path, "installed", Layout::flat});
    return folders;
}

ModuleFile look_at(const fs::path& path, const ModuleSearch& search, GroupWritable group) {
    ModuleFile file;
    file.path = path;
    if ((file.rejected = reason_for_distrust(path, group)))
        return file;
    const FileIdentity identity = read_identity(path);
    file.id = identity.id;
    file.version = identity.version;
    file.abi_major = identity.entry.abi_major;
    file.abi_minor = identity.entry.abi_minor;
    file.rejected = identity.rejected;
    const auto& allowed = search.allowed_ids;
    if (!file.rejected && !allowed.empty() && std::find(allowed.begin(), allowed.end(), file.id) == allowed.end())
        file.rejected = fmt::format("is not among the allowed modules ({})", fmt::join(allowed, ", "));
    return file;
}

std::vector<fs::path> module_paths(const SearchFolder& folder, std::error_code& error) {
    std::vector<fs::path> paths;
    for (fs::directory_iterator at(folder.path, error), end; !error && at != end; at.increment(error)) {
        fs::path path = at->path();
        if (folder.layout == Layout::build_tree)
            path = path / (path.filename().string() + ".so");
        std::error_code missing;
        if (path.extension() == ".so" && (folder.layout == Layout::flat || fs::exists(path, missing)))
            paths.push_back(path);
    }
    std::sort(paths.begin(), paths.end());
    return paths;
}

std::optional<std::string> fault_of_folder(const SearchFolder& folder, GroupWritable group) {
    if (!folder.path.is_absolute())
        return fmt::format("is not an absolute path, as each folder of {} must be", path_variable);
    if (const auto reason = reason_for_distrust(folder.path, group))
        return reason;
    std::error_code error;
    if (!fs::is_directory(folder.path, error))
        return "is not a folder";
    return {};
}

ModuleFolder look_into(const SearchFolder& where, const ModuleSearch& search) {
    ModuleFolder folder;
    folder.path = where.path;
    folder.origin = where.origin;
    const auto group = where.layout == Layout::build_tree ? GroupWritable::allowed : GroupWritable::refused;
    if ((folder.rejected = fault_of_folder(where, group)))
        return folder;
    std::error_code error;
    for (const fs::path& path : module_paths(where, error))
        folder.files.push_back(look_at(path, search, group));
    if (error)
        folder.rejected = fmt::format("cannot be listed: {}", error.message());
    return folder;
}

void mark_shadowed(std::vector<ModuleFolder>& folders) {
    std::map<std::string, fs::path> first;
    for (ModuleFolder& folder : folders)
        for (ModuleFile& file : folder.files) {
            if (file.rejected)
                continue;
            const auto [found, is_first] = first.emplace(file.id, file.path);
            if (!is_first)
                file.shadowed_by = found->second;
        }
}

ModuleFile module_at_path(const ModuleSearch& search, const std::string& text) {
    const fs::path path = fs::absolute(text);
    ModuleFile file = look_at(path, search, group_rule_of(path));
    if (file.rejected)
        throw UsageError(fmt::format("module {} {}", text, *file.rejected));
    return file;
}

// A folder that was asked for by name must be usable; one from the environment may be stale.
void check_asked_folders(const std::vector<ModuleFolder>& folders) {
    for (const ModuleFolder& folder : folders)
        if (folder.rejected && folder.origin == asked_origin)
            throw UsageError(
                fmt::format("module folder {} (--module-path) {}", folder.path.string(), *folder.rejected));
}

// Whether a rejected file is the one that the user meant.
bool was_meant(const ModuleFile& file, const std::string& mechanism) {
    return file.rejected && (file.id == mechanism || (file.id.empty() && file.path.stem() == mechanism));
}

[[noreturn]] void report_rejected(const ModuleFile& file, const std::string& mechanism) {
    throw UsageError(
        fmt::format("mechanism '{}' cannot be used: {} {}", mechanism, file.path.string(), *file.rejected));
}

[[noreturn]] void report_unknown(const std::vector<ModuleFolder>& folders, const std::string& mechanism) {
    std::set<std::string> ids;
    std::vector<std::string> places;
    for (const ModuleFolder& folder : folders) {
        places.push_back(folder.path.string() + (folder.rejected ? " (" + *folder.rejected + ")" : ""));
        for (const ModuleFile& file : folder.files) {
            if (was_meant(file, mechanism))
                report_rejected(file, mechanism);
            if (!file.rejected)
                ids.insert(file.id);
        }
    }
    const std::vector<std::string> names(ids.begin(), ids.end());
    if (names.empty())
        throw UsageError(fmt::format("unknown mechanism '{}': no module was found; looked in {}{}", mechanism,
                                     fmt::join(places, ", "), place_doubt()));
    throw UsageError(fmt::format("unknown mechanism '{}'{} (there are: {})", mechanism, did_you_mean(mechanism, names),
                                 fmt::join(names, ", ")));
}

} // namespace

GroupWritable group_rule_of(const fs::path& path) {
    const auto build_tree = build_tree_module_dir();
    const bool is_own =
        build_tree && fs::absolute(path).lexically_normal().string().starts_with(build_tree->string() + '/');
    return is_own ? GroupWritable::allowed : GroupWritable::refused;
}

std::vector<ModuleFolder> discover(const ModuleSearch& search) {
    std::vector<ModuleFolder> folders;
    std::set<std::pair<fs::path, Layout>> seen;
    for (const SearchFolder& where : search_folders(search)) {
        std::error_code error;
        const fs::path real = fs::weakly_canonical(where.path, error);
        if (seen.emplace(error ? where.path : real, where.layout).second)
            folders.push_back(look_into(where, search));
    }
    mark_shadowed(folders);
    return folders;
}

ModuleFile find_module(const ModuleSearch& search, const std::string& mechanism) {
    if (mechanism.find('/') != std::string::npos)
        return module_at_path(search, mechanism);
    const std::vector<ModuleFolder> folders = discover(search);
    check_asked_folders(folders);
    for (const ModuleFolder& folder : folders)
        for (const ModuleFile& file : folder.files) {
            if (!file.rejected && !file.shadowed_by && file.id == mechanism)
                return file;
            // Who asks for a folder wants what is in it: another module of the same id would be measured in silence.
            if (folder.origin == asked_origin && was_meant(file, mechanism))
                report_rejected(file, mechanism);
        }
    report_unknown(folders, mechanism);
}

} // namespace ipcmark
