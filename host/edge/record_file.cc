#include "edge/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "edge/unique_fd.h"

namespace hostler {
namespace {

// A line that leaves its block is followed so far; what is longer is told as if it ended there.
constexpr std::int64_t kBeyond = std::int64_t{1} << 20;
constexpr std::int64_t kSearchPiece = std::int64_t{64} << 10;

class RecordSource {
 public:
  static Result<RecordSource> open(const Input &input) {
    const auto refuse = [&](const std::string &why) {
      return fail({}, fmt::format("input {}: {}: which record it was in is not known", input.path, why));
    };
    UniqueFd fd(::open(input.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat now {};
    if (!fd || ::fstat(fd.get(), &now) != 0) return refuse(std::strerror(errno));
    const bool same =
        S_ISREG(now.st_mode) && now.st_size == input.size && now.st_dev == input.device && now.st_ino == input.inode;
    if (!same) return refuse("changed");
    return RecordSource(std::move(fd), now.st_size, input.path);
  }

  [[nodiscard]] std::int64_t size() const { return size_; }

  // The bytes of [from, to), fewer at the end of the file.
  [[nodiscard]] std::string read(std::int64_t from, std::int64_t to) {
    std::string bytes(static_cast<std::size_t>(std::max<std::int64_t>(std::min(to, size_) - from, 0)), '\0');
    std::size_t taken = 0;
    while (taken < bytes.size()) {
      const ssize_t size =
          ::pread(fd_.get(), bytes.data() + taken, bytes.size() - taken, from + static_cast<std::int64_t>(taken));
      if (size < 0 && errno == EINTR) continue;
      if (size <= 0) {
        problem_ = size < 0 ? std::strerror(errno) : "shorter than it was";
        break;
      }
      taken += static_cast<std::size_t>(size);
    }
    bytes.resize(taken);
    return bytes;
  }

  // The first '\n' in [from, to).
  [[nodiscard]] std::optional<std::int64_t> newline(std::int64_t from, std::int64_t to) {
    for (std::int64_t at = from; at < std::min(to, size_) && problem_.empty(); at += kSearchPiece) {
      const std::string piece = read(at, std::min(at + kSearchPiece, to));
      if (const std::size_t found = piece.find('\n'); found != std::string::npos)
        return at + static_cast<std::int64_t>(found);
    }
    return std::nullopt;
  }

  // The last one.
  [[nodiscard]] std::optional<std::int64_t> last_newline(std::int64_t from, std::int64_t to) {
    for (std::int64_t end = to; end > from && problem_.empty(); end -= kSearchPiece) {
      const std::int64_t begin = std::max(from, end - kSearchPiece);
      if (const std::size_t found = read(begin, end).rfind('\n'); found != std::string::npos)
        return begin + static_cast<std::int64_t>(found);
    }
    return std::nullopt;
  }

  [[nodiscard]] Result<FoundRecord> found(FoundRecord record) const {
    if (!problem_.empty()) return fail({}, fmt::format("input {}: {}", path_, problem_));
    return record;
  }

 private:
  RecordSource(UniqueFd fd, std::int64_t size, std::string path)
      : fd_(std::move(fd)), size_(size), path_(std::move(path)) {}

  UniqueFd fd_;
  std::int64_t size_;
  std::string path_;
  std::string problem_;
};

// Where the line begins that is meant: the one that `at` is part of, or the first one that starts in the block.
std::optional<std::int64_t> line_begin(RecordSource &file, const RecordQuery &query) {
  const std::int64_t from = query.block.begin;
  if (query.at) {
    const auto before = file.last_newline(from, *query.at);
    if (before) return *before + 1;
    const bool begins_one = from == 0 || file.read(from - 1, from) == "\n";
    return begins_one ? std::optional(from) : std::nullopt;  // the line begins before the block, and is another slice's
  }
  if (from == 0) return from;
  const auto before = file.newline(from - 1, query.block.end - 1);
  return before ? std::optional(*before + 1) : std::nullopt;
}

Result<FoundRecord> find_line(RecordSource &file, const RecordQuery &query) {
  const auto begin = line_begin(file, query);
  if (!begin || *begin >= std::min(query.block.end, file.size()))
    return fail(
        {}, fmt::format("input {}: no line starts within {}-{}", query.input.path, query.block.begin, query.block.end));
  const std::int64_t limit = std::min(std::max(query.block.end, *begin) + kBeyond, file.size());
  const auto end = file.newline(*begin, limit);
  FoundRecord line;
  line.at = {*begin, end ? *end + 1 : limit};
  line.alone = line.at.end >= query.block.end;
  line.bytes = file.read(*begin, std::min(end.value_or(limit), *begin + kMostRecordBytes));
  return file.found(std::move(line));
}

}  // namespace

Result<FoundRecord> find_record(const RecordQuery &query) {
  auto file = RecordSource::open(query.input);
  if (!file) return tl::unexpected(file.error());
  if (query.kind == InputKind::Lines) return find_line(*file, query);
  FoundRecord record;
  record.at = query.block;
  record.alone = true;
  record.bytes = file->read(query.block.begin, std::min(query.block.end, query.block.begin + kMostRecordBytes));
  return file->found(std::move(record));
}

}  // namespace hostler
