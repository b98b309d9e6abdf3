// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace ipcmark {

// A file that has its name only when it is complete: it is written as NAME.partial and renamed by commit(). What had
// that name before stays until then. A symbolic link is followed; a device or a pipe is written directly, and so is a
// file in a folder that takes no new names. A path that names a descriptor (/dev/stdout) is written on at its position.
// Two runs never write one .partial. Not thread-safe.
class OutputFile {
public:
    // What to do where another run writes the same .partial at this moment.
    enum class WhenBusy { refuse, wait_a_little };

    // Throws UsageError naming the path and the reason.
    explicit OutputFile(const std::filesystem::path& path, WhenBusy when_busy = WhenBusy::refuse);
    // Without commit(): keeps the .partial, or removes it where nothing was written.
    ~OutputFile();
    OutputFile(const OutputFile&) = delete;
    OutputFile& operator=(const OutputFile&) = delete;

    // Writes `text` behind what was appended so far, and `closing` behind it, which the next append overwrites: so the
    // file is well-formed at every moment. Where the file cannot go back (a pipe), closing is written by commit() only.
    // Throws RunError when it cannot be written, most often for a full disk; the file then is as it was before the
    // call.
    void append(std::string_view text, std::string_view closing = {});
    // Gives the file its name. Throws RunError; what could not get its name stays as NAME.partial, and it says so.
    void commit();
    // Removes what was written.
    void discard() noexcept;

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
    // False for a pipe or a device: what was written there in part cannot be taken back.
    [[nodiscard]] bool seekable() const noexcept { return seekable_; }

private:
    void open_descriptor(int own);
    void open_in_place(int partial_errno);
    [[nodiscard]] bool await_reader() const noexcept;
    void write_all(std::string_view text);
    void copy_to_target();
    void replace_old_content(std::string_view text);
    [[noreturn]] void fail(const char* what, int error) const;
    [[noreturn]] void fail_to_name(const char* what, int error) const;

    std::filesystem::path path_;   // as given
    std::filesystem::path target_; // links followed
    std::filesystem::path written_;
    std::string closing_;
    std::uint64_t end_ = 0; // of what was appended, without closing
    int descriptor_ = -1;
    bool seekable_ = true;
    bool has_old_content_ = false; // of a file that is written in place
};

// Whether OutputFile would take this path; leaves nothing behind. For a file that is written only after a long run.
// Throws UsageError naming the path and the reason.
void check_output(const std::filesystem::path& path);

// Writes a whole file as OutputFile does. Throws RunError naming the path and the reason; what commit() says of what is
// left then is so here too.
void write_output(const std::filesystem::path& path, std::string_view text);

} // namespace ipcmark
