#include "core/messages.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <type_traits>

#include <fmt/format.h>

#include "core/plain_text.h"

namespace hostler {
namespace {

// Numbers on the wire are never reused.
enum class MessageType : std::uint8_t {
  Start = 1,
  Lease = 2,
  Checkpointed = 3,
  Dismissed = 4,
  Loaded = 16,
  Ready = 17,
  SliceEnded = 18,
  LeaseEnded = 19,
  LeaseCut = 20,
  SegmentEnded = 21
};

// The ABI's limits (plugin.h), which core does not include.
constexpr std::size_t kMaxResult = std::size_t{16} << 20;
constexpr std::size_t kMaxCheckpoint = std::size_t{16} << 20;
constexpr std::size_t kMaxToldReason = 1024;
constexpr std::size_t kMaxCounterName = 64;
constexpr std::size_t kMaxFiles = 65536;
constexpr std::size_t kMaxFileName = 128;
// Of any list that a worker sends: a frame full of empty texts would take many times its size.
constexpr std::uint64_t kMostFromAWorker = 2 * kMaxFiles;

template <typename T>
concept Number = (std::is_integral_v<T> && !std::is_same_v<T, bool>);

class Writer {
 public:
  explicit Writer(MessageType type) : out_(sizeof(std::uint32_t), '\0') { put(static_cast<std::uint8_t>(type)); }

  template <typename... Field>
  void operator()(const Field &...fields) {
    (put(fields), ...);
  }

  [[nodiscard]] std::string frame() && {
    const auto size = static_cast<std::uint32_t>(out_.size() - sizeof(std::uint32_t));
    std::memcpy(out_.data(), &size, sizeof size);
    return std::move(out_);
  }

 private:
  template <Number T>
  void put(T value) {
    out_.append(reinterpret_cast<const char *>(&value), sizeof value);
  }
  void put(bool value) { put(static_cast<std::uint8_t>(value)); }
  void put(InputKind kind) { put(static_cast<std::int32_t>(kind)); }
  void put(StopWord word) { put(static_cast<std::uint32_t>(word)); }
  void put(const std::string &text) {
    put(static_cast<std::uint64_t>(text.size()));
    out_ += text;
  }
  void put(const Interval &interval) { (*this)(interval.begin, interval.end); }
  void put(const CountedCode &code) { (*this)(code.code, code.counts_as, code.rule); }
  void put(const Limits &limits) {
    (*this)(limits.open_files, limits.core, limits.address_space, limits.user_processes, limits.group, limits.memory,
            limits.processes, limits.cpu);
  }
  void put(const User &user) { (*this)(user.name, user.uid, user.gid, user.groups, user.home); }
  void put(const OutputLength &file) { (*this)(file.name, file.size); }
  void put(const Aside &aside) { (*this)(aside.begin, aside.end, aside.bytes, aside.reason); }
  void put(const Saved &saved) { (*this)(saved.position, saved.data, saved.attempt_dir, saved.files); }
  template <typename T>
  void put(const std::optional<T> &value) {
    put(value.has_value());
    if (value) put(*value);
  }
  void put(const Input &input) { (*this)(input.path, input.size, input.mtime_ns, input.device, input.inode); }
  template <typename T>
  void put(const std::vector<T> &values) {
    put(static_cast<std::uint64_t>(values.size()));
    for (const T &value : values) put(value);
  }
  template <typename T>
  void put(const std::map<std::string, T> &values) {
    put(static_cast<std::uint64_t>(values.size()));
    for (const auto &[key, value] : values) (*this)(key, value);
  }

  std::string out_;
};

// After the first field that cannot be right it reads nothing more, and ok() is false.
class Reader {
 public:
  Reader(std::string_view in, std::uint64_t longest_list) : in_(in), longest_list_(longest_list) {}

  template <typename... Field>
  void operator()(Field &...fields) {
    (get(fields), ...);
  }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return ok_ && in_.empty(); }

