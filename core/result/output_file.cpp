// SPDX-License-Identifier: Apache-2.0
#include "result/output_file.hpp"

#include "module/limit_remedy.hpp"
#include "result/descriptor_path.hpp"
#include "result/follow_links.hpp"
#include "run/unique_fd.hpp"

#include <ipcmark/run.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ipcmark {

namespace fs = std::filesystem;

namespace {

std::string remedy_of(int error, const fs::path& path) {
    const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    switch (error) {
    case ENOENT:
        return fmt::format("; make the folder {} first", folder.string());
    case EACCES:
    case EPERM:
    case EROFS:
        return "; choose a folder that you may write to";
    case ENOSPC:
    case EDQUOT:
        return "; make room or choose another folder";
    case EISDIR:
        return "; name a file in it";
    case EBADF:
        return "; name a descriptor that is open for writing, or a file";
    case ENXIO:
        return "; nobody has opened it for reading: start its reader first";
    case ETIMEDOUT:
        return "; its reader has read nothing for half a minute";
    default:
        return limit_remedy(error);
    }
}

std::string message(const char* what, const fs::path& path, int error) {
    return fmt::format("{} {}: {}{}", what, path.string(), std::strerror(error), remedy_of(error, path));
}

[[noreturn]] void refuse(const fs::path& path, int error) {
    throw UsageError(message("cannot write", path, error));
}

// Never the link itself where it cannot be followed: that would be replaced by a file.
fs::path target_of(const fs::path& path) {
    std::error_code error;
    fs::path target = follow_links(path, error);
    if (error)
        refuse(path, error.value());
    return target;
}

fs::path partial_name(const fs::path& path) {
    return path.string() + ".partial";
}

int open_retrying(const fs::path& path, int flags, mode_t mode = 0) {
    int descriptor;
    do
        descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
    while (descriptor < 0 && errno == EINTR);
    return descriptor;
}

constexpr mode_t new_file_mode = 0666; // less the umask

struct Target {
    enum class Kind { absent, regular, fifo, other } kind;
    mode_t mode;
};

using namespace std::chrono_literals;
// Who is to read a pipe may come a little later than its writer, and be slow; a run does not wait for ever.
constexpr auto reader_comes_within = 10s;
constexpr auto reader_reads_within = 30s;

// A pipe with a name, for writing without waiting; -1 with ENXIO where nobody comes to read it.
int open_fifo(const fs::path& path) {
    const auto limit = std::chrono::steady_clock::now() + reader_comes_within;
    for (;;) {
        const int descriptor = open_retrying(path, O_WRONLY | O_NONBLOCK);
        if (descriptor >= 0 || errno != ENXIO || std::chrono::steady_clock::now() >= limit)
            return descriptor;
        std::this_thread::sleep_for(10ms);
    }
}

// A .partial is a file of its own: no pipe, and not what a link leads to.
bool is_regular(int descriptor) {
    struct stat status {};
    return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

[[noreturn]] void refuse_partial(const fs::path& path, const fs::path& partial, const std::string& reason) {
    throw UsageError(
        fmt::format("cannot write {}: {} {}; remove it or name another file", path.string(), partial.string(), reason));
}

// Before a file is written over: on a full disk what is there stays whole. Returns an errno, or 0.
int make_room(int to, off_t size_bytes) {
    struct stat there {};
    if (::fstat(to, &there) != 0)
        return errno;
    if (size_bytes <= there.st_size)
        return 0;
    const int error = ::posix_fallocate(to, there.st_size, size_bytes - there.st_size);
    if (error != ENOSPC && error != EDQUOT && error != EFBIG)
        return 0; // as far as can be known
    (void)::ftruncate(to, there.st_size);
    return error;
}

bool is_at(int descriptor, const fs::path& path) {
    struct stat open {};
    struct stat named {};
    return ::fstat(descriptor, &open) == 0 && ::lstat(path.c_str(), &named) == 0 && open.st_ino == named.st_ino &&
           open.st_dev == named.st_dev;
}

// Opens, creates and locks NAME.partial, and empties it. -1 with errno where there can be none.
int open_partial(const fs::path& path, const fs::path& partial, OutputFile::WhenBusy when_busy) {
    using Clock = std::chrono::steady_clock;
    // A document is written in a moment; a stream is not.
    const auto limit = when_busy == OutputFile::WhenBusy::refuse ? Clock::time_point() : Clock::now() + 5s;
    for (;;) {
        const int descriptor = open_retrying(partial, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, new_file_mode);
        if (descriptor < 0) {
            struct stat status {};
            const int error = errno;
            if (::lstat(partial.c_str(), &status) == 0)
                refuse_partial(path, partial, S_ISREG(status.st_mode) ? "cannot be overwritten" : "is no file");
            errno = error;
            return -1;
        }
        if (!is_regular(descriptor)) {
            ::close(descriptor);
            refuse_partial(path, partial, "is no file");
        }
        if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
            ::close(descriptor);
            if (Clock::now() < limit) {
                std::this_thread::sleep_for(10ms);
                continue;
            }
            throw UsageError(
                fmt::format("cannot write {}: another run writes {}; wait for its end or name another file",
                            path.string(), partial.string()));
        }
        // The run that had it may have given it its name just now: then this is its complete file.
        if (is_at(descriptor, partial)) {
            (void)::ftruncate(descriptor, 0);
            return descriptor;
        }
        ::close(descriptor);
    }
}

// Throws UsageError for what can never be written.
Target look_at(const fs::path& given, const fs::path& target) {
    if (given.empty())
        throw UsageError("cannot write to a file without a name");
    struct stat status {};
    if (::stat(target.c_str(), &status) != 0) {
        if (errno != ENOENT)
            refuse(given, errno);
        return {Target::Kind::absent, 0};
    }
    if (S_ISDIR(status.st_mode))
        refuse(given, EISDIR);
    return {S_ISREG(status.st_mode)    ? Target::Kind::regular
            : S_ISFIFO(status.st_mode) ? Target::Kind::fifo
                                       : Target::Kind::other,
            status.st_mode};
}

} // namespace

