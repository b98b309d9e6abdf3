// SPDX-License-Identifier: Apache-2.0
#include "module/elf_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ipcmark {
namespace {

#if defined(__x86_64__)
constexpr Elf64_Half this_machine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half this_machine = EM_AARCH64;
#else
#error "name the ELF machine number of this architecture here"
#endif

constexpr std::uint64_t most_segments = 256;
constexpr std::uint64_t most_dynamic_entries = 4096;
// A module exports one symbol; a library with more than this is none, and reading on would only cost time.
constexpr std::uint64_t most_symbols = 1'000'000;
// The same for their names: a file may have holes, so its size alone does not keep what it claims within the memory.
constexpr std::uint64_t most_name_bytes = std::uint64_t{64} << 20;
constexpr std::size_t longest_name = 1024;

std::string machine_name(unsigned machine) {
    switch (machine) {
    case EM_X86_64:
        return "x86-64";
    case EM_AARCH64:
        return "aarch64";
    case EM_386:
        return "32-bit x86";
    case EM_ARM:
        return "32-bit Arm";
    case EM_RISCV:
        return "RISC-V";
    case EM_PPC64:
        return "POWER";
    case EM_S390:
        return "s390";
    default:
        return fmt::format("machine number {}", machine);
    }
}

[[noreturn]] void damaged(const char* what) {
    throw ElfError(fmt::format("is damaged or truncated: {}", what));
}

void check_header(const Elf64_Ehdr& header) {
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        throw ElfError("is not an ELF file");
    if (header.e_ident[EI_CLASS] != ELFCLASS64)
        throw ElfError("is not a 64-bit ELF file");
    if (header.e_ident[EI_DATA] != ELFDATA2LSB)
        throw ElfError("is not a little-endian ELF file");
    if (header.e_machine != this_machine)
        throw ElfError(fmt::format("is built for {}, this host is {}", machine_name(header.e_machine),
                                   machine_name(this_machine)));
    if (header.e_type != ET_DYN)
        throw ElfError("is not a shared object");
    if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > most_segments)
        damaged("its program headers make no sense");
}

} // namespace

ElfFile::ElfFile(const std::filesystem::path& path)
    // Non-blocking, so that a named pipe called x.so does not wait for a writer.
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
    if (!file_)
        throw ElfError(fmt::format("cannot be opened: {}", std::generic_category().message(errno)));
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0 || !S_ISREG(status.st_mode))
        throw ElfError("is not a regular file");
    file_size_ = static_cast<std::uint64_t>(status.st_size);
    if (file_size_ < sizeof(Elf64_Ehdr))
        throw ElfError("is not an ELF file");

    Elf64_Ehdr header;
    read_at(0, std::as_writable_bytes(std::span(&header, 1)));
    check_header(header);
    std::vector<Elf64_Phdr> programs(header.e_phnum);
    read_at(header.e_phoff, std::as_writable_bytes(std::span(programs)));
    const Elf64_Phdr* dynamic = nullptr;
    for (const Elf64_Phdr& program : programs) {
        if (program.p_type == PT_LOAD)
            add_segment(program.p_vaddr, program.p_offset, std::min(program.p_filesz, program.p_memsz));
        else if (program.p_type == PT_DYNAMIC)
            dynamic = &program;
    }
    if (dynamic == nullptr)
        throw ElfError("is not a shared object: it has no dynamic section");
    read_dynamic(dynamic->p_offset, dynamic->p_filesz);
}

void ElfFile::add_segment(std::uint64_t address, std::uint64_t offset, std::uint64_t size) {
    if (offset > file_size_ || size > file_size_ - offset)
        damaged("a segment of it goes on beyond its end");
    segments_.push_back({address, offset, size});
}

