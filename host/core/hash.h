// A short number for a text, where it only has to differ and nobody gains by making two that do not. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace hostler {

// FNV-1a with 64 bits, by Glenn Fowler, Landon Curt Noll and Kiem-Phong Vo (http://www.isthe.com/chongo/tech/comp/fnv, in
// the public domain). Pages and names of folders hold it across hosts: it stays what it is.
[[nodiscard]] constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace hostler