OutputFile::OutputFile(const fs::path& path, WhenBusy when_busy) : path_(path), target_(path) {
    if (const auto named = descriptor_path(path)) {
        open_descriptor(named->own ? named->number : -1);
        return;
    }
    target_ = target_of(path);
    const Target target = look_at(path_, target_);
    if (target.kind == Target::Kind::other || target.kind == Target::Kind::fifo) {
        written_ = target_;
        descriptor_ =
            target.kind == Target::Kind::fifo ? open_fifo(target_) : open_retrying(target_, O_WRONLY | O_NOCTTY);
        if (descriptor_ < 0)
            refuse(path_, errno);
        seekable_ = false;
        return;
    }
    // A file that its owner may not write is not replaced by way of its folder.
    if (target.kind == Target::Kind::regular && ::access(target_.c_str(), W_OK) != 0)
        refuse(path_, errno);
    written_ = partial_name(target_);
    descriptor_ = open_partial(path_, written_, when_busy);
    if (descriptor_ < 0) {
        const int error = errno;
        if (target.kind != Target::Kind::regular)
            refuse(path_, error);
        open_in_place(error);
    } else if (target.kind == Target::Kind::regular) {
        (void)::fchmod(descriptor_, target.mode & 07777);
    }
}

// What stands there already is somebody's, and so is the position: written on, whatever kind of file it is.
void OutputFile::open_descriptor(int own) {
    written_ = target_;
    seekable_ = false;
    descriptor_ = own >= 0 ? ::fcntl(own, F_DUPFD_CLOEXEC, 3) : open_retrying(target_, O_WRONLY | O_APPEND | O_NOCTTY);
    if (descriptor_ < 0)
        refuse(path_, errno);
}

void OutputFile::open_in_place(int partial_errno) {
    written_ = target_;
    descriptor_ = open_retrying(target_, O_WRONLY);
    if (descriptor_ < 0)
        refuse(path_, partial_errno);
    has_old_content_ = true;
}

OutputFile::~OutputFile() {
    if (descriptor_ < 0)
        return;
    ::close(descriptor_);
    if (end_ == 0 && written_ != target_)
        ::unlink(written_.c_str());
}

void OutputFile::fail(const char* what, int error) const {
    throw RunError(message(what, path_, error));
}

void OutputFile::fail_to_name(const char* what, int error) const {
    throw RunError(fmt::format("{}; all of it is in {}", message(what, path_, error), written_.string()));
}

// Whether a full pipe has room again in time.
bool OutputFile::await_reader() const noexcept {
    constexpr int limit_ms = static_cast<int>(std::chrono::milliseconds(reader_reads_within).count());
    pollfd full{descriptor_, POLLOUT, 0};
    int ready;
    do
        ready = ::poll(&full, 1, limit_ms);
    while (ready < 0 && errno == EINTR);
    if (ready == 0)
        errno = ETIMEDOUT;
    return ready > 0;
}

