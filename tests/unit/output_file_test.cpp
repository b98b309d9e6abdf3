// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "result/output_file.hpp"
#include "temp_dir.hpp"

#include <ipcmark/run.hpp>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace fs = std::filesystem;
using namespace ipcmark;

namespace {

template <class Error, class Call> std::string error_of(Call call) {
    try {
        call();
    } catch (const Error& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// To root's files nothing is forbidden: this thread is another user's in the file system while it lives.
class AsNobody {
public:
    AsNobody() {
        if (::geteuid() == 0)
            ::setfsuid(65534);
    }
    ~AsNobody() { ::setfsuid(::geteuid()); }
    AsNobody(const AsNobody&) = delete;
    AsNobody& operator=(const AsNobody&) = delete;
};

class FileSizeLimit {
public:
    explicit FileSizeLimit(rlim_t size_bytes) : ignored_before_(::signal(SIGXFSZ, SIG_IGN)) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit lower{size_bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &lower);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, ignored_before_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

private:
    void (*ignored_before_)(int);
    rlimit before_{};
};

} // namespace

TEST_CASE("a file has its name only when it is complete") {
    const TempDir folder;
    const fs::path path = folder / "r.json";
    folder.write("r.json", "old");
    {
        OutputFile file(path);
        file.append("new");
        CHECK(text_of(path) == "old");
        CHECK(text_of(folder / "r.json.partial") == "new");
        file.commit();
    }
    CHECK(text_of(path) == "new");
    CHECK_FALSE(fs::exists(folder / "r.json.partial"));
}

TEST_CASE("a file that was not committed keeps what was written, under the partial name") {
    const TempDir folder;
    {
        OutputFile file(folder / "some");
        file.append("text");
        OutputFile nothing(folder / "nothing");
    }
    CHECK(text_of(folder / "some.partial") == "text");
    CHECK_FALSE(fs::exists(folder / "some"));
    CHECK_FALSE(fs::exists(folder / "nothing.partial"));
}

TEST_CASE("the closing text is always there and always last") {
    const TempDir folder;
    OutputFile file(folder / "list");
    file.append("[1", "]");
    CHECK(text_of(folder / "list.partial") == "[1]");
    file.append(",2", "]");
    CHECK(text_of(folder / "list.partial") == "[1,2]");
    file.commit();
    CHECK(text_of(folder / "list") == "[1,2]");
}

TEST_CASE("a replaced file keeps its mode, and a link stays a link") {
    const TempDir folder;
    folder.write("real", "old");
    REQUIRE(::chmod((folder / "real").c_str(), 0640) == 0);
    fs::create_symlink("real", folder / "link");
    write_output(folder / "link", "new");
    CHECK(fs::is_symlink(folder / "link"));
    CHECK(text_of(folder / "real") == "new");
    struct stat status {};
    REQUIRE(::stat((folder / "real").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);
    // Also one whose file is not there yet.
    fs::create_symlink("later", folder / "link-to-later");
    fs::create_symlink("link-to-later", folder / "second-link");
    check_output(folder / "second-link");
    CHECK_FALSE(fs::exists(folder / "later"));
    write_output(folder / "second-link", "new");
    CHECK(fs::is_symlink(folder / "second-link"));
    CHECK(fs::is_symlink(folder / "link-to-later"));
    CHECK(text_of(folder / "later") == "new");
    fs::create_symlink("circle", folder / "circle");
    CHECK(contains(error_of<UsageError>([&] { check_output(folder / "circle"); }), "Too many levels"));
}

TEST_CASE("what cannot be written is named with the reason and the remedy") {
    const TempDir folder;
    const std::string missing = error_of<UsageError>([&] { check_output(folder / "no" / "r.json"); });
    CHECK(contains(missing, (folder / "no" / "r.json").string()));
    CHECK(contains(missing, "No such file or directory; make the folder"));
    CHECK(contains(error_of<UsageError>([&] { OutputFile file(folder / "no" / "r.json"); }), "No such file"));
    CHECK(contains(error_of<UsageError>([&] { check_output(folder.path()); }), "Is a directory; name a file in it"));
    CHECK(contains(error_of<UsageError>([&] { check_output(""); }), "without a name"));
    CHECK(contains(error_of<UsageError>([&] { check_output(folder / std::string(300, 'n')); }), "too long"));
    folder.write("file", "");
    CHECK(contains(error_of<UsageError>([&] { check_output(folder / "file" / "r.json"); }), "Not a directory"));
}

TEST_CASE("checking a path leaves nothing behind and changes nothing") {
    const TempDir folder;
    folder.write("there", "text");
    check_output(folder / "there");
    check_output(folder / "new");
    CHECK(text_of(folder / "there") == "text");
    CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
}

TEST_CASE("a full disk is a failed run, and what had the name stays") {
    CHECK(
        contains(error_of<RunError>([] { write_output("/dev/full", "text"); }), "No space left on device; make room"));
}

TEST_CASE("a file in a folder that takes no names is written in place") {
    const TempDir folder;
    folder.write("r.json", "old, and longer");
    REQUIRE(::chmod((folder / "r.json").c_str(), 0666) == 0);
    REQUIRE(::chmod(folder.path().c_str(), 0555) == 0);
    {
        const AsNobody nobody;
        write_output(folder / "r.json", "new");
        CHECK(contains(error_of<UsageError>([&] { check_output(folder / "other"); }), "Permission denied"));
        CHECK(text_of(folder / "r.json") == "new");
        {
            OutputFile stream(folder / "r.json");
            CHECK(text_of(folder / "r.json") == "new");
            stream.append("[1", "]");
            stream.append(",2", "]");
            CHECK(text_of(folder / "r.json") == "[1,2]");
            stream.commit();
        }
        OutputFile(folder / "r.json").commit();
    }
    CHECK(text_of(folder / "r.json").empty());
    REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
}

TEST_CASE("a full disk leaves a file that is written in place as it was") {
    const TempDir folder;
    folder.write("r.json", "old");
    REQUIRE(::chmod((folder / "r.json").c_str(), 0666) == 0);
    REQUIRE(::chmod(folder.path().c_str(), 0555) == 0);
    {
        // A limit of the process stands for the end of the disk: posix_fallocate answers it as it does a full one.
        const FileSizeLimit limit(1000);
        const AsNobody nobody;
        CHECK(contains(error_of<RunError>([&] { write_output(folder / "r.json", std::string(2000, 'x')); }),
                       "cannot write"));
    }
    CHECK(text_of(folder / "r.json") == "old");
    REQUIRE(::chmod(folder.path().c_str(), 0755) == 0);
}

TEST_CASE("a pipe is written directly") {
    const TempDir folder;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const fs::path path = "/proc/self/fd/" + std::to_string(ends[1]);
    check_output(path);
    {
        OutputFile file(path);
        file.append("[1", "]");
        file.append(",2", "]");
        file.commit();
    }
    ::close(ends[1]);
    char text[16];
    const ssize_t size = ::read(ends[0], text, sizeof text);
    ::close(ends[0]);
    CHECK(std::string(text, static_cast<std::size_t>(size)) == "[1,2]");
}

TEST_CASE("a descriptor is written on, and what it leads to is not replaced") {
    const TempDir folder;
    const fs::path path = folder / "out";
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
    REQUIRE(::write(descriptor, "header\n", 7) == 7);
    const std::string name = "/proc/self/fd/" + std::to_string(descriptor);
    fs::create_symlink(name, folder / "stdout");
    for (const fs::path& way : {fs::path(name), fs::path("/dev/fd/" + std::to_string(descriptor)), folder / "stdout"}) {
        check_output(way);
        write_output(way, "text\n");
    }
    CHECK(text_of(path) == "header\ntext\ntext\ntext\n");
    // As a temporary file's: the link cannot be followed any more.
    fs::remove(path);
    write_output(folder / "stdout", "more");
    CHECK(fs::is_symlink(folder / "stdout"));
    CHECK(::lseek(descriptor, 0, SEEK_CUR) == 26);
    ::close(descriptor);
    CHECK(contains(error_of<UsageError>([&] { check_output(folder / "stdout"); }), "descriptor"));
}

TEST_CASE("a partial name that is taken is named before anything runs") {
    const TempDir folder;
    fs::create_directory(folder / "r.json.partial");
    for (const auto& action : {+[](const fs::path& path) { check_output(path); },
                               +[](const fs::path& path) { const OutputFile file(path); }}) {
        const std::string error = error_of<UsageError>([&] { action(folder / "r.json"); });
        CHECK(contains(error, "r.json.partial is no file; remove it"));
    }
    ::mkfifo((folder / "s.csv.partial").c_str(), 0600);
    CHECK(contains(error_of<UsageError>([&] { const OutputFile file(folder / "s.csv"); }), "is no file"));
    folder.write("elsewhere", "kept");
    fs::create_symlink(folder / "elsewhere", folder / "t.csv.partial");
    CHECK(contains(error_of<UsageError>([&] { const OutputFile file(folder / "t.csv"); }), "is no file"));
    CHECK(text_of(folder / "elsewhere") == "kept");
}

TEST_CASE("two runs do not write one file at the same time") {
    const TempDir folder;
    {
        OutputFile first(folder / "s.csv");
        first.append("first");
        CHECK(contains(error_of<UsageError>([&] { const OutputFile second(folder / "s.csv"); }), "another run writes"));
        CHECK(text_of(folder / "s.csv.partial") == "first");
        first.commit();
    }
    // Of two that end together each has its document.
    {
        OutputFile first(folder / "r.json");
        first.append("first");
        std::thread second([&] { write_output(folder / "r.json", "second"); });
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        first.commit();
        second.join();
        CHECK(text_of(folder / "r.json") == "second");
    }
    OutputFile third(folder / "s.csv");
    third.append("third");
    CHECK(text_of(folder / "s.csv") == "first");
    third.commit();
    CHECK(text_of(folder / "s.csv") == "third");
}
