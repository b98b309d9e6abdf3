// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "fixture_path.hpp"
#include "temp_dir.hpp"

#include <ipcmark/modules.hpp>
#include <ipcmark/run.hpp>

#include <algorithm>
#include <fstream>

#include <sys/stat.h>

using namespace ipcmark;
namespace fs = std::filesystem;

namespace {

void install(const fs::path& folder, const std::string& fault, const std::string& name) {
    fs::copy_file(fixture_path(fault), folder / name);
    REQUIRE(::chmod((folder / name).c_str(), 0755) == 0);
}

ModuleSearch search_in(std::vector<fs::path> paths) {
    ModuleSearch search;
    search.paths = std::move(paths);
    search.use_environment = false;
    return search;
}

const ModuleFile& file_in(const ModuleFolder& folder, const std::string& name) {
    const auto found = std::find_if(folder.files.begin(), folder.files.end(),
                                    [&](const ModuleFile& file) { return file.path.filename() == name; });
    REQUIRE(found != folder.files.end());
    return *found;
}

std::string find_failure(const ModuleSearch& search, const std::string& mechanism) {
    try {
        (void)find_module(search, mechanism);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "found";
}

// IPCMARK_MODULE_PATH for one scope.
class ModulePath {
public:
    explicit ModulePath(const std::string& value) { ::setenv("IPCMARK_MODULE_PATH", value.c_str(), 1); }
    ~ModulePath() { ::unsetenv("IPCMARK_MODULE_PATH"); }
    ModulePath(const ModulePath&) = delete;
    ModulePath& operator=(const ModulePath&) = delete;
};

} // namespace

TEST_CASE("every file of a folder is reported, with the reason if it is rejected", "[discover]") {
    const TempDir dir;
    install(dir.path(), "none", "good.so");
    install(dir.path(), "wrong-major", "major.so");
    install(dir.path(), "exports-more", "more.so");
    install(dir.path(), "none", "world.so");
    REQUIRE(::chmod((dir.path() / "world.so").c_str(), 0757) == 0);
    std::ofstream(dir.path() / "text.so") << "not a library";
    std::ofstream(dir.path() / "README") << "not looked at";
    fs::create_directory(dir.path() / "folder.so");
    fs::create_symlink("nowhere", dir.path() / "dangling.so");
    REQUIRE(::mkfifo((dir.path() / "pipe.so").c_str(), 0600) == 0);

    const auto folders = discover(search_in({dir.path()}));
    REQUIRE(folders.size() >= 2);
    CHECK(folders[1].origin == "build tree");
    const ModuleFolder& folder = folders[0];
    CHECK(folder.origin == "--module-path");
    CHECK_FALSE(folder.rejected);
    CHECK(folder.files.size() == 8);
    CHECK(std::is_sorted(folder.files.begin(), folder.files.end(),
                         [](const auto& a, const auto& b) { return a.path < b.path; }));
    const ModuleFile& good = file_in(folder, "good.so");
    CHECK_FALSE(good.rejected);
    CHECK(good.id == "fixture");
    CHECK(good.version == "1.2.3");
    CHECK(good.abi_major == 1);
    CHECK(good.abi_minor == 7);
    CHECK(file_in(folder, "major.so").rejected == "is built for version 2 of the module ABI, this host has version 1");
    CHECK(file_in(folder, "major.so").id == "fixture"); // so that it can be named
    CHECK(file_in(folder, "more.so").rejected.value().find("table_of_mine") != std::string::npos);
    CHECK(file_in(folder, "more.so").rejected.value().find("helper_of_mine") != std::string::npos);
    CHECK(file_in(folder, "world.so").rejected.value().starts_with("is writable by others"));
    CHECK(file_in(folder, "text.so").rejected == "is not an ELF file");
    CHECK(file_in(folder, "folder.so").rejected == "is not a regular file");
    CHECK(file_in(folder, "dangling.so").rejected == "does not exist");
    CHECK(file_in(folder, "pipe.so").rejected == "is not a regular file");
}

TEST_CASE("the identity is read from the file before any code runs", "[discover]") {
    const std::vector<std::pair<std::string, std::string>> reasons{
        {"no-entry", "does not export ipcmark_module_entry: it is no ipcmark module"},
        {"entry-is-a-function", "exports ipcmark_module_entry, but not as an ipcmark_module_entry_v1"},
        {"wrong-magic", "has a wrong magic number"},
        {"short-entry", "has an entry of 64 bytes, version 1 of the ABI has 128"},
        {"other-sanitizer", "is built with "},
        {"long-id", "has an id without an end (at most 63 letters)"},
        {"bad-id", "has a malformed id"},
        {"empty-id", "has a malformed id"},
        {"reserved-id", "has the id 'all'"},
        {"bad-version", "has a malformed version"},
    };
    const TempDir dir;
    for (const auto& [fault, reason] : reasons)
        install(dir.path(), fault, fault + ".so");
    for (const char* dangerous : {"crash-when-loaded", "hang-when-loaded", "exit-when-loaded"})
        install(dir.path(), dangerous, dangerous + std::string(".so"));
    const auto folders = discover(search_in({dir.path()}));
    for (const auto& [fault, reason] : reasons) {
        INFO(fault);
        CHECK(file_in(folders[0], fault + ".so").rejected.value_or("usable").find(reason) == 0);
    }
    CHECK_FALSE(file_in(folders[0], "crash-when-loaded.so").rejected);
}

TEST_CASE("earlier folders shadow later ones", "[discover]") {
    const TempDir first, second, third;
    install(first.path(), "bad-id", "a.so"); // rejected: shadows nothing
    install(second.path(), "none", "b.so");
    install(second.path(), "none", "c.so");
    install(third.path(), "none", "d.so");
    install(third.path(), "other-id", "e.so");
    const ModuleSearch search = search_in({first.path(), second.path(), third.path(), second.path()});
    const auto folders = discover(search);
    CHECK(std::count_if(folders.begin(), folders.end(),
                        [](const ModuleFolder& folder) { return folder.origin == "--module-path"; }) == 3);
    CHECK_FALSE(file_in(folders[1], "b.so").shadowed_by);
    CHECK(file_in(folders[1], "c.so").shadowed_by == second.path() / "b.so");
    CHECK(file_in(folders[2], "d.so").shadowed_by == second.path() / "b.so");
    CHECK_FALSE(file_in(folders[2], "e.so").shadowed_by);
    CHECK(find_module(search, "fixture").path == second.path() / "b.so");
    CHECK(find_module(search, "other").path == third.path() / "e.so");
}

TEST_CASE("folders that cannot be used are reported", "[discover]") {
    const TempDir dir;
    const fs::path open = dir.path() / "open";
    fs::create_directory(open);
    REQUIRE(::chmod(open.c_str(), 0777) == 0);
    install(dir.path(), "none", "good.so");
    const auto folders = discover(search_in({dir.path() / "missing", open, dir.path() / "good.so"}));
    CHECK(folders[0].rejected == "does not exist");
    CHECK(folders[1].rejected.value().starts_with("is writable by others (mode 0777)"));
    CHECK(folders[1].files.empty());
    CHECK(folders[2].rejected == "is not a folder");
    // Asked for by name, such a folder is an error even if the module is found elsewhere.
    CHECK(find_failure(search_in({dir.path() / "missing"}), "null") ==
          "module folder " + (dir.path() / "missing").string() + " (--module-path) does not exist");
}

TEST_CASE("IPCMARK_MODULE_PATH comes after --module-path", "[discover]") {
    const TempDir asked, first, second;
    install(asked.path(), "other-id", "x.so");
    install(first.path(), "none", "y.so");
    const ModulePath path(":" + first.path().string() + "::relative:" + second.path().string() + ":/missing-folder:");
    ModuleSearch search;
    search.paths = {asked.path()};
    const auto folders = discover(search);
    REQUIRE(folders.size() >= 5);
    CHECK(folders[0].path == asked.path());
    CHECK(folders[1].path == first.path());
    CHECK(folders[1].origin == "IPCMARK_MODULE_PATH");
    CHECK(folders[2].rejected == "is not an absolute path, as each folder of IPCMARK_MODULE_PATH must be");
    CHECK(folders[3].path == second.path());
    CHECK(folders[4].rejected == "does not exist");
    CHECK(find_module(search, "fixture").path == first.path() / "y.so"); // a stale folder there is no error
    search.use_environment = false;
    CHECK(find_failure(search, "fixture").starts_with("unknown mechanism 'fixture'"));
}

TEST_CASE("an unknown mechanism names the nearest and all there are", "[discover]") {
    const TempDir dir;
    install(dir.path(), "none", "a.so");
    install(dir.path(), "wrong-major", "broken.so");
    std::ofstream(dir.path() / "text.so") << "not a library";
    const ModuleSearch search = search_in({dir.path()});
    const std::string failure = find_failure(search, "fixtrue");
    INFO(failure);
    CHECK(failure.starts_with("unknown mechanism 'fixtrue'; did you mean 'fixture'? (there are: "));
    CHECK(find_failure(search, "text") ==
          "mechanism 'text' cannot be used: " + (dir.path() / "text.so").string() + " is not an ELF file");
}

TEST_CASE("a rejected module of a folder that was asked for is not replaced in silence", "[discover]") {
    const TempDir asked, other;
    install(asked.path(), "wrong-major", "a.so");
    install(other.path(), "none", "b.so");
    const ModulePath path(other.path().string());
    ModuleSearch search;
    CHECK(find_module(search, "fixture").path == other.path() / "b.so");
    search.paths = {asked.path()};
    CHECK(find_failure(search, "fixture").find("a.so is built for version 2") != std::string::npos);
}

TEST_CASE("only allowed modules are used", "[discover]") {
    const TempDir dir;
    install(dir.path(), "none", "a.so");
    install(dir.path(), "other-id", "b.so");
    ModuleSearch search = search_in({dir.path()});
    search.allowed_ids = {"other", "uds"};
    CHECK(find_module(search, "other").id == "other");
    CHECK(find_failure(search, "fixture").find("is not among the allowed modules (other, uds)") != std::string::npos);
    CHECK(find_failure(search, (dir.path() / "a.so").string()).find("is not among the allowed") != std::string::npos);
}

TEST_CASE("a mechanism with a slash is a path", "[discover]") {
    const TempDir dir;
    install(dir.path(), "none", "a.so");
    CHECK(find_module({}, (dir.path() / "a.so").string()).id == "fixture");
    CHECK(find_failure({}, (dir.path() / "b.so").string()).find("does not exist") != std::string::npos);
    CHECK(find_failure({}, "./").find("is not a regular file") != std::string::npos);
    REQUIRE(::chmod((dir.path() / "a.so").c_str(), 0777) == 0);
    CHECK(find_failure({}, (dir.path() / "a.so").string()).find("is writable by others") != std::string::npos);
}

TEST_CASE("the modules of the build tree are found", "[discover]") {
    const ModuleFile file = find_module(search_in({}), "null");
    CHECK(file.path.filename() == "null.so");
    CHECK(file.path.parent_path().filename() == "null");
    // Also where their folder is asked for, which then has no module itself.
    const auto folder = file.path.parent_path().parent_path();
    CHECK(find_module(search_in({folder}), "null").path == file.path);
}
