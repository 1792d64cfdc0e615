#include "core/build_id.h"

#include <cstdint>
#include <cstring>

#include <fmt/format.h>

namespace hostler {
namespace {

// elf(5), which is the same for both classes.
struct NoteHeader {
  std::uint32_t name_size;
  std::uint32_t size;
  std::uint32_t type;
};
constexpr std::uint32_t kBuildId = 3;  // NT_GNU_BUILD_ID
constexpr std::string_view kOwner("GNU\0", 4);
constexpr std::uint32_t kLongestId = 64;

std::uint64_t padded(std::uint32_t size) {
  return (std::uint64_t{size} + 3) / 4 * 4;
}

}  // namespace

std::string build_id_in(std::string_view notes) {
  NoteHeader header{};
  while (notes.size() >= sizeof header) {
    std::memcpy(&header, notes.data(), sizeof header);
    notes.remove_prefix(sizeof header);
    if (padded(header.name_size) + padded(header.size) > notes.size()) return {};
    const std::string_view owner = notes.substr(0, header.name_size);
    const std::string_view bytes = notes.substr(padded(header.name_size), header.size);
    notes.remove_prefix(padded(header.name_size) + padded(header.size));
    if (header.type != kBuildId || owner != kOwner || header.size > kLongestId) continue;
    std::string id;
    for (const char byte : bytes) id += fmt::format("{:02x}", static_cast<unsigned char>(byte));
    return id;
  }
  return {};
}

}  // namespace hostler
