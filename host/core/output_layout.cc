#include "core/output_layout.h"

#include <charconv>

#include <fmt/format.h>

#include "core/messages.h"
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

bool is_attempt_name(std::string_view name) {
  std::uint64_t lease = 0;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || !parse(name.substr(dot + 1), lease)) return false;
  const std::string_view slice = name.substr(0, dot);
  if (slice == "merge") return attempt_folder(0, 0, true, lease) == name;
  OutputPlace place;
  const std::size_t dash = slice.find('-');
  if (dash == std::string_view::npos) return false;
  if (!parse(slice.substr(0, dash), place.input) || !parse(slice.substr(dash + 1), place.begin)) return false;
  return attempt_folder(place.input, place.begin, false, lease) == name;
}

bool is_output_name(std::string_view name, bool merge) {
  if (name.empty() || name.size() > kMaxName || name == "." || name == "..") return false;
  if (name.find('/') != std::string_view::npos || !is_plain(name)) return false;
  const bool ours = name == kAttemptsFolder || name == kPartsFolder || name == kOutputManifest || name == kSuccessFile;
  return !merge || !ours;
}

}  // namespace hostler
