#include "edge/status_json.h"

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/config_place.h"
#include "core/encoding.h"
#include "core/suggest.h"
#include "edge/json_writer.h"

namespace hostler {
namespace {

using Json = nlohmann::ordered_json;

// A value or, to be written, a const one.
template <typename T, typename Value>
concept Is = std::same_as<std::remove_const_t<T>, Value>;

// Each fields() names every member of a value once, for writing and for reading.
template <typename Visitor>
void fields(Visitor &member, Is<LastExit> auto &exit) {
  member("text", exit.text);
  if (Visitor::kWrites && exit.text.empty()) return;
  member("verdict", exit.verdict);
  member("code", exit.code);
  member("signal", exit.signal);
  member("core", exit.core);
}

template <typename Visitor>
void fields(Visitor &member, Is<WorkerProgress> auto &progress) {
  member("done", progress.done);
  member("total", progress.total);
}

template <typename Visitor>
void fields(Visitor &member, Is<WorkerStatus> auto &worker) {
  member("instance", worker.instance);
  member("state", worker.state);
  member("pid", worker.pid);
  member("build", worker.build);
  member("up_seconds", worker.up_seconds);
  member("restarts", worker.restarts);
  member("last_exit", worker.last_exit);
  member("crash_report", worker.crash_report);
  member("slice", worker.slice);
  member("progress", worker.progress);
  member("beats", worker.beats);
  member("ready", worker.ready);
  member("note", worker.note);
}

template <typename Visitor>
void fields(Visitor &member, Is<JobProgress> auto &progress) {
  member("slices", progress.slices);
  member("done", progress.done);
  member("leased", progress.leased);
  member("backoff", progress.backoff);
  member("quarantined", progress.quarantined);
  member("isolated", progress.isolated);
  member("positions", progress.positions);
  member("positions_done", progress.positions_done);
  member("positions_isolated", progress.positions_isolated);
  member("retries", progress.retries);
  member("skipped", progress.skipped.records);
  member("positions_skipped", progress.skipped.positions);
}

template <typename Visitor>
void fields(Visitor &member, Is<EntryStatus> auto &entry) {
  member("name", entry.name);
  member("kind", entry.kind);
  member("state", entry.state);
  member("reason", entry.reason);
  member("plugin", entry.plugin);
  member("plugin_id", entry.plugin_id);
  member("version", entry.version);
  member("build", entry.build);
  member("newer_build", entry.newer_build);
  member("held", entry.held);
  member("resumable", entry.resumable);
  member("stopped", entry.stopped);
  member("count", entry.count);
  member("workers", entry.workers);
  if (!Visitor::kWrites || !entry.more.empty()) member("more", entry.more);
  if (Visitor::kWrites && entry.kind != "job") return;
  member("unit", entry.unit);
  member("progress", entry.progress);
  member("rate", entry.rate);
  member("eta_seconds", entry.eta_seconds);
  member("output", entry.output);
  member("counters", entry.counters);
}

template <typename Visitor>
void fields(Visitor &member, Is<HostStatus> auto &host) {
  member("pid", host.pid);
  member("version", host.version);
  member("config", host.config);
  member("state_dir", host.state_dir);
  member("up_seconds", host.up_seconds);
  member("last_reload", host.last_reload);
  member("last_reload_ok", host.last_reload_ok);
  member("stopping", host.stopping);
  member("waits_for", host.waits_for);
  member("jobs_ended", host.jobs_ended);
  member("entries", host.entries);
}

template <typename Visitor>
void fields(Visitor &member, Is<Error> auto &error) {
  if constexpr (Visitor::kWrites) member("error", error.text());
  member("where", error.where);
  member("what", error.what);
  member("hint", error.hint);
}

template <typename Visitor>
void fields(Visitor &member, Is<ReloadOptions> auto &options) {
  member("fresh", options.fresh);
  member("resume", options.resume);
}

template <typename Visitor>
void fields(Visitor &member, Is<OperatorCommand> auto &command) {
  member("names", command.names);
  member("all", command.all);
  member("count", command.count);
  member("fresh", command.fresh);
  member("resume", command.resume);
  member("slices", command.slices);
}

template <typename Visitor>
void fields(Visitor &member, Is<ReloadReply> auto &reply) {
  member("ok", reply.ok);
  member("text", reply.text);
  member("error", reply.error);
}

template <typename Visitor>
void fields(Visitor &member, Is<PluginStatus> auto &plugin) {
  member("file", plugin.file);
  member("id", plugin.id);
  member("version", plugin.version);
  member("abi", plugin.abi);
  member("build", plugin.build);
  member("error", plugin.error);
  member("used_by", plugin.used_by);
}

template <typename Visitor>
void fields(Visitor &member, Is<ResultStatus> auto &result) {
  member("slice", result.slice);
  member("input", result.input);
  member("begin", result.begin);
  member("end", result.end);
  if (is_utf8(result.result))
    member("result", result.result);
  else
    member("result_base64", base64(result.result));
}

template <typename Visitor>
void fields(Visitor &member, Is<SliceRange> auto &range) {
  if (range.merge) return;
  member("input", range.input);
  member("begin", range.begin);
  member("last_input", range.last_input);
  member("end", range.end);
  member("slices", range.slices);
  member("positions", range.positions);
}

template <typename Visitor>
void fields(Visitor &member, Is<SliceStatus> auto &slice) {
  member("slice", slice.slice);
  fields(member, slice.range);
  member("state", slice.state);
  member("attempts", slice.attempts);
  member("put_off", slice.put_off);
  member("worker", slice.worker);
  member("verdict", slice.verdict);
  member("reason", slice.reason);
  if (slice.checkpoint >= 0) member("checkpoint", slice.checkpoint);
}

template <typename Visitor>
void fields(Visitor &member, Is<RecordStatus> auto &record) {
  member("state", std::string(record.backtrace ? "isolated" : "skipped"));
  member("input", record.input);
  if (is_utf8(record.path))
    member("path", record.path);
  else
    member("path_base64", base64(record.path));
  member("begin", record.begin);
  member("end", record.end);
  if (record.line > 0) member("line", record.line);
  if (is_utf8(record.bytes))
    member("bytes", record.bytes);
  else
    member("bytes_base64", base64(record.bytes));
  member("reason", record.reason);
  if (record.backtrace) member("backtrace", *record.backtrace);
}

template <typename Visitor>
void fields(Visitor &member, Is<AttemptStatus> auto &line) {
  const Attempt &attempt = line.attempt;
  member("seq", attempt.seq);
  member("slice", line.slice);
  fields(member, attempt.range);
  member("attempt", attempt.attempt);
  member("worker", attempt.worker);
  member("build", attempt.build ? attempt.build->hash : std::string());
  member("began_at", static_cast<double>(attempt.began_at) / 1000);
  member("seconds", std::chrono::duration<double>(attempt.took).count());
  member("verdict", attempt.verdict);
  member("code", attempt.code);
  member("signal", attempt.signal);
  member("reason", attempt.reason);
}

template <typename Visitor>
void fields(Visitor &member, Is<SlowSlice> auto &slow) {
  member("slice", slow.slice);
  member("seconds", std::chrono::duration<double>(slow.took).count());
  member("worker", slow.worker);
}

template <typename Visitor>
void fields(Visitor &member, Is<GivenUp> auto &given_up) {
  member("slice", given_up.slice);
  member("reason", given_up.reason);
}

template <typename Visitor>
void fields(Visitor &member, Is<JobReport> auto &report) {
  member("name", report.job);
  member("state", std::string(name(report.state)));
  member("reason", report.reason);
  member("progress", report.progress);
  member("unit", report.unit);
  member("attempts", report.attempts);
  member("failures", report.failures);
  member("elapsed_seconds", std::chrono::duration<double>(report.elapsed).count());
  member("work_seconds", std::chrono::duration<double>(report.work).count());
  member("rate", report.rate);
  member("processes", report.usage.workers);
  member("cpu_seconds", std::chrono::duration<double>(report.usage.cpu).count());
  member("peak_bytes", report.usage.peak_bytes);
  member("builds", report.builds);
  member("slowest", report.slowest);
  member("quarantined", report.quarantined);
  member("isolated", report.isolated);
  member("counters", report.counters);
}

class Writer {
 public:
  static constexpr bool kWrites = true;
  explicit Writer(JsonWriter &json) : json_(json) {}
  template <typename T>
  void operator()(const char *key, const T &value) {
    json_.key(key);
    encode(value);
  }
  template <typename T>
  void encode(const T &value) {
    if constexpr (requires(Writer & writer) { fields(writer, value); }) {
      json_.begin_object();
      fields(*this, value);
      json_.end_object();
    } else {
      json_.value(value);
    }
  }
  template <typename T>
  void encode(const std::vector<T> &values) {
    json_.begin_list();
    for (const T &value : values) {
      json_.element();
      encode(value);
    }
    json_.end_list();
  }
  template <typename T>
  void encode(const std::map<std::string, T> &values) {
    json_.begin_object();
    for (const auto &[key, value] : values) {
      json_.key(key);
      encode(value);
    }
    json_.end_object();
  }