void OutputFile::write_all(std::string_view text) {
    std::uint64_t at = end_;
    for (std::string_view rest = text; !rest.empty();) {
        const ssize_t written = seekable_ ? ::pwrite(descriptor_, rest.data(), rest.size(), static_cast<off_t>(at))
                                          : ::write(descriptor_, rest.data(), rest.size());
        if (written < 0) {
            if (errno == EINTR || (errno == EAGAIN && await_reader()))
                continue;
            const int error = errno;
            if (seekable_) {
                // Back to the last well-formed state, into space that was taken already.
                (void)::ftruncate(descriptor_, static_cast<off_t>(end_));
                (void)!::pwrite(descriptor_, closing_.data(), closing_.size(), static_cast<off_t>(end_));
            }
            fail("cannot write", error);
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
        at += static_cast<std::uint64_t>(written);
    }
}

void OutputFile::replace_old_content(std::string_view text) {
    const auto size = static_cast<off_t>(text.size());
    if (const int error = make_room(descriptor_, size); error != 0)
        fail("cannot write", error);
    has_old_content_ = false;
    write_all(text);
    if (::ftruncate(descriptor_, size) != 0)
        fail("cannot write", errno);
}

void OutputFile::append(std::string_view text, std::string_view closing) {
    std::string both;
    if (seekable_ && !closing.empty()) {
        both.reserve(text.size() + closing.size());
        both.append(text).append(closing);
    }
    const std::string_view written = both.empty() ? text : both;
    if (has_old_content_)
        replace_old_content(written);
    else
        write_all(written);
    closing_ = closing;
    end_ += text.size();
}

void OutputFile::commit() {
    if (!seekable_)
        write_all(closing_);
    if (has_old_content_)
        replace_old_content({});
    // Keeps the lock until the file has its name: nobody else takes the .partial.
    const UniqueFd lock(::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0));
    // Some file systems tell of a full disk only here.
    const int descriptor = std::exchange(descriptor_, -1);
    if (::close(descriptor) != 0 && errno != EINTR)
        fail("cannot write", errno);
    if (written_ == target_)
        return;
    if (::rename(written_.c_str(), target_.c_str()) == 0)
        return;
    if (errno != EBUSY)
        fail_to_name("cannot give its name to", errno);
    // A mount point, such as a single file that is mounted into a container, cannot be replaced.
    copy_to_target();
}

void OutputFile::copy_to_target() {
    const int from = open_retrying(written_, O_RDONLY);
    const int to = open_retrying(target_, O_WRONLY);
    int error = from < 0 || to < 0 ? errno : 0;
    struct stat wanted {};
    if (error == 0)
        error = ::fstat(from, &wanted) == 0 ? make_room(to, wanted.st_size) : errno;
    std::array<char, 65'536> block;
    for (ssize_t got = 0; error == 0 && (got = ::read(from, block.data(), block.size())) != 0;) {
        if (got < 0)
            error = errno;
        for (ssize_t at = 0; error == 0 && at < got;) {
            const ssize_t written = ::write(to, block.data() + at, static_cast<std::size_t>(got - at));
            if (written >= 0)
                at += written;
            else if (errno != EINTR)
                error = errno;
        }
    }
    if (error == 0 && ::ftruncate(to, ::lseek(to, 0, SEEK_CUR)) != 0)
        error = errno;
    ::close(from);
    if (::close(to) != 0 && error == 0)
        error = errno;
    if (error != 0)
        fail_to_name("cannot write", error);
    ::unlink(written_.c_str());
}

void OutputFile::discard() noexcept {
    if (descriptor_ >= 0)
        ::close(std::exchange(descriptor_, -1));
    if (written_ != target_)
        ::unlink(written_.c_str());
}

void check_output(const fs::path& path) {
    if (const auto named = descriptor_path(path)) {
        const int flags = named->own ? ::fcntl(named->number, F_GETFL) : O_WRONLY;
        if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
            refuse(path, EBADF);
        return;
    }
    const fs::path target = target_of(path);
    const Target found = look_at(path, target);
    if (found.kind != Target::Kind::absent && ::access(target.c_str(), W_OK) != 0)
        refuse(path, errno);
    if (found.kind == Target::Kind::other || found.kind == Target::Kind::fifo)
        return;
    const fs::path partial = partial_name(target);
    const int descriptor = open_retrying(partial, O_WRONLY | O_CREAT | O_EXCL, new_file_mode);
    if (descriptor >= 0) {
        ::close(descriptor);
        ::unlink(partial.c_str());
    } else if (errno == EEXIST) {
        // That of another run that is under way is none of ours to touch, but it must be one that can be written.
        struct stat status {};
        if (::lstat(partial.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
            refuse_partial(path, partial, "is no file");
        if (::access(partial.c_str(), W_OK) != 0)
            refuse_partial(path, partial, "cannot be overwritten");
    } else if (found.kind == Target::Kind::absent) {
        refuse(path, errno);
    }
}

void write_output(const fs::path& path, std::string_view text) {
    try {
        // Two runs may end at the same time: each has its document.
        OutputFile file(path, OutputFile::WhenBusy::wait_a_little);
        try {
            file.append(text);
        } catch (const RunError&) {
            file.discard();
            throw;
        }
        file.commit();
    } catch (const UsageError& error) {
        throw RunError(error.what()); // it was right when the run began
    }
}

} // namespace ipcmark
