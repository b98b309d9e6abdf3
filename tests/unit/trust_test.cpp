// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "module/trust.hpp"
#include "temp_dir.hpp"

#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

using namespace ipcmark;
namespace fs = std::filesystem;

namespace {

constexpr uid_t stranger = 54'321;

fs::path make_file(const fs::path& path, mode_t mode = 0644) {
    std::ofstream(path) << "x";
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path;
}

fs::path make_folder(const fs::path& path, mode_t mode = 0755) {
    fs::create_directory(path);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path;
}

std::string reason(const fs::path& path, GroupWritable group = GroupWritable::refused) {
    return reason_for_distrust(path, group).value_or("trusted");
}

} // namespace

TEST_CASE("what only we can write to is trusted", "[trust]") {
    const TempDir dir; // below /tmp, which everyone may write to but which is sticky
    CHECK(reason(dir.path()) == "trusted");
    CHECK(reason(make_file(dir.path() / "file")) == "trusted");
    CHECK(reason("/") == "trusted");
    CHECK(reason("/usr/bin/env") == "trusted");
    fs::create_symlink("file", dir.path() / "link");
    CHECK(reason(dir.path() / "link") == "trusted");
    fs::create_symlink(dir.path() / "file", dir.path() / "absolute-link");
    CHECK(reason(dir.path() / "absolute-link") == "trusted");
    CHECK(reason(dir.path() / "." / ".." / dir.path().filename() / "link") == "trusted");
}

TEST_CASE("what others can write to is refused", "[trust]") {
    const TempDir dir;
    CHECK(reason(make_file(dir.path() / "world", 0646)).starts_with("is writable by others (mode 0646)"));
    CHECK(reason(make_file(dir.path() / "group", 0664)).starts_with("is writable by its group (mode 0664)"));
    CHECK(reason(dir.path() / "group", GroupWritable::allowed) == "trusted");
    CHECK(reason(dir.path() / "world", GroupWritable::allowed).starts_with("is writable by others"));

    // The folder that modules are in must not be writable even if it is sticky: a stranger could add a module.
    CHECK(reason(make_folder(dir.path() / "sticky", 01777)).starts_with("is writable by others (mode 1777)"));
    // Nor any folder above, unless it is sticky.
    const fs::path open = make_folder(dir.path() / "open");
    make_folder(open / "inner");
    make_file(open / "inner" / "file");
    CHECK(reason(open / "inner" / "file") == "trusted");
    REQUIRE(::chmod(open.c_str(), 0777) == 0);
    CHECK(reason(open / "inner" / "file").starts_with("is below " + open.string() + ", which is writable by others"));
    REQUIRE(::chmod(open.c_str(), 01777) == 0);
    CHECK(reason(open / "inner" / "file") == "trusted");
    REQUIRE(::chmod(open.c_str(), 0775) == 0);
    CHECK(reason(open / "inner").find("is writable by its group") != std::string::npos);

    // A link leads to the same judgement of where it points.
    fs::create_symlink("open/inner", dir.path() / "link");
    CHECK(reason(dir.path() / "link" / "file").find("is writable by its group") != std::string::npos);
}

TEST_CASE("what cannot be examined is refused", "[trust]") {
    const TempDir dir;
    CHECK(reason(dir.path() / "missing") == "does not exist");
    fs::create_symlink("b", dir.path() / "a");
    fs::create_symlink("a", dir.path() / "b");
    CHECK(reason(dir.path() / "a").find("too many links") != std::string::npos);
    make_file(dir.path() / "file");
    CHECK(reason(dir.path() / "file" / "below").starts_with("cannot be examined"));
}

TEST_CASE("what belongs to another user is refused", "[trust]") {
    if (::geteuid() != 0) {
        WARN("only root can give files away: not tested");
        return;
    }
    const TempDir dir;
    const fs::path file = make_file(dir.path() / "file");
    REQUIRE(::chown(file.c_str(), stranger, 0) == 0);
    CHECK(reason(file) == "belongs to another user (uid 54321), who could change it");
    const fs::path folder = make_folder(dir.path() / "folder");
    make_file(folder / "file");
    REQUIRE(::chown(folder.c_str(), stranger, 0) == 0);
    CHECK(reason(folder / "file").starts_with("is below " + folder.string() + ", which belongs to another user"));
    const fs::path link = dir.path() / "link";
    fs::create_symlink("/usr/bin/env", link);
    REQUIRE(::lchown(link.c_str(), stranger, 0) == 0);
    CHECK(reason(link).starts_with("is reached by the link " + link.string() + " of another user"));
}