 private:
  JsonWriter &json_;
};

class Reader {
 public:
  static constexpr bool kWrites = false;
  explicit Reader(const Json &json) : json_(json) {}
  template <typename T>
  void operator()(const char *key, T &value) {
    const auto found = json_.find(key);
    if (found != json_.end()) decode(*found, value);
  }
  template <typename T>
  static void decode(const Json &json, T &value) {
    if constexpr (requires(Reader & reader) { fields(reader, value); }) {
      if (!json.is_object()) throw Json::type_error::create(302, "an object is expected", &json);
      Reader reader(json);
      fields(reader, value);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      decode_integer(json, value);
    } else {
      json.get_to(value);
    }
  }
  template <typename T>
  static void decode(const Json &json, std::vector<T> &values) {
    if (!json.is_array()) throw Json::type_error::create(302, "a list is expected", &json);
    values.clear();
    for (const Json &element : json) decode(element, values.emplace_back());
  }
  template <typename T>
  static void decode(const Json &json, std::map<std::string, T> &values) {
    if (!json.is_object()) throw Json::type_error::create(302, "an object is expected", &json);
    values.clear();
    for (const auto &[key, value] : json.items()) decode(value, values[key]);
  }

 private:
  // Left to itself the library casts whatever number there is.
  template <typename T>
  static void decode_integer(const Json &json, T &value) {
    const bool fits = json.is_number_unsigned()
                          ? std::in_range<T>(json.get<std::uint64_t>())
                          : json.is_number_integer() && std::in_range<T>(json.get<std::int64_t>());
    if (!fits) throw Json::type_error::create(302, "a whole number in range is expected", &json);
    value = json.get<T>();
  }

