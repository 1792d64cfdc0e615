#include "edge/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstring>

#include <fmt/format.h>

#include "core/build_id.h"
#include "edge/disk_error.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

using Header = ElfW(Ehdr);
using Segment = ElfW(Phdr);
using Dynamic = ElfW(Dyn);

constexpr std::uint64_t kMostStrings = std::uint64_t{64} << 20;
constexpr std::uint64_t kMostNotes = std::uint64_t{64} << 10;
constexpr std::uint64_t kMostDynamic = std::uint64_t{1} << 20;

using Refused = tl::unexpected<ElfError>;

Refused refuse(std::string what) {
  return Refused(ElfError{std::move(what), false});
}

Refused cut_short() {
  return Refused(ElfError{"is cut short, or still being written", true});
}

bool read_at(int fd, void *data, std::size_t size, std::uint64_t offset) {
  auto *bytes = static_cast<char *>(data);
  while (size > 0) {
    const ssize_t n = ::pread(fd, bytes, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENODATA;
    if (n <= 0) return false;
    bytes += n;
    size -= static_cast<std::size_t>(n);
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

// [offset, offset + count * each) lies within size, without overflow.
bool within(std::uint64_t offset, std::uint64_t count, std::uint64_t each, std::uint64_t size) {
  return offset <= size && (each == 0 || count <= (size - offset) / each);
}

// The machine of the host itself.
std::uint16_t own_machine() {
  const UniqueFd self(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  Header header{};
  return self && read_at(self.get(), &header, sizeof header, 0) ? header.e_machine : std::uint16_t{EM_NONE};
}

std::string wrong_kind(const Header &header) {
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return "is not a shared object (no ELF file)";
  if (header.e_ident[EI_CLASS] != (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32))
    return fmt::format("is built for a {}-bit machine", header.e_ident[EI_CLASS] == ELFCLASS32 ? 32 : 64);
  if (header.e_ident[EI_DATA] != (std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB))
    return "is built for a machine of the other byte order";
  static const std::uint16_t machine = own_machine();
  if (machine != EM_NONE && header.e_machine != machine)
    return fmt::format("is built for another machine (ELF machine {}, this is {})", header.e_machine, machine);
  if (header.e_type != ET_DYN)
    return header.e_type == ET_REL ? "is an object file, not yet linked to a shared object" : "is not a shared object";
  return {};
}

// What the loader will map must be there, and so must the section table, which linkers write last.
bool is_whole(const Header &header, const std::vector<Segment> &segments, std::uint64_t size) {
  if (!within(header.e_shoff, header.e_shnum, header.e_shentsize, size)) return false;
  for (const Segment &segment : segments)
    if ((segment.p_type == PT_LOAD || segment.p_type == PT_DYNAMIC) &&
        !within(segment.p_offset, segment.p_filesz, 1, size))
      return false;
  return true;
}

// Where an address of the loaded object stands in the file.
bool file_offset(const std::vector<Segment> &segments, std::uint64_t address, std::uint64_t &offset) {
  for (const Segment &segment : segments) {
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr || address - segment.p_vaddr >= segment.p_filesz)
      continue;
    offset = segment.p_offset + (address - segment.p_vaddr);
    return true;
  }
  return false;
}

tl::expected<ElfFile, ElfError> read_needed(int fd, const std::vector<Segment> &segments, std::uint64_t size) {
  const auto found = std::find_if(segments.begin(), segments.end(),
                                  [](const Segment &segment) { return segment.p_type == PT_DYNAMIC; });
  if (found == segments.end() || found->p_filesz > kMostDynamic) return refuse("has no dynamic section");
  std::vector<Dynamic> entries(found->p_filesz / sizeof(Dynamic));
  if (!read_at(fd, entries.data(), entries.size() * sizeof(Dynamic), found->p_offset)) return cut_short();

  std::uint64_t strings_at = 0;
  std::uint64_t strings_size = 0;
  std::vector<std::uint64_t> names;
  for (const Dynamic &entry : entries) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_STRTAB) strings_at = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) strings_size = entry.d_un.d_val;
    if (entry.d_tag == DT_NEEDED) names.push_back(entry.d_un.d_val);
  }
  std::uint64_t offset = 0;
  if (strings_at == 0 || strings_size > kMostStrings || !file_offset(segments, strings_at, offset) ||
      !within(offset, strings_size, 1, size))
    return refuse("has a damaged dynamic section");
  std::string strings(strings_size, '\0');
  if (!read_at(fd, strings.data(), strings.size(), offset)) return cut_short();

  ElfFile file;
  for (const std::uint64_t name : names) {
    if (name >= strings.size()) return refuse("has a damaged dynamic section");
    const std::size_t length = ::strnlen(strings.c_str() + name, PATH_MAX);
    if (length == PATH_MAX) return refuse("has a damaged dynamic section");
    file.needed.emplace_back(strings.c_str() + name, length);
  }
  return file;
}

}  // namespace

tl::expected<ElfFile, ElfError> read_elf(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return refuse(std::strerror(errno));
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size == 0) return Refused(ElfError{"is empty, or still being written", true});
  Header header{};
  if (!read_at(fd, &header, sizeof header, 0)) return refuse("is not a shared object (no ELF file)");
  if (std::string wrong = wrong_kind(header); !wrong.empty()) return refuse(std::move(wrong));
  if (header.e_phentsize != sizeof(Segment) || header.e_phnum == 0) return refuse("has no program headers");
  if (!within(header.e_phoff, header.e_phnum, sizeof(Segment), size)) return cut_short();
  std::vector<Segment> segments(header.e_phnum);
  if (!read_at(fd, segments.data(), segments.size() * sizeof(Segment), header.e_phoff)) return cut_short();
  if (!is_whole(header, segments, size)) return cut_short();
  return read_needed(fd, segments, size);
}

Result<std::string> read_build_id(int fd) {
  const auto unreadable = [] { return errno_error(errno, {}, "its build id cannot be read"); };
  Header header{};
  if (!read_at(fd, &header, sizeof header, 0)) return unreadable();
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof(Segment)) return {};
  std::vector<Segment> segments(header.e_phnum);
  if (!read_at(fd, segments.data(), segments.size() * sizeof(Segment), header.e_phoff)) return unreadable();
  for (const Segment &segment : segments) {
    if (segment.p_type != PT_NOTE || segment.p_filesz > kMostNotes) continue;
    std::string notes(segment.p_filesz, '\0');
    if (!read_at(fd, notes.data(), notes.size(), segment.p_offset)) return unreadable();
    if (std::string id = build_id_in(notes); !id.empty()) return id;
  }
  return {};
}

}  // namespace hostler
