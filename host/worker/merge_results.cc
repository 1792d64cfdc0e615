#include "worker/merge_results.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "edge/unique_fd.h"

namespace hostler {
namespace {

using Found = Result<std::optional<MergeRange>>;

// As much of `range` as the caller's struct has room for, and zero for what a newer one has besides.
void hand_out(const MergeRange &range, hostler_range_t *out) {
  hostler_range_t full{};
  full.struct_size = out->struct_size;
  full.input = range.input;
  full.begin = range.begin;
  full.end = range.end;
  if (range.result) {
    full.result = range.result->data();
    full.result_size = static_cast<std::int64_t>(range.result->size());
  }
  full.files = range.files.data();
  full.file_count = static_cast<std::int64_t>(range.files.size());
  full.reason = range.reason;
  const auto size = static_cast<std::size_t>(out->struct_size);
  std::memset(out, 0, size);
  std::memcpy(out, &full, std::min(sizeof full, size));
}

int step(Found found, MergeRange &kept, hostler_range_t *out) {
  if (!found) return -EIO;
  if (!*found) return 0;
  kept = std::move(**found);
  hand_out(kept, out);
  return 1;
}

bool is_struct(const hostler_range_t *out) {
  return out != nullptr && out->struct_size >= static_cast<std::int64_t>(sizeof out->struct_size) &&
         out->struct_size <= HOSTLER_STRUCT_ROOM;
}

}  // namespace

Result<std::unique_ptr<MergeResults>> MergeResults::open(const std::string &path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) return fail(path, std::strerror(errno));
  const auto size = static_cast<std::size_t>(status.st_size);
  void *mapped = size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (mapped == MAP_FAILED) return fail(path, std::strerror(errno));
  std::unique_ptr<MergeResults> results(new MergeResults({static_cast<const char *>(mapped), size}));
  auto reader = MergeInputReader::open(results->mapped_);
  if (!reader) return fail(path, reader.error().what);
  results->reader_ = std::move(*reader);
  return results;
}

MergeResults::MergeResults(std::string_view mapped) : mapped_(mapped) {
  table_.value.struct_size = sizeof(hostler_results_t);
  table_.value.next = next;
  table_.value.counter = counter;
  table_.value.quarantined = quarantined;
  table_.self = this;
}

MergeResults::~MergeResults() {
  if (!mapped_.empty()) ::munmap(const_cast<char *>(mapped_.data()), mapped_.size());
}

MergeResults &MergeResults::of(hostler_results_t *results) {
  return *reinterpret_cast<Table *>(results)->self;
}

int MergeResults::next(hostler_results_t *results, hostler_range_t *out) {
  if (!is_struct(out)) return -EINVAL;
  MergeResults &self = of(results);
  return step(self.reader_->next_committed(), self.committed_, out);
}

int MergeResults::quarantined(hostler_results_t *results, hostler_range_t *out) {
  if (!is_struct(out)) return -EINVAL;
  MergeResults &self = of(results);
  return step(self.reader_->next_quarantined(), self.quarantined_, out);
}

std::int64_t MergeResults::counter(hostler_results_t *results, const char *name) {
  return name == nullptr ? 0 : of(results).reader_->counter(name);
}

}  // namespace hostler
