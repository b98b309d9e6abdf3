// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "result/same_output.hpp"
#include "temp_dir.hpp"

#include <filesystem>
#include <string>

#include <fcntl.h>
#include <unistd.h>

namespace fs = std::filesystem;
using ipcmark::same_output;

TEST_CASE("two ways to one file are the same output, whether it is there or not") {
    const TempDir folder;
    fs::create_directory(folder / "real");
    fs::create_directory_symlink("real", folder / "folder-link");
    fs::create_symlink("real/there", folder / "link");
    fs::create_symlink("real/new", folder / "new-link");
    fs::create_symlink("new-link", folder / "link-to-link");
    folder.write("real/there", "");
    fs::create_hard_link(folder / "real/there", folder / "hard");
    const auto there = folder / "real/there";
    for (const char* way : {"real/there", "real/../real/there", "folder-link/there", "link", "hard"})
        CHECK(same_output(there, folder / way));
    for (const char* way : {"real/new", "real/./new", "folder-link/new", "new-link", "link-to-link"})
        CHECK(same_output(folder / "real/new", folder / way));
    CHECK_FALSE(same_output(there, folder / "real/new"));
    CHECK_FALSE(same_output(folder / "real/other", folder / "real/new"));
    CHECK_FALSE(same_output(folder / "no/folder", folder / "no/other"));

    const int descriptor = ::open(there.c_str(), O_WRONLY | O_CLOEXEC);
    CHECK(same_output("/dev/fd/" + std::to_string(descriptor), folder / "link"));
    ::close(descriptor);
}

TEST_CASE("to write nowhere twice is no conflict") {
    CHECK_FALSE(same_output("/dev/null", "/dev/null"));
}
