#include "fake_host.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace abi_test {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "hostler-abi-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::write(const std::string &name, const std::string &content) const {
  const std::string path = path_ + "/" + name;
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

std::string read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

FakeHost::FakeHost() {
  if (::pipe2(stop_pipe_, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  table_.host = make_table();
  cell_.owner = this;
  cell_.slice.struct_size = sizeof(hostler_slice_t);
  cell_.slice.count = 1;
  cell_.slice.attempt = 1;
  cell_.slice.unit = 1;
  cell_.slice.worker = "fake";
  cell_.slice.job_id = "job-1";
  cell_.slice.host = &table_.host;
}

FakeHost::~FakeHost() {
  for (const auto &[name, fd] : outputs_) ::close(fd);
  ::close(stop_pipe_[0]);
  ::close(stop_pipe_[1]);
}

void FakeHost::set_file(int kind, const std::string &path, int64_t begin, int64_t end, int64_t unit) {
  path_ = path;
  cell_.slice.path = path_.c_str();
  cell_.slice.unit = unit;
  set_range(kind, begin, end);
}

void FakeHost::set_range(int kind, int64_t begin, int64_t end) {
  cell_.slice.kind = kind;
  cell_.slice.begin = cell_.slice.resume = granted_ = begin;
  cell_.slice.end = end;
}

void FakeHost::set_items(const std::vector<std::string> &items, int64_t begin) {
  item_texts_ = items;
  items_.clear();
  for (const std::string &item : item_texts_) items_.push_back(item.c_str());
  cell_.slice.items = items_.data();
  set_range(HOSTLER_ITEMS, begin, begin + static_cast<int64_t>(items.size()));
}

void FakeHost::stop(int word) {
  stop_word = word;
  [[maybe_unused]] const ssize_t told = ::write(stop_pipe_[1], "x", 1);
}

int64_t FakeHost::claim(const hostler_slice_t *slice, int64_t from, int64_t to) {
  FakeHost &host = of(slice);
  if (host.claims.empty()) host.granted_ = slice->resume;
  const bool on_grid = (to - slice->begin) % slice->unit == 0 || to == slice->end;
  if (from != host.granted_ || to <= from || to > slice->end || !on_grid) return -EINVAL;
  if (static_cast<int>(host.claims.size()) == host.stop_at_claim) host.stop(HOSTLER_CANCEL);
  host.claims.emplace_back(from, to);
  if (host.stop_word >= HOSTLER_CANCEL) return from;
  host.granted_ = std::max(from, std::min(to, host.grant_end));
  return host.granted_;
}

void FakeHost::offer_checkpoints() {
  table_.host.checkpoint = [](const hostler_slice_t *slice, int64_t position, const void *data, int64_t size) {
    FakeHost &host = of(slice);
    const int64_t last = host.checkpoints.empty() ? slice->resume : host.checkpoints.back().first;
    if (position <= last || position > host.granted_) return -EINVAL;
    host.checkpoints.emplace_back(position, std::string(static_cast<const char *>(data), static_cast<size_t>(size)));
    return 0;
  };
}

int FakeHost::open_output(const hostler_slice_t *slice, const char *name) {
  FakeHost &host = of(slice);
  const std::string path = host.dir_.path() + "/" + name;
  if (std::string(name).find('/') != std::string::npos) return -EINVAL;
  const auto [entry, fresh] = host.outputs_.emplace(name, -1);
  if (fresh) entry->second = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  return entry->second;
}

hostler_host_t FakeHost::make_table() {
  using Slice = const hostler_slice_t *;
  hostler_host_t host{};
  host.struct_size = sizeof(host);
  host.claim = claim;
  host.at = [](Slice slice, int64_t position) { return of(slice).positions.push_back(position), 0; };
  host.heartbeat = [](Slice slice) { return of(slice).heartbeats++, 0; };
  host.progress = [](Slice, int64_t, int64_t) { return 0; };
  host.should_stop = [](Slice slice) { return of(slice).stop_word; };
  host.stop_fd = [](Slice slice) { return of(slice).stop_pipe_[0]; };
  host.output = open_output;
  host.result = [](Slice slice, const void *data, int64_t size) {
    if (size > HOSTLER_MAX_RESULT) return -EMSGSIZE;
    of(slice).result.assign(static_cast<const char *>(data), static_cast<size_t>(size));
    return 0;
  };
  host.counter = [](Slice slice, const char *name, int64_t delta) { return of(slice).counters[name] += delta, 0; };
  host.fail = [](Slice slice, const char *reason) { return of(slice).failure = reason, 0; };
  host.log = [](Slice slice, int, const char *text, int64_t size) {
    return of(slice).log.emplace_back(text, static_cast<size_t>(size)), 0;
  };
  host.param = [](Slice slice, const char *key) -> const char * {
    const auto found = of(slice).params.find(key);
    return found == of(slice).params.end() ? nullptr : found->second.c_str();
  };
  host.ready = [](Slice slice) { return of(slice).ready++, 0; };
  host.count = [](Slice slice) { return of(slice).instances; };
  return host;
}

}  // namespace abi_test
