#include "core/output_layout.h"

#include <charconv>

#include <fmt/format.h>

#include "core/plain_text.h"

namespace hostler {
namespace {

constexpr std::size_t kMaxName = 128;

template <typename T>
bool parse(std::string_view digits, T &value) {
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc{} && end == digits.data() + digits.size();
}

}  // namespace

std::string part_folder(std::int32_t input, std::int64_t begin) {
  return fmt::format("{:06}-{:019}", input, begin);
}

std::optional<OutputPlace> parse_part_folder(std::string_view folder) {
  const std::size_t dash = folder.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  OutputPlace place;
  if (!parse(folder.substr(0, dash), place.input) || !parse(folder.substr(dash + 1), place.begin)) return std::nullopt;
  if (part_folder(place.input, place.begin) != folder) return std::nullopt;
  return place;
}

std::string output_path(const OutputPlace &place, std::string_view name) {
  if (place.merge) return std::string(name);
  return fmt::format("{}/{}/{}", kPartsFolder, part_folder(place.input, place.begin), name);
}

bool is_output_name(std::string_view name, bool merge) {
  if (name.empty() || name.size() > kMaxName || name == "." || name == "..") return false;
  if (name.find('/') != std::string_view::npos || !is_plain(name)) return false;
  const bool ours = name == kAttemptsFolder || name == kPartsFolder || name == kOutputManifest || name == kSuccessFile;
  return !merge || !ours;
}

}  // namespace hostler