 private:
  template <Number T>
  void get(T &value) {
    if (!has(sizeof value)) return;
    std::memcpy(&value, in_.data(), sizeof value);
    in_.remove_prefix(sizeof value);
  }
  void get(bool &value) {
    std::uint8_t number = 0;
    get(number);
    value = number == 1;
    if (number > 1) ok_ = false;
  }
  void get(InputKind &kind) { get_enum<std::int32_t>(kind, InputKind::None, InputKind::Items); }
  void get(StopWord &word) { get_enum<std::uint32_t>(word, StopWord::GoOn, StopWord::Deadline); }
  void get(std::string &text) {
    std::uint64_t size = 0;
    get(size);
    if (!has(size)) return;
    text.assign(in_.substr(0, size));
    in_.remove_prefix(size);
  }
  void get(Interval &interval) { (*this)(interval.begin, interval.end); }
  void get(Limits &limits) {
    (*this)(limits.open_files, limits.core, limits.address_space, limits.user_processes, limits.group, limits.memory,
            limits.processes, limits.cpu);
  }
  void get(User &user) { (*this)(user.name, user.uid, user.gid, user.groups, user.home); }
  void get(OutputLength &file) { (*this)(file.name, file.size); }
  void get(Aside &aside) { (*this)(aside.begin, aside.end, aside.bytes, aside.reason); }
  void get(Saved &saved) { (*this)(saved.position, saved.data, saved.attempt_dir, saved.files); }
  template <typename T>
  void get(std::optional<T> &value) {
    bool there = false;
    get(there);
    if (ok_ && there) get(value.emplace());
  }
  void get(CountedCode &code) { (*this)(code.code, code.counts_as, code.rule); }
  void get(Input &input) { (*this)(input.path, input.size, input.mtime_ns, input.device, input.inode); }
  template <typename T>
  void get(std::vector<T> &values) {
    std::uint64_t count = 0;
    get(count);
    // Each value takes a byte at least, so nothing is allocated for a count that cannot be right.
    if (!has(count) || !may_list(count)) return;
    for (std::uint64_t i = 0; i < count && ok_; ++i) get(values.emplace_back());
  }
  template <typename T>
  void get(std::map<std::string, T> &values) {
    std::uint64_t count = 0;
    get(count);
    if (!may_list(count)) return;
    for (std::uint64_t i = 0; i < count && ok_; ++i) {
      std::string key;
      T value{};
      (*this)(key, value);
      if (ok_ && !values.emplace(std::move(key), std::move(value)).second) ok_ = false;
    }
  }

  template <typename Wire, typename Enum>
  void get_enum(Enum &value, Enum first, Enum last) {
    Wire number{};
    get(number);
    if (number < static_cast<Wire>(first) || number > static_cast<Wire>(last)) {
      ok_ = false;
      return;
    }
    value = static_cast<Enum>(number);
  }
  [[nodiscard]] bool has(std::uint64_t size) {
    if (size > in_.size()) ok_ = false;
    return ok_;
  }

  [[nodiscard]] bool may_list(std::uint64_t count) {
    if (count > longest_list_) ok_ = false;
    return ok_;
  }

