// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ipcmark/module_kit/fd.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace ipcmark {

// The file is no shared object for this machine, or is damaged. what() goes on after the file's name: "is ...".
class ElfError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A symbol that others can link to.
struct ElfSymbol {
    std::string name;
    std::uint64_t address = 0;
    std::uint64_t size = 0;
    bool is_object = false; // data, as opposed to a function
};

// A look into an ELF64 shared object without loading it: what the dynamic loader would find, read through the dynamic
// segment (a stripped file has no sections). Every offset and count in the file is taken for a lie until it is
// checked; a file of any content gives an answer or an ElfError, in bounded memory and in time proportional to what it
// exports.
class ElfFile {
public:
    // Throws ElfError for what is no shared object of this machine, or cannot be opened.
    explicit ElfFile(const std::filesystem::path& path);

    // The defined symbols that the file exports, by its hash table. Throws ElfError.
    [[nodiscard]] std::vector<ElfSymbol> exported_symbols() const;
    // Copies the bytes that will be at `address` once the file is loaded, before relocation. Throws ElfError where the
    // file holds no such bytes.
    void read_loaded(std::uint64_t address, std::span<std::byte> out) const;

private:
    struct Segment {
        std::uint64_t address;
        std::uint64_t offset;
        std::uint64_t size; // in the file
    };
    void add_segment(std::uint64_t address, std::uint64_t offset, std::uint64_t size);
    [[nodiscard]] const Segment& segment_of(std::uint64_t address) const;
    // How many bytes the file holds from `address` to the end of its segment.
    [[nodiscard]] std::uint64_t bytes_from(std::uint64_t address) const;
    void read_at(std::uint64_t offset, std::span<std::byte> out) const;
    template <typename T> [[nodiscard]] T at_address(std::uint64_t address) const;
    void read_dynamic(std::uint64_t offset, std::uint64_t size);
    [[nodiscard]] std::uint64_t symbol_count() const;
    [[nodiscard]] std::uint64_t gnu_hash_symbol_count() const;

    kit::Fd file_;
    std::uint64_t file_size_ = 0;
    std::vector<Segment> segments_;
    std::uint64_t symbol_table_ = 0;
    std::uint64_t string_table_ = 0;
    std::uint64_t string_table_size_ = 0;
    std::uint64_t hash_ = 0;
    std::uint64_t gnu_hash_ = 0;
};

} // namespace ipcmark
