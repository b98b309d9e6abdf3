// SPDX-License-Identifier: Apache-2.0
#include "module/loaded_module.hpp"

#include "module/capability_names.hpp"
#include "module/debug_wrapper.hpp"
#include "module/guarded_call.hpp"
#include "module/identity.hpp"
#include "module/nearest_name.hpp"
#include "module/option_text.hpp"
#include "module/table_check.hpp"

#include <algorithm>
#include <cstring>
#include <mutex>

// Boost.DLL on std::filesystem, so that nothing of Boost is needed at run time.
#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <fmt/format.h>

namespace ipcmark {
namespace {

// The ends of the tables of ABI 1.0, the least that any module has. A member that a later minor version appends does
// not move them.
constexpr std::uint32_t first_descriptor_size =
    offsetof(ipcmark_descriptor, get_extension) + sizeof(ipcmark_descriptor::get_extension);
constexpr std::uint32_t first_option_size = offsetof(ipcmark_option, help) + sizeof(ipcmark_option::help);
// Keeps a count that is nonsense from being walked.
constexpr std::uint32_t most_options = 4096;

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& fault) {
    throw RunError(fmt::format("module {} {}", path.string(), fault));
}

// Never destroyed and never unloaded: threads, exit handlers and thread-local data of a module may outlive any use
// that the host makes of it.
boost::dll::shared_library& keep(boost::dll::shared_library library) {
    static std::mutex mutex;
    static auto& libraries = *new std::vector<std::unique_ptr<boost::dll::shared_library>>;
    const std::lock_guard lock(mutex);
    libraries.push_back(std::make_unique<boost::dll::shared_library>(std::move(library)));
    return *libraries.back();
}

// The dynamic loader's own words, which name the missing symbol or library, without what Boost.DLL puts around them.
std::string loader_message(const std::string& what) {
    constexpr std::string_view before = "dlerror system message: ";
    const std::size_t begin = what.find(before);
    const std::size_t end = what.rfind(')');
    if (begin == std::string::npos || end == std::string::npos || end < begin + before.size())
        return what;
    return what.substr(begin + before.size(), end - begin - before.size());
}

boost::dll::shared_library& open_library(const std::filesystem::path& path) {
    boost::dll::shared_library library;
    try {
        library.load(path, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
    } catch (const std::exception& failure) {
        refuse(path, fmt::format("cannot be loaded: {}", loader_message(failure.what())));
    }
    return keep(std::move(library));
}

const ipcmark_module_entry_v1& entry_of(const std::filesystem::path& path, const EntryIdentity& on_disk) {
    boost::dll::shared_library& library = open_library(path);
    if (!library.has(IPCMARK_ENTRY_SYMBOL))
        refuse(path, "does not export " IPCMARK_ENTRY_SYMBOL);
    const auto& entry = library.get<const ipcmark_module_entry_v1>(IPCMARK_ENTRY_SYMBOL);
    // A relocation or a constructor could have made another identity of the one that was checked.
    if (std::memcmp(&entry, &on_disk, sizeof on_disk) != 0)
        refuse(path, "changes its identity when it is loaded: the entry must be constant");
    return entry;
}

std::vector<ipcmark_option> copy_options(const std::filesystem::path& path, const ipcmark_descriptor& table) {
    if (table.option_count == 0)
        return {};
    if (table.options == nullptr || table.option_count > most_options)
        refuse(path, fmt::format("claims {} options but has no such table", table.option_count));
    if (table.option_size < first_option_size)
        refuse(path, fmt::format("has an option_size of {} bytes, version 1 of the ABI has {}", table.option_size,
                                 first_option_size));
    std::vector<ipcmark_option> options(table.option_count);
    const char* from = reinterpret_cast<const char*>(table.options);
    for (ipcmark_option& option : options) {
        std::memcpy(&option, from, std::min<std::size_t>(sizeof option, table.option_size));
        from += table.option_size;
    }
    return options;
}

ipcmark_descriptor copy_table(const std::filesystem::path& path, const ipcmark_descriptor* theirs) {
    if (theirs == nullptr)
        refuse(path, "has no descriptor in its entry");
    if (theirs->size < first_descriptor_size)
        refuse(path, fmt::format("has a descriptor of {} bytes, version 1 of the ABI has {}", theirs->size,
                                 first_descriptor_size));
    ipcmark_descriptor ours{};
    std::memcpy(&ours, theirs, std::min<std::size_t>(sizeof ours, theirs->size));
    return ours;
}

} // namespace

std::shared_ptr<const Module> Module::load(const ModuleFile& file, Checking checking) {
    if (file.rejected)
        refuse(file.path, *file.rejected);
    std::error_code error;
    const std::filesystem::path path = std::filesystem::canonical(file.path, error);
    if (error)
        refuse(file.path, fmt::format("cannot be opened: {}", error.message()));
    // Read again: this may be another process than the one that found the file, and a while later.
    const FileIdentity identity = read_identity(path);
    if (identity.rejected)
        refuse(path, *identity.rejected);
    if (!file.id.empty() && (identity.id != file.id || identity.version != file.version))
        refuse(path, fmt::format("was replaced while it was in use: it was {} {} and is {} {}", file.id, file.version,
                                 identity.id, identity.version));

    const ipcmark_module_entry_v1& entry = entry_of(path, identity.entry);
    const std::shared_ptr<Module> module(new Module);
    module->file_ = file;
    module->file_.path = path;
    module->file_.id = identity.id;
    module->file_.version = identity.version;
    module->file_.abi_major = identity.entry.abi_major;
    module->file_.abi_minor = identity.entry.abi_minor;
    module->table_ = copy_table(path, entry.descriptor);
    if (const auto fault = fault_of_table(module->table_))
        refuse(path, *fault);
    module->options_ = copy_options(path, module->table_);
    if (const auto fault = fault_of_options(module->options_))
        refuse(path, *fault);
    module->checking_ = checking;
    if (checking == Checking::contract)
        module->table_ = wrap_for_debugging(module->table_, module->file_.id);
    return module;
}

const void* Module::extension(const char* id) const {
    if (table_.get_extension == nullptr)
        return nullptr;
    const void* table = guarded_call(file_.id, "get_extension", [&] { return table_.get_extension(id); });
    if (const auto fault = fault_of_extension(id, table))
        throw RunError(fmt::format("module '{}' {}: a fault of the module", file_.id, *fault));
    return table;
}

ModuleIdentity Module::identity() const {
    ModuleIdentity identity;
    identity.id = file_.id;
    identity.version = file_.version;
    identity.display_name = table_.display_name;
    identity.result_name = table_.result_name;
    identity.path = file_.path.string();
    identity.abi_major = file_.abi_major;
    identity.abi_minor = file_.abi_minor;
    identity.capabilities = capability_names(table_.capabilities);
    identity.checked = checking_ == Checking::contract;
    return identity;
}

OptionValues Module::parse_options(const std::map<std::string, std::string>& texts) const {
    std::vector<std::string> names;
    for (const ipcmark_option& option : options_)
        names.emplace_back(option.name);
    for (const auto& [name, text] : texts) {
        if (std::find(names.begin(), names.end(), name) != names.end())
            continue;
        if (names.empty())
            throw UsageError(fmt::format("module {} has no option '{}': it has none at all", file_.id, name));
        throw UsageError(fmt::format("module {} has no option '{}'{} ('ipcmark inspect {}' shows what it has)",
                                     file_.id, name, did_you_mean(name, names), file_.id));
    }
    OptionValues parsed;
    for (const ipcmark_option& option : options_) {
        const auto given = texts.find(option.name);
        const std::string_view text = given == texts.end() ? std::string_view(option.default_text) : given->second;
        auto storage = std::make_unique<std::string>();
        try {
            parsed.values_.push_back(parse_option_text(option, text, *storage));
        } catch (const UsageError& error) {
            throw UsageError(fmt::format("option '{}' of module {}: {}", option.name, file_.id, error.what()));
        }
        parsed.values_.back().is_set = given == texts.end() ? 0 : 1;
        parsed.strings_.push_back(std::move(storage));
    }
    return parsed;
}

std::string Module::option_text(std::uint32_t index, const ipcmark_value& value) const {
    const ipcmark_option& option = options_[index];
    if (value.type != option.type)
        throw RunError(fmt::format("module {} gave a value of the type {} for its option '{}' of the type {}", file_.id,
                                   option_type_name(value.type), option.name, option_type_name(option.type)));
    return format_option_value(option, value);
}

} // namespace ipcmark