void ElfFile::read_at(std::uint64_t offset, std::span<std::byte> out) const {
    if (offset > file_size_ || out.size() > file_size_ - offset)
        damaged("it points beyond its end");
    while (!out.empty()) {
        const ssize_t got = ::pread(file_.get(), out.data(), out.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            throw ElfError(got == 0 ? std::string("was truncated while it was read")
                                    : fmt::format("cannot be read: {}", std::generic_category().message(errno)));
        offset += static_cast<std::uint64_t>(got);
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

const ElfFile::Segment& ElfFile::segment_of(std::uint64_t address) const {
    const auto found = std::find_if(segments_.begin(), segments_.end(), [address](const Segment& segment) {
        return address >= segment.address && address - segment.address < segment.size;
    });
    if (found == segments_.end())
        damaged("an address in it is not in the file");
    return *found;
}

std::uint64_t ElfFile::bytes_from(std::uint64_t address) const {
    const Segment& segment = segment_of(address);
    return segment.size - (address - segment.address);
}

void ElfFile::read_loaded(std::uint64_t address, std::span<std::byte> out) const {
    if (out.empty())
        return;
    const Segment& segment = segment_of(address);
    if (out.size() > bytes_from(address))
        damaged("a table in it goes on beyond the file");
    read_at(segment.offset + (address - segment.address), out);
}

template <typename T> T ElfFile::at_address(std::uint64_t address) const {
    T value;
    read_loaded(address, std::as_writable_bytes(std::span(&value, 1)));
    return value;
}

void ElfFile::read_dynamic(std::uint64_t offset, std::uint64_t size) {
    const std::uint64_t count = size / sizeof(Elf64_Dyn);
    if (count > most_dynamic_entries)
        damaged("its dynamic section is too long");
    std::vector<Elf64_Dyn> entries(count);
    read_at(offset, std::as_writable_bytes(std::span(entries)));
    for (const Elf64_Dyn& entry : entries) {
        switch (entry.d_tag) {
        case DT_NULL:
            return;
        case DT_SYMTAB:
            symbol_table_ = entry.d_un.d_ptr;
            break;
        case DT_STRTAB:
            string_table_ = entry.d_un.d_ptr;
            break;
        case DT_STRSZ:
            string_table_size_ = entry.d_un.d_val;
            break;
        case DT_HASH:
            hash_ = entry.d_un.d_ptr;
            break;
        case DT_GNU_HASH:
            gnu_hash_ = entry.d_un.d_ptr;
            break;
        default:
            break;
        }
    }
}

// The GNU table has no count: the last symbol is the end of the chain of the largest bucket.
std::uint64_t ElfFile::gnu_hash_symbol_count() const {
    struct Header {
        std::uint32_t buckets, first_symbol, bloom_words, bloom_shift;
    };
    const auto header = at_address<Header>(gnu_hash_);
    if (header.buckets > most_symbols || header.bloom_words > most_symbols)
        damaged("its hash table makes no sense");
    const std::uint64_t bucket_table = gnu_hash_ + sizeof(Header) + std::uint64_t{header.bloom_words} * 8;
    std::vector<std::uint32_t> buckets(header.buckets);
    read_loaded(bucket_table, std::as_writable_bytes(std::span(buckets)));
    const std::uint32_t last_bucket = buckets.empty() ? 0 : *std::max_element(buckets.begin(), buckets.end());
    if (last_bucket < header.first_symbol || last_bucket == 0)
        return 0; // nothing is exported
    const std::uint64_t chain =
        bucket_table + std::uint64_t{header.buckets} * 4 + std::uint64_t{last_bucket - header.first_symbol} * 4;
    std::vector<std::uint32_t> links(std::min<std::uint64_t>(bytes_from(chain) / 4, most_symbols));
    read_loaded(chain, std::as_writable_bytes(std::span(links)));
    const auto last = std::find_if(links.begin(), links.end(), [](std::uint32_t link) { return (link & 1) != 0; });
    if (last == links.end())
        damaged("its hash table has no end");
    return std::uint64_t{last_bucket} + static_cast<std::uint64_t>(last - links.begin()) + 1;
}

std::uint64_t ElfFile::symbol_count() const {
    if (gnu_hash_ != 0)
        return gnu_hash_symbol_count();
    if (hash_ == 0)
        return 0;
    return at_address<std::uint32_t>(hash_ + 4); // nchain
}

std::vector<ElfSymbol> ElfFile::exported_symbols() const {
    const std::uint64_t count = symbol_count();
    if (count > most_symbols)
        throw ElfError("exports too many symbols for a module");
    if (count == 0)
        return {};
    if (count * sizeof(Elf64_Sym) > file_size_ || string_table_size_ > file_size_)
        damaged("its symbol table is larger than the file");
    if (string_table_size_ > most_name_bytes)
        throw ElfError("has longer symbol names than any module");
    std::vector<Elf64_Sym> table(count);
    read_loaded(symbol_table_, std::as_writable_bytes(std::span(table)));
    std::vector<char> names(string_table_size_);
    if (!names.empty())
        read_loaded(string_table_, std::as_writable_bytes(std::span(names)));

    std::vector<ElfSymbol> exported;
    for (const Elf64_Sym& symbol : table) {
        const unsigned binding = ELF64_ST_BIND(symbol.st_info);
        const unsigned visibility = ELF64_ST_VISIBILITY(symbol.st_other);
        const bool visible = visibility == STV_DEFAULT || visibility == STV_PROTECTED;
        if (symbol.st_shndx == SHN_UNDEF || binding == STB_LOCAL || !visible)
            continue;
        if (symbol.st_name >= names.size())
            damaged("a symbol's name is beyond its string table");
        const auto begin = names.begin() + symbol.st_name;
        const auto end = std::find(begin, names.end(), '\0');
        if (end == names.end() || static_cast<std::size_t>(end - begin) > longest_name)
            damaged("a symbol's name has no end");
        exported.push_back(
            {std::string(begin, end), symbol.st_value, symbol.st_size, ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT});
    }
    return exported;
}

} // namespace ipcmark
