// What fuzz targets share. Each is one file with LLVMFuzzerTestOneInput; under the fuzz preset libFuzzer drives it, in an
// ordinary build replay.cc feeds it the files of its corpus, as a test.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <type_traits>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size);

namespace hostler {

inline std::string_view text_of(const std::uint8_t *data, std::size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

// What must hold for every input; else this one is a finding.
inline void require(bool holds, const char *what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Takes decisions off the front of an input; zeros, once it is used up.
class Decisions {
 public:
  explicit Decisions(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool empty() const { return bytes_.empty(); }
  template <typename T>
  requires std::is_trivially_copyable_v<T> T take() {
    T value{};
    const std::size_t size = bytes_.size() < sizeof value ? bytes_.size() : sizeof value;
    std::memcpy(&value, bytes_.data(), size);
    bytes_.remove_prefix(size);
    return value;
  }
  // 0 … n - 1
  std::uint32_t below(std::uint32_t n) { return take<std::uint8_t>() % n; }
  std::string_view text(std::size_t most) {
    const std::string_view part = bytes_.substr(0, most < bytes_.size() ? most : bytes_.size());
    bytes_.remove_prefix(part.size());
    return part;
  }

 private:
  std::string_view bytes_;
};

}  // namespace hostler
