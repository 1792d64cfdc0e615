#include "core/encoding.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace hostler {
namespace {

constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kHexDigits = "0123456789abcdef";

// How many bytes follow the first one of a character; -1 when none begins so.
int followers(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first <= 0xdf) return 1;
  if (first >= 0xe0 && first <= 0xef) return 2;
  if (first >= 0xf0 && first <= 0xf4) return 3;
  return -1;
}

// Where a second byte is bound tighter than 80 to BF: overlong forms, surrogates, beyond the last character.
bool may_follow(unsigned char first, unsigned char second) {
  const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  return second >= low && second <= high;
}

}  // namespace

bool is_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto first = static_cast<unsigned char>(bytes[0]);
    const int more = followers(first);
    if (more < 0 || bytes.size() <= static_cast<std::size_t>(more)) return false;
    if (more > 0 && !may_follow(first, static_cast<unsigned char>(bytes[1]))) return false;
    for (int i = 2; i <= more; ++i)
      if ((static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]) & 0xc0) != 0x80) return false;
    bytes.remove_prefix(static_cast<std::size_t>(more) + 1);
  }
  return true;
}

std::string base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (; !bytes.empty(); bytes.remove_prefix(std::min<std::size_t>(3, bytes.size()))) {
    const auto byte = [&](std::size_t i) -> std::uint32_t {
      return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0;
    };
    const std::uint32_t group = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (std::size_t i = 0; i < 4; ++i) text.push_back(i <= bytes.size() ? kDigits[group >> (18 - 6 * i) & 63] : '=');
  }
  return text;
}

std::string hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes)
    for (const int shift : {4, 0}) text.push_back(kHexDigits[static_cast<unsigned char>(byte) >> shift & 15]);
  return text;
}

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (; text.size() >= 2; text.remove_prefix(2)) {
    const std::size_t high = kHexDigits.find(text[0]);
    const std::size_t low = kHexDigits.find(text[1]);
    if (high == std::string_view::npos || low == std::string_view::npos) break;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

}  // namespace hostler
