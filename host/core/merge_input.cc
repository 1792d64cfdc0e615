#include "core/merge_input.h"

#include <cstring>
#include <utility>

namespace hostler {
namespace {

constexpr std::uint64_t kMagic = 0x3154'5550'4e49'474dULL;  // "MGINPUT1"
constexpr std::size_t kTrailer = 4 * sizeof(std::uint64_t);

template <typename T>
void put(std::string &bytes, T value) {
  bytes.append(reinterpret_cast<const char *>(&value), sizeof value);
}

void put_text(std::string &bytes, std::string_view text) {
  put(bytes, static_cast<std::uint32_t>(text.size()));
  bytes.append(text);
  bytes.push_back('\0');
}

void put_place(std::string &bytes, const MergeRange &range) {
  put(bytes, static_cast<std::uint32_t>(range.input));
  put(bytes, range.begin);
  put(bytes, range.end);
}

template <typename T>
bool take(std::string_view &bytes, T &value) {
  if (bytes.size() < sizeof value) return false;
  std::memcpy(&value, bytes.data(), sizeof value);
  bytes.remove_prefix(sizeof value);
  return true;
}

// Null when the text is not whole.
const char *take_text(std::string_view &bytes) {
  std::uint32_t size = 0;
  if (!take(bytes, size) || bytes.size() <= size || bytes[size] != '\0') return nullptr;
  const char *text = bytes.data();
  bytes.remove_prefix(std::size_t{size} + 1);
  return text;
}

bool take_place(std::string_view &bytes, MergeRange &range) {
  std::uint32_t input = 0;
  if (!take(bytes, input) || !take(bytes, range.begin) || !take(bytes, range.end)) return false;
  range.input = static_cast<std::int32_t>(input);
  return true;
}

bool take_committed(std::string_view &bytes, MergeRange &range) {
  std::uint32_t files = 0;
  std::uint8_t has_result = 0;
  std::uint64_t size = 0;
  if (!take_place(bytes, range) || !take(bytes, files) || !take(bytes, has_result) || !take(bytes, size)) return false;
  if (size > bytes.size()) return false;
  if (has_result != 0) range.result = bytes.substr(0, size);
  bytes.remove_prefix(size);
  for (std::uint32_t i = 0; i < files; ++i) {
    const char *file = take_text(bytes);
    if (file == nullptr) return false;
    range.files.push_back(file);
  }
  return true;
}

bool take_quarantined(std::string_view &bytes, MergeRange &range) {
  if (!take_place(bytes, range)) return false;
  range.reason = take_text(bytes);
  return range.reason != nullptr;
}

tl::unexpected<Error> damaged() {
  return fail({}, "the file of results for merge() is damaged");
}

}  // namespace

void MergeInputWriter::enter(Section section) {
  for (; section_ < section; section_ = static_cast<Section>(static_cast<std::size_t>(section_) + 1))
    ends_[static_cast<std::size_t>(section_)] = written_;
}

Result<void> MergeInputWriter::write(std::string_view bytes) {
  written_ += bytes.size();
  return sink_(bytes);
}

Result<void> MergeInputWriter::committed(const MergeRange &range) {
  const std::string_view result = range.result.value_or(std::string_view{});
  std::string head;
  put_place(head, range);
  put(head, static_cast<std::uint32_t>(range.files.size()));
  put(head, static_cast<std::uint8_t>(range.result ? 1 : 0));
  put(head, static_cast<std::uint64_t>(result.size()));
  std::string files;
  for (const char *file : range.files) put_text(files, file);
  if (Result<void> written = write(head); !written) return written;
  if (Result<void> written = write(result); !written) return written;
  return write(files);
}

Result<void> MergeInputWriter::quarantined(const MergeRange &range) {
  enter(Section::Quarantined);
  std::string bytes;
  put_place(bytes, range);
  put_text(bytes, range.reason == nullptr ? "" : range.reason);
  return write(bytes);
}

Result<void> MergeInputWriter::counter(std::string_view name, std::int64_t total) {
  enter(Section::Counters);
  std::string bytes;
  put(bytes, total);
  put_text(bytes, name);
  return write(bytes);
}

Result<void> MergeInputWriter::finish() {
  enter(Section::Trailer);
  std::string bytes;
  for (const std::uint64_t end : ends_) put(bytes, end);
  put(bytes, kMagic);
  return write(bytes);
}

Result<MergeInputReader> MergeInputReader::open(std::string_view file) {
  if (file.size() < kTrailer) return damaged();
  std::string_view trailer = file.substr(file.size() - kTrailer);
  std::array<std::uint64_t, 3> ends{};
  std::uint64_t magic = 0;
  for (std::uint64_t &end : ends) (void)take(trailer, end);
  (void)take(trailer, magic);
  if (magic != kMagic || ends[0] > ends[1] || ends[1] > ends[2] || ends[2] != file.size() - kTrailer) return damaged();
  MergeInputReader reader;
  reader.committed_ = file.substr(0, ends[0]);
  reader.quarantined_ = file.substr(ends[0], ends[1] - ends[0]);
  std::string_view counters = file.substr(ends[1], ends[2] - ends[1]);
  while (!counters.empty()) {
    std::int64_t total = 0;
    if (!take(counters, total)) return damaged();
    const char *name = take_text(counters);
    if (name == nullptr) return damaged();
    reader.counters_.emplace(name, total);
  }
  return reader;
}

Result<std::optional<MergeRange>> MergeInputReader::next_committed() {
  if (committed_.empty()) return std::nullopt;
  MergeRange range;
  if (!take_committed(committed_, range)) return damaged();
  return range;
}

Result<std::optional<MergeRange>> MergeInputReader::next_quarantined() {
  if (quarantined_.empty()) return std::nullopt;
  MergeRange range;
  if (!take_quarantined(quarantined_, range)) return damaged();
  return range;
}

std::int64_t MergeInputReader::counter(std::string_view name) const {
  const auto at = counters_.find(name);
  return at == counters_.end() ? 0 : at->second;
}

}  // namespace hostler
