// SPDX-License-Identifier: Apache-2.0
#include "result/output_file.hpp"

#include "module/limit_remedy.hpp"

#include <ipcmark/run.hpp>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
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

fs::path follow_links(const fs::path& path) {
    std::error_code error;
    if (fs::is_symlink(path, error))
        if (fs::path target = fs::weakly_canonical(path, error); !error)
            return target;
    return path;
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

struct Target {
    enum class Kind { absent, regular, other } kind;
    mode_t mode;
};

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
    return {S_ISREG(status.st_mode) ? Target::Kind::regular : Target::Kind::other, status.st_mode};
}

constexpr mode_t new_file_mode = 0666; // less the umask

} // namespace

OutputFile::OutputFile(const fs::path& path) : path_(path), target_(follow_links(path)) {
    const Target target = look_at(path_, target_);
    if (target.kind == Target::Kind::other) {
        written_ = target_;
        descriptor_ = open_retrying(target_, O_WRONLY);
        if (descriptor_ < 0)
            refuse(path_, errno);
        seekable_ = false;
        return;
    }
    // A file that its owner may not write is not replaced by way of its folder.
    if (target.kind == Target::Kind::regular && ::access(target_.c_str(), W_OK) != 0)
        refuse(path_, errno);
    written_ = partial_name(target_);
    descriptor_ = open_retrying(written_, O_WRONLY | O_CREAT | O_TRUNC, new_file_mode);
    if (descriptor_ < 0) {
        const int error = errno;
        if (target.kind != Target::Kind::regular)
            refuse(path_, error);
        open_in_place(error);
    } else if (target.kind == Target::Kind::regular) {
        (void)::fchmod(descriptor_, target.mode & 07777);
    }
}

void OutputFile::open_in_place(int partial_errno) {
    written_ = target_;
    descriptor_ = open_retrying(target_, O_WRONLY | O_TRUNC);
    if (descriptor_ < 0)
        refuse(path_, partial_errno);
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

void OutputFile::write_all(std::string_view text) {
    std::uint64_t at = end_;
    for (std::string_view rest = text; !rest.empty();) {
        const ssize_t written = seekable_ ? ::pwrite(descriptor_, rest.data(), rest.size(), static_cast<off_t>(at))
                                          : ::write(descriptor_, rest.data(), rest.size());
        if (written < 0) {
            if (errno == EINTR)
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

void OutputFile::append(std::string_view text, std::string_view closing) {
    if (!seekable_ || closing.empty()) {
        write_all(text);
    } else {
        std::string both;
        both.reserve(text.size() + closing.size());
        both.append(text).append(closing);
        write_all(both);
    }
    closing_ = closing;
    end_ += text.size();
}

void OutputFile::commit() {
    if (!seekable_)
        write_all(closing_);
    // Some file systems tell of a full disk only here.
    const int descriptor = std::exchange(descriptor_, -1);
    if (::close(descriptor) != 0 && errno != EINTR)
        fail("cannot write", errno);
    if (written_ == target_)
        return;
    if (::rename(written_.c_str(), target_.c_str()) == 0)
        return;
    if (errno != EBUSY)
        fail("cannot give its name to", errno);
    // A mount point, such as a single file that is mounted into a container, cannot be replaced.
    copy_to_target();
}

void OutputFile::copy_to_target() {
    const int from = open_retrying(written_, O_RDONLY);
    const int to = open_retrying(target_, O_WRONLY | O_TRUNC);
    int error = from < 0 || to < 0 ? errno : 0;
    std::array<char, 65'536> block;
    for (ssize_t got = 0; error == 0 && (got = ::read(from, block.data(), block.size())) != 0;)
        if (got < 0 || ::write(to, block.data(), static_cast<std::size_t>(got)) != got)
            error = errno;
    ::close(from);
    if (::close(to) != 0 && error == 0)
        error = errno;
    if (error != 0)
        fail("cannot write", error);
    ::unlink(written_.c_str());
}

void OutputFile::discard() noexcept {
    if (descriptor_ >= 0)
        ::close(std::exchange(descriptor_, -1));
    if (written_ != target_)
        ::unlink(written_.c_str());
}

void check_output(const fs::path& path) {
    const fs::path target = follow_links(path);
    const Target found = look_at(path, target);
    if (found.kind != Target::Kind::absent && ::access(target.c_str(), W_OK) != 0)
        refuse(path, errno);
    if (found.kind == Target::Kind::other)
        return;
    // A .partial of another run that is under way is none of ours to touch.
    const fs::path partial = partial_name(target);
    const int descriptor = open_retrying(partial, O_WRONLY | O_CREAT | O_EXCL, new_file_mode);
    if (descriptor >= 0) {
        ::close(descriptor);
        ::unlink(partial.c_str());
    } else if (errno != EEXIST && found.kind == Target::Kind::absent) {
        refuse(path, errno);
    }
}

void write_output(const fs::path& path, std::string_view text) {
    try {
        OutputFile file(path);
        try {
            file.append(text);
            file.commit();
        } catch (const RunError&) {
            file.discard();
            throw;
        }
    } catch (const UsageError& error) {
        throw RunError(error.what()); // it was right when the run began
    }
}

} // namespace ipcmark
