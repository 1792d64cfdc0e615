#include "edge/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <link.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <set>
#include <string>

#include "edge/temp_dir.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

using Header = ElfW(Ehdr);
using Section = ElfW(Shdr);
using Segment = ElfW(Phdr);
using Dynamic = ElfW(Dyn);

std::string real_plugin() {
  return read_file(HOSTLER_TEST_PLUGINS "/has_library.so");
}

template <typename T>
T at(const std::string &bytes, std::size_t offset) {
  T value{};
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}
template <typename T>
void put(std::string &bytes, std::size_t offset, const T &value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

// "" when it is taken.
std::string refusal(const std::string &bytes) {
  const TempDir dir;
  write_file(dir.path("x.so"), bytes);
  const UniqueFd fd(::open(dir.path("x.so").c_str(), O_RDONLY | O_CLOEXEC));
  const auto elf = read_elf(fd.get());
  return elf ? "" : elf.error().what;
}

// Where the dynamic section stands.
Segment dynamic_of(const std::string &bytes, std::size_t *header_at = nullptr) {
  const auto header = at<Header>(bytes, 0);
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const std::size_t offset = header.e_phoff + i * sizeof(Segment);
    if (header_at != nullptr) *header_at = offset;
    if (at<Segment>(bytes, offset).p_type == PT_DYNAMIC) return at<Segment>(bytes, offset);
  }
  ADD_FAILURE() << "no dynamic section";
  return {};
}

TEST(ElfFile, NamesTheLibrariesOfAWholeOne) {
  const UniqueFd fd(::open(HOSTLER_TEST_PLUGINS "/has_library.so", O_RDONLY | O_CLOEXEC));
  const auto elf = read_elf(fd.get());
  ASSERT_TRUE(elf) << elf.error().what;
  EXPECT_EQ(std::count(elf->needed.begin(), elf->needed.end(), "libelsewhere.so"), 1);
}

TEST(ElfFile, CutAtAnySectionsBoundaryItIsCutShort) {
  const std::string whole = real_plugin();
  const auto header = at<Header>(whole, 0);
  std::set<std::size_t> cuts{1,
                             4,
                             EI_NIDENT,
                             sizeof(Header) - 1,
                             sizeof(Header),
                             header.e_phoff,
                             header.e_shoff,
                             header.e_phoff + sizeof(Segment) * header.e_phnum,
                             whole.size() - 1};
  for (std::size_t i = 0; i < header.e_shnum; ++i) {
    const auto section = at<Section>(whole, header.e_shoff + i * sizeof(Section));
    const std::size_t end = section.sh_offset + (section.sh_type == SHT_NOBITS ? 0 : section.sh_size);
    for (const std::size_t cut : {section.sh_offset, section.sh_offset + 1, end - 1, end})
      if (cut > 0 && cut < whole.size()) cuts.insert(cut);
  }
  ASSERT_GT(cuts.size(), 60U);
  for (const std::size_t cut : cuts) {
    const std::string words = refusal(whole.substr(0, cut));
    if (cut < sizeof(Header))
      EXPECT_EQ(words, "is not a shared object (no ELF file)") << cut;
    else
      EXPECT_EQ(words, "is cut short, or still being written") << cut;
  }
  EXPECT_EQ(refusal(""), "is empty, or still being written");
  EXPECT_EQ(refusal(whole), "");
}

TEST(ElfFile, BuiltForSomethingElseItIsToldSo) {
  const std::string whole = real_plugin();
  const auto with = [&](std::size_t offset, auto value) {
    std::string bytes = whole;
    put(bytes, offset, value);
    return refusal(bytes);
  };
  EXPECT_NE(with(offsetof(Header, e_machine), std::uint16_t{EM_S390}).find("is built for another machine"),
            std::string::npos);
  EXPECT_EQ(with(EI_CLASS, static_cast<unsigned char>(sizeof(void *) == 8 ? ELFCLASS32 : ELFCLASS64)),
            sizeof(void *) == 8 ? "is built for a 32-bit machine" : "is built for a 64-bit machine");
  EXPECT_EQ(with(EI_DATA, static_cast<unsigned char>(at<Header>(whole, 0).e_ident[EI_DATA] ^ 3)),
            "is built for a machine of the other byte order");
  EXPECT_EQ(with(offsetof(Header, e_type), std::uint16_t{ET_EXEC}), "is not a shared object");
  EXPECT_NE(with(offsetof(Header, e_type), std::uint16_t{ET_REL}).find("is an object file"), std::string::npos);
  EXPECT_EQ(with(offsetof(Header, e_phnum), std::uint16_t{0}), "has no program headers");
}

TEST(ElfFile, DamagedDynamicSectionIsRefused) {
  const std::string whole = real_plugin();
  std::size_t header_at = 0;
  Segment dynamic = dynamic_of(whole, &header_at);
  std::string bytes = whole;
  dynamic.p_filesz = std::uint64_t{1} << 62;
  put(bytes, header_at, dynamic);
  EXPECT_EQ(refusal(bytes), "is cut short, or still being written");
  dynamic.p_filesz = 0;
  put(bytes, header_at, dynamic);
  EXPECT_EQ(refusal(bytes), "has a damaged dynamic section");

  dynamic = dynamic_of(whole);
  for (const std::int64_t tag : {DT_STRTAB, DT_STRSZ, DT_NEEDED})
    for (std::size_t offset = dynamic.p_offset; offset < dynamic.p_offset + dynamic.p_filesz;
         offset += sizeof(Dynamic)) {
      auto entry = at<Dynamic>(whole, offset);
      if (entry.d_tag != tag) continue;
      entry.d_un.d_val = ~std::uint64_t{0};
      bytes = whole;
      put(bytes, offset, entry);
      EXPECT_EQ(refusal(bytes), "has a damaged dynamic section") << tag;
    }
}

// Thousands of entries that each name the same string of megabytes would be gigabytes.
TEST(ElfFile, LibraryNameLongerThanAPathIsRefused) {
  std::string bytes = real_plugin();
  const Segment dynamic = dynamic_of(bytes);
  // The table of strings is all that follows, and ends in the name.
  const std::size_t name = bytes.size() - dynamic.p_offset;
  bytes += std::string(5000, 'x');
  for (std::size_t offset = dynamic.p_offset; offset < dynamic.p_offset + dynamic.p_filesz; offset += sizeof(Dynamic)) {
    auto entry = at<Dynamic>(bytes, offset);
    if (entry.d_tag == DT_STRTAB) entry.d_un.d_ptr = dynamic.p_vaddr;
    if (entry.d_tag == DT_STRSZ) entry.d_un.d_val = bytes.size() - dynamic.p_offset;
    if (entry.d_tag == DT_NEEDED) entry.d_un.d_val = name;
    put(bytes, offset, entry);
  }
  EXPECT_EQ(refusal(bytes), "has a damaged dynamic section");
}

TEST(ElfFile, BuildIdThatCannotBeReadIsNotNone) {
  const auto unread = read_build_id(-1);
  ASSERT_FALSE(unread);
  EXPECT_EQ(unread.error().text(), "its build id cannot be read: Bad file descriptor");
  TempDir dir;
  write_file(dir.path("text"), std::string(4096, 'x'));
  const UniqueFd text(::open(dir.path("text").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(read_build_id(text.get()).value(), "");
}

}  // namespace
}  // namespace hostler