  std::string_view in_;
  std::uint64_t longest_list_;
  bool ok_ = true;
};

// Each message's fields in the order of the wire, for both directions.
template <typename Archive, typename M>
void fields(Archive &archive, M &m) {
  using T = std::remove_const_t<M>;
  if constexpr (std::is_same_v<T, Start>) {
    archive(m.name, m.instance, m.count, m.library, m.plugin, m.cwd, m.umask, m.env, m.params, m.job, m.job_id,
            m.attempts_dir, m.stop_signal, m.codes, m.may_split, m.limits, m.user, m.trouble);
  } else if constexpr (std::is_same_v<T, Lease>) {
    archive(m.id, m.begin, m.end, m.attempt, m.kind, m.slice_size, m.unit, m.base, m.plan_count, m.first_input,
            m.first_offset, m.first_index, m.inputs, m.items_first, m.items, m.saved, m.merge_input);
  } else if constexpr (std::is_same_v<T, SliceEnded>) {
    archive(m.lease, m.slice, m.returned, m.rule, m.counts_as, m.reason, m.claimed, m.claimed_to, m.refused,
            m.signalled, m.input_changed, m.io_failed, m.no_room, m.saved_lost, m.result, m.has_result, m.counters,
            m.skipped, m.attempt_dir, m.files);
  } else if constexpr (std::is_same_v<T, SegmentEnded>) {
    archive(m.lease, m.begin, m.position, m.data, m.counters, m.skipped, m.attempt_dir, m.files);
  } else if constexpr (std::is_same_v<T, Checkpointed>) {
    archive(m.lease, m.position, m.error);
  } else if constexpr (std::is_same_v<T, LeaseEnded>) {
    archive(m.lease, m.up_to);
  } else if constexpr (std::is_same_v<T, LeaseCut>) {
    archive(m.lease, m.cut);
  } else {
    static_assert(std::is_same_v<T, Loaded> || std::is_same_v<T, Ready> || std::is_same_v<T, Dismissed>);
  }
}

template <typename M>
constexpr MessageType type_of() {
  if constexpr (std::is_same_v<M, Start>) return MessageType::Start;
  if constexpr (std::is_same_v<M, Lease>) return MessageType::Lease;
  if constexpr (std::is_same_v<M, Checkpointed>) return MessageType::Checkpointed;
  if constexpr (std::is_same_v<M, Dismissed>) return MessageType::Dismissed;
  if constexpr (std::is_same_v<M, Loaded>) return MessageType::Loaded;
  if constexpr (std::is_same_v<M, Ready>) return MessageType::Ready;
  if constexpr (std::is_same_v<M, SliceEnded>) return MessageType::SliceEnded;
  if constexpr (std::is_same_v<M, LeaseEnded>) return MessageType::LeaseEnded;
  if constexpr (std::is_same_v<M, LeaseCut>) return MessageType::LeaseCut;
  if constexpr (std::is_same_v<M, SegmentEnded>) return MessageType::SegmentEnded;
}

// What a right message must also keep, beyond its form; a worker may send anything.
std::string_view fault(const Start &) {
  return {};
}
std::string_view fault(const Checkpointed &) {
  return {};
}
std::string_view fault(const Dismissed &) {
  return {};
}
std::string_view fault(const Loaded &) {
  return {};
}
std::string_view fault(const Ready &) {
  return {};
}
std::string_view fault(const LeaseEnded &) {
  return {};
}
std::string_view fault(const LeaseCut &) {
  return {};
}

std::string_view fault(const Lease &lease) {
  if (lease.begin > lease.end) return "a lease that ends before it begins";
  if (lease.slice_size < 1 || lease.unit < 1) return "a lease with slices of no size";
  return {};
}

bool is_file_name(const std::string &name) {
  return !name.empty() && name.size() <= kMaxFileName && name != "." && name != ".." &&
         name.find('/') == std::string::npos && is_plain(name);
}

std::string_view fault(const std::map<std::string, std::int64_t> &counters) {
  if (counters.size() > kMaxCounters) return "more than 1024 counters";
  for (const auto &[counter, delta] : counters) {
    if (counter.empty() || counter.size() > kMaxCounterName) return "a counter's name that is empty or too long";
    if (!is_plain(counter)) return "a counter's name that is no plain text";
  }
  return {};
}

std::string_view fault(const std::vector<Aside> &skipped) {
  for (const Aside &aside : skipped) {
    if (aside.begin < 0 || aside.begin >= aside.end) return "a skipped record that ends before it begins";
    if (aside.bytes.size() > kMaxAsideBytes) return "a skipped record of more than 64 KiB";
    if (aside.reason.size() > kMaxToldReason) return "a reason longer than 1 KiB";
  }
  return {};
}

std::string_view fault(const SegmentEnded &ended) {
  if (ended.position <= ended.begin) return "a checkpoint where its slice begins";
  if (ended.data.size() > kMaxCheckpoint) return "a checkpoint larger than 16 MiB";
  if (const std::string_view wrong = fault(ended.counters); !wrong.empty()) return wrong;
  if (const std::string_view wrong = fault(ended.skipped); !wrong.empty()) return wrong;
  if (ended.files.size() > kMaxFiles) return "more than 65536 files";
  for (const OutputLength &file : ended.files)
    if (!is_file_name(file.name) || file.size < 0) return "a file name or a size that is not one";
  if (!ended.files.empty() && ended.attempt_dir.empty()) return "files without a folder";
  return {};
}

std::string_view fault(const SliceEnded &ended) {
  if (ended.slice.begin > ended.slice.end) return "a slice that ends before it begins";
  if (ended.reason.size() > kMaxToldReason) return "a reason longer than 1 KiB";
  if (ended.result.size() > kMaxResult) return "a result larger than 16 MiB";
  if (!ended.has_result && !ended.result.empty()) return "a result that is not there";
  if (const std::string_view wrong = fault(ended.counters); !wrong.empty()) return wrong;
  if (const std::string_view wrong = fault(ended.skipped); !wrong.empty()) return wrong;
  if (ended.files.size() > kMaxFiles) return "more than 65536 files";
  if (!std::all_of(ended.files.begin(), ended.files.end(), is_file_name)) return "a file name that is not one";
  if (!ended.files.empty() && ended.attempt_dir.empty()) return "files without a folder";
  return {};
}

template <typename Variant>
std::string encode_any(const Variant &message) {
  return std::visit(
      [](const auto &m) {
        Writer writer(type_of<std::decay_t<decltype(m)>>());
        fields(writer, m);
        return std::move(writer).frame();
      },
      message);
}

template <typename M, typename Variant>
Result<Variant> decode_as(std::string_view body) {
  M message;
  Reader reader(body,
                std::is_same_v<Variant, WorkerMessage> ? kMostFromAWorker : std::numeric_limits<std::uint64_t>::max());
  fields(reader, message);
  if (!reader.at_end())
    return fail({}, reader.ok() ? "a message with bytes left over" : "a message cut short or damaged");
  if (const std::string_view wrong = fault(message); !wrong.empty()) return fail({}, std::string(wrong));
  return Variant(std::move(message));
}

template <typename Variant, typename... M>
Result<Variant> decode_any(std::string_view frame) {
  if (frame.empty()) return fail({}, "an empty message");
  const auto type = static_cast<std::uint8_t>(frame[0]);
  std::optional<Result<Variant>> result;
  const auto try_one = [&]<typename One>(One *) {
    if (type == static_cast<std::uint8_t>(type_of<One>())) result.emplace(decode_as<One, Variant>(frame.substr(1)));
  };
  (try_one(static_cast<M *>(nullptr)), ...);
  if (!result) return fail({}, fmt::format("a message of unknown type {}", type));
  return std::move(*result);
}

}  // namespace

