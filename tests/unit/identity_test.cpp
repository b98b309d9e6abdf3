// SPDX-License-Identifier: Apache-2.0
#include "catch.hpp"
#include "fixture_path.hpp"
#include "module/identity.hpp"

#include <ipcmark/module_kit/fd.hpp>

#include <chrono>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>

#include <elf.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace ipcmark;

namespace {

using Bytes = std::vector<char>;

Bytes bytes_of(const std::string& fault) {
    std::ifstream file(fixture_path(fault), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

// The identity of a file of these bytes, in memory.
FileIdentity identity_of(const Bytes& bytes) {
    const kit::Fd file(::memfd_create("mutant", MFD_CLOEXEC));
    REQUIRE(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    return read_identity("/proc/self/fd/" + std::to_string(file.get()));
}

// A usable identity is well-formed, a rejected one has one line of reason.
void check_sane(const FileIdentity& identity) {
    if (identity.rejected) {
        REQUIRE_FALSE(identity.rejected->empty());
        REQUIRE(identity.rejected->find('\n') == std::string::npos);
        return;
    }
    REQUIRE(identity.entry.magic == IPCMARK_MAGIC);
    REQUIRE(identity.entry.abi_major == IPCMARK_ABI_MAJOR);
    REQUIRE_FALSE(identity.id.empty());
    REQUIRE_FALSE(identity.version.empty());
}

} // namespace

TEST_CASE("the identity of a whole file", "[identity]") {
    const FileIdentity identity = read_identity(fixture_path("none"));
    CHECK(identity.rejected == std::nullopt);
    CHECK(identity.id == "fixture");
    CHECK(identity.version == "1.2.3");
    CHECK(identity.entry.struct_size == sizeof(ipcmark_module_entry_v1));
    CHECK(identity.entry.build_flags == IPCMARK_BUILD_FLAGS);
}

TEST_CASE("a file for another machine is refused by name", "[identity]") {
    Bytes bytes = bytes_of("none");
    auto* const header = reinterpret_cast<Elf64_Ehdr*>(bytes.data());
    const auto machine = header->e_machine;
    header->e_machine = machine == EM_AARCH64 ? EM_X86_64 : EM_AARCH64;
    CHECK(identity_of(bytes).rejected == (machine == EM_AARCH64 ? "is built for x86-64, this host is aarch64"
                                                                : "is built for aarch64, this host is x86-64"));
    header->e_machine = machine;
    header->e_type = ET_EXEC;
    CHECK(identity_of(bytes).rejected == "is not a shared object");
    header->e_ident[EI_CLASS] = ELFCLASS32;
    CHECK(identity_of(bytes).rejected == "is not a 64-bit ELF file");
}

TEST_CASE("an executable is no module", "[identity]") {
    CHECK(read_identity("/proc/self/exe").rejected.value().find("ipcmark_module_entry") != std::string::npos);
    CHECK(read_identity("/dev/null").rejected == "is not a regular file");
    CHECK(read_identity("/nowhere/at/all").rejected == "cannot be opened: No such file or directory");
}

TEST_CASE("truncated files are refused or whole enough", "[identity]") {
    const Bytes whole = bytes_of("none");
    for (std::size_t size = 0; size < whole.size(); size += 1 + size / 64) {
        INFO(size);
        const FileIdentity identity =
            identity_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)));
        check_sane(identity);
        if (size < sizeof(Elf64_Ehdr))
            CHECK(identity.rejected == "is not an ELF file");
    }
}

// A file with a hole costs no disk: its size bounds nothing.
TEST_CASE("a table of names as large as a file with a hole is not read", "[identity]") {
    constexpr std::uint64_t terabyte = std::uint64_t{1} << 40;
    Bytes bytes = bytes_of("none");
    const auto* const header = reinterpret_cast<const Elf64_Ehdr*>(bytes.data());
    auto* const programs = reinterpret_cast<Elf64_Phdr*>(bytes.data() + header->e_phoff);
    for (unsigned i = 0; i < header->e_phnum; ++i) {
        if (programs[i].p_type == PT_LOAD && programs[i].p_offset == 0)
            programs[i].p_filesz = programs[i].p_memsz = terabyte;
        if (programs[i].p_type == PT_DYNAMIC)
            for (auto* entry = reinterpret_cast<Elf64_Dyn*>(bytes.data() + programs[i].p_offset);
                 entry->d_tag != DT_NULL; ++entry)
                if (entry->d_tag == DT_STRSZ)
                    entry->d_un.d_val = terabyte / 2;
    }
    const kit::Fd file(::memfd_create("hole", MFD_CLOEXEC));
    REQUIRE(::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    REQUIRE(::ftruncate(file.get(), 2 * static_cast<off_t>(terabyte)) == 0);
    CHECK(read_identity("/proc/self/fd/" + std::to_string(file.get())).rejected ==
          "has longer symbol names than any module");
}

// The tables that the reader walks lie in the first pages and in the dynamic segment; both get most of the damage.
TEST_CASE("files with damage anywhere are survived", "[identity]") {
    const Bytes whole = bytes_of("none");
    std::mt19937_64 random(20'240'601); // the same damage in every run
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    const auto begin = std::chrono::steady_clock::now();
    std::size_t refused = 0;
    for (int round = 0; round < 4000; ++round) {
        Bytes mutant = whole;
        for (std::uint64_t wounds = 1 + below(4); wounds > 0; --wounds) {
            const std::size_t reach = below(3) == 0 ? mutant.size() : std::min<std::size_t>(mutant.size(), 2048);
            const std::size_t at = below(reach - 8);
            const std::uint64_t extremes[] = {0,       1, 7, 0x7fffffff, 0xffffffff, ~0ull, ~0ull >> 1, whole.size(),
                                              random()};
            const std::uint64_t value = extremes[below(std::size(extremes))];
            switch (below(3)) {
            case 0:
                mutant[at] = static_cast<char>(random());
                break;
            case 1:
                std::memcpy(&mutant[at & ~7ull], &value, 8);
                break;
            default:
                std::memcpy(&mutant[at & ~3ull], &value, 4);
                break;
            }
        }
        if (below(4) == 0)
            mutant.resize(below(mutant.size()));
        INFO("round " << round);
        const FileIdentity identity = identity_of(mutant);
        check_sane(identity);
        refused += identity.rejected ? 1 : 0;
    }
    CHECK(refused > 1000); // the damage does reach what is read
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::minutes(1));
}