  const Json &json_;
};

template <typename T>
std::string write(const T &value, Layout layout = Layout::Compact, std::size_t expected = 0) {
  JsonWriter json(layout == Layout::Pretty ? 2 : 0, expected);
  Writer(json).encode(value);
  return json.take() + "\n";
}

// Collects the names of a value's members.
class KeyLister {
 public:
  template <typename T>
  void operator()(const char *key, const T & /*value*/) {
    keys.emplace_back(key);
  }
  std::vector<std::string_view> keys;
};

Error not_expected(const std::exception &error) {
  return {{}, std::string("not the JSON that is expected: ") + error.what(), {}};
}

template <typename T>
Result<T> read(std::string_view text) {
  try {
    T value;
    Reader::decode(Json::parse(text), value);
    return value;
  } catch (const Json::exception &error) {
    return tl::unexpected(not_expected(error));
  }
}

// Requests are a list in an object at most. A million levels would take a second to take down again.
bool stays_shallow(int depth, Json::parse_event_t /*event*/, Json & /*value*/) {
  constexpr int kDeepest = 8;
  if (depth > kDeepest) throw std::invalid_argument("it is nested too deeply");
  return true;
}

// A key that means nothing was meant for something.
template <typename T>
Result<T> read_request(std::string_view text) {
  try {
    const Json json = Json::parse(text, stays_shallow);
    T request;
    Reader::decode(json, request);
    KeyLister known;
    fields(known, request);
    for (const auto &[key, value] : json.items()) {
      if (std::ranges::find(known.keys, key) == known.keys.end()) return tl::unexpected(unknown_key(key, known.keys));
    }
    return request;
  } catch (const std::exception &error) {
    return tl::unexpected(not_expected(error));
  }
}

// A name that is said a hundred thousand times is to cost no more than one that is said once.
void keep_each_once(std::initializer_list<std::vector<std::string> *> lists) {
  for (std::vector<std::string> *list : lists) {
    std::unordered_set<std::string> seen;
    std::erase_if(*list, [&](const std::string &each) { return !seen.insert(each).second; });
  }
}

}  // namespace

std::string to_json(const HostStatus &status, Layout layout) {
  constexpr std::size_t kWorker = 512;  // bytes, of one that has not much to tell
  std::size_t workers = 0;
  for (const EntryStatus &entry : status.entries) workers += entry.workers.size();
  return write(status, layout, workers * kWorker);
}
std::string to_json(const Error &error) {
  return write(error);
}
std::string to_json(const ReloadOptions &options) {
  return write(options);
}
std::string to_json(const OperatorCommand &command) {
  return write(command);
}
std::string to_json(const ReloadReply &reply) {
  return write(reply);
}
std::string to_json(const std::vector<PluginStatus> &plugins) {
  return write(plugins, Layout::Pretty);
}
std::string to_json(const ResultStatus &result) {
  return write(result);
}

std::string to_json(const SliceStatus &slice) {
  return write(slice);
}
std::string to_json(const RecordStatus &record) {
  return write(record);
}
std::string to_json(const AttemptStatus &attempt) {
  return write(attempt);
}
std::string to_json(const JobReport &report) {
  return write(report, Layout::Pretty);
}

Result<HostStatus> status_from_json(std::string_view text) {
  return read<HostStatus>(text);
}
Result<Error> error_from_json(std::string_view text) {
  return read<Error>(text);
}
Result<ReloadOptions> reload_request_from_json(std::string_view text) {
  if (text.empty()) return ReloadOptions{};
  auto options = read_request<ReloadOptions>(text);
  if (options) keep_each_once({&options->fresh, &options->resume});
  return options;
}
Result<OperatorCommand> operator_command_from_json(std::string_view text) {
  auto command = read_request<OperatorCommand>(text);
  if (command) keep_each_once({&command->names, &command->fresh, &command->resume, &command->slices});
  return command;
}
Result<ReloadReply> reload_reply_from_json(std::string_view text) {
  return read<ReloadReply>(text);
}

}  // namespace hostler
