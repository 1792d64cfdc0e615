// Where a job's files lie below its OUTPUT folder, as relative paths. Pure.
//   parts/INPUT-BEGIN/NAME   what a slice left; zero-padded (6 and 19 digits): names sort in the order of slices
//   NAME                     what merge() left
//   .attempts/…              attempts that have not committed
//   manifest.json, _SUCCESS  at the end
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hostler {

inline constexpr std::string_view kAttemptsFolder = ".attempts";
inline constexpr std::string_view kPartsFolder = "parts";
inline constexpr std::string_view kOutputManifest = "manifest.json";
inline constexpr std::string_view kSuccessFile = "_SUCCESS";

// A committed file's owner: a slice, by its input and first local position, or the merge (then both are 0).
struct OutputPlace {
  bool merge = false;
  std::int32_t input = 0;
  std::int64_t begin = 0;
  bool operator==(const OutputPlace &) const = default;
};

// "000003-0000000000016777216".
[[nodiscard]] std::string part_folder(std::int32_t input, std::int64_t begin);
// The way back; nothing when it is no such name.
[[nodiscard]] std::optional<OutputPlace> parse_part_folder(std::string_view folder);
// "parts/000003-0000000000016777216/NAME", or "NAME" of the merge.
[[nodiscard]] std::string output_path(const OutputPlace &place, std::string_view name);

// Has `name` the form of an attempt's folder (core/messages.h, attempt_folder)?
[[nodiscard]] bool is_attempt_name(std::string_view name);

// One path component of 1 to 128 bytes of plain text; of the merge, none of ours.
[[nodiscard]] bool is_output_name(std::string_view name, bool merge);

}  // namespace hostler
