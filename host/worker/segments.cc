// Runtime: what ends a segment of a slice, and what it skips.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/plain_text.h"
#include "edge/unique_fd.h"
#include "worker/input_check.h"
#include "worker/runtime.h"

namespace hostler {
namespace {

// Of all that a segment skips: bytes, words, and some for each record. A message must hold it beside all else.
constexpr std::size_t kMaxSkipped = std::size_t{8} << 20;
constexpr std::size_t kSkipCost = 128;

// Or -errno.
int read_bytes(const std::string &path, std::int64_t begin, std::string &bytes) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return -errno;
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t got = ::pread(file.get(), bytes.data() + size, bytes.size() - size, begin + static_cast<off_t>(size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -errno;
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  return 0;
}

}  // namespace

// The segment is on its way, and only the answer tells what became of it: until then nothing else happens here. A host that
// is gone, or has no use for us, gives none.
int Runtime::checkpoint(std::int64_t position, std::string_view data) {
  if (!claims_.may_checkpoint(position)) return -EINVAL;
  page_.set_stage(Stage::Checkpointing);
  const int done = end_segment(position, data);
  page_.set_stage(Stage::Running);
  return done;
}

int Runtime::end_segment(std::int64_t position, std::string_view data) {
  if (work_.input != nullptr && !input_change(*work_.input).empty()) return -ESTALE;
  if (!files_.check()) return -ENOENT;
  SegmentEnded ended;
  if (const int error = files_.sync_lengths(ended.files); error != 0) return -error;
  ended.lease = work_.lease;
  ended.begin = work_.begin;
  ended.position = position + work_.shift;
  ended.data = data;
  ended.attempt_dir = files_.dir();
  {
    const std::lock_guard lock(mutex_);
    for (const auto &[name, value] : counters_) ended.counters.emplace(name, value);
    counters_.clear();
  }
  for (const auto &[begin, record] : skipped_) ended.skipped.push_back(record);
  if (channel_.send(ended)) {
    const std::int32_t error = channel_.await_answer(ended.lease, ended.position);
    if (error == 0) {
      claims_.checkpointed(position);
      has_checkpoint_ = true;
      skipped_.clear();
      skipped_size_ = 0;
      return 0;
    }
    put_back(ended);
    return -error;
  }
  put_back(ended);
  return -EPIPE;
}

// Nothing has come of it.
void Runtime::put_back(const SegmentEnded &ended) {
  const std::lock_guard lock(mutex_);
  for (const auto &[name, value] : ended.counters) {
    std::int64_t &sum = counters_[name];
    if (__builtin_add_overflow(sum, value, &sum)) sum = value;
  }
}

int Runtime::skip(std::int64_t begin, std::int64_t end, std::string_view reason) {
  const bool in_file = work_.input != nullptr;
  if (!claims_.may_skip(begin, end, in_file ? work_.input->size : 0)) return -EINVAL;
  const auto next = skipped_.lower_bound(begin);
  if (next != skipped_.end() && next->second.begin == begin && next->second.end == end) return 0;  // known
  if (next != skipped_.end() && next->first < end) return -EINVAL;
  if (next != skipped_.begin() && std::prev(next)->second.end > begin) return -EINVAL;
  Aside record{begin, end, {}, std::string(reason)};
  const std::size_t cost = kSkipCost + reason.size();
  if (skipped_size_ + cost > kMaxSkipped) return -EMSGSIZE;
  const std::size_t room = std::min(kMaxAsideBytes, kMaxSkipped - skipped_size_ - cost);
  const std::size_t wanted = std::min(room, static_cast<std::size_t>(end - begin));
  const hostler_slice_t &slice = slice_.value;
  if (in_file) {
    record.bytes.resize(wanted);
    if (const int error = read_bytes(work_.input->path, begin, record.bytes); error != 0) return error;
  } else if (slice.items != nullptr) {
    for (std::int64_t item = begin; item < end; ++item) {
      if (item > begin) record.bytes += '\n';
      record.bytes += slice.items[item - slice.begin];
    }
    if (record.bytes.size() > room) record.bytes.resize(room);
  }
  skipped_size_ += cost + record.bytes.size();
  skipped_.emplace(begin, std::move(record));
  return 0;
}

}  // namespace hostler