std::string attempt_folder(std::int32_t input, std::int64_t begin, bool merge, std::uint64_t lease) {
  return merge ? fmt::format("merge.{}", lease) : fmt::format("{}-{}.{}", input, begin, lease);
}

std::string encode(const HostMessage &message) {
  return encode_any(message);
}
std::string encode(const WorkerMessage &message) {
  return encode_any(message);
}

Result<HostMessage> decode_host_message(std::string_view frame) {
  return decode_any<HostMessage, Start, Lease, Checkpointed, Dismissed>(frame);
}

Result<WorkerMessage> decode_worker_message(std::string_view frame) {
  auto message = decode_any<WorkerMessage, Loaded, Ready, LeaseCut, SegmentEnded, SliceEnded, LeaseEnded>(frame);
  if (!message) return message;
  // A plugin's words go to logs and terminals.
  const auto make_plain = [](std::vector<Aside> &skipped) {
    for (Aside &aside : skipped) aside.reason = in_one_line(aside.reason);
  };
  if (auto *segment = std::get_if<SegmentEnded>(&*message)) make_plain(segment->skipped);
  if (auto *ended = std::get_if<SliceEnded>(&*message)) {
    ended->reason = in_one_line(ended->reason);
    make_plain(ended->skipped);
  }
  return message;
}

Result<std::string_view> FrameReader::next() {
  if (taken_ == buffer_.size()) {
    buffer_.clear();
    taken_ = 0;
  } else if (taken_ > buffer_.size() / 2) {
    buffer_.erase(0, taken_);
    taken_ = 0;
  }
  const std::string_view left = std::string_view(buffer_).substr(taken_);
  std::uint32_t size = 0;
  if (left.size() < sizeof size) return std::string_view{};
  std::memcpy(&size, left.data(), sizeof size);
  if (size == 0 || size > kMaxFrame) return fail({}, fmt::format("a frame of {} bytes", size));
  if (left.size() - sizeof size < size) return std::string_view{};
  taken_ += sizeof size + size;
  return left.substr(sizeof size, size);
}

}  // namespace hostler
