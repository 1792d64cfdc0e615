// hostler/plugin.hpp: the C++20 veneer over plugin.h. Header-only; nothing but the standard library and POSIX.
//
//     #include <hostler/plugin.hpp>
//     HOSTLER_PLUGIN("longest", "1.0.0", HOSTLER_SPLITTABLE);
//
//     static void longest(hostler::Slice &slice) {
//       std::string_view best;
//       for (std::string_view line : slice.lines())
//         if (line.size() > best.size()) best = line;
//       slice.result(best);
//     }
//     HOSTLER_RUN(longest)
//
// The function given to HOSTLER_RUN returns nothing, or a verdict (HOSTLER_DONE ...). A loop over the slice ends early
// when the host grants no more of it: then return as usual, the rest goes elsewhere. An exception becomes fail(what())
// and HOSTLER_ERROR; hostler::Verdict one of your choice. The methods have the names, the rules and the threads of the
// calls in plugin.h; what a call refuses is thrown.
#pragma once

#if __cplusplus < 202002L
#error "hostler/plugin.hpp needs C++20; hostler/plugin.h does with C11 or C++17"
#endif

#include <hostler/plugin.h>
#include <hostler/detail/input.hpp>
#include <hostler/detail/lines.hpp>
#include <hostler/detail/output.hpp>
#include <hostler/detail/positions.hpp>
#include <hostler/detail/results.hpp>
#include <hostler/detail/values.hpp>

#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#ifdef __GLIBCXX__
#include <cxxabi.h>
#endif

namespace hostler {

/// The work, and what one may ask of the host while doing it. The fields of hostler_slice_t are at `slice->index` and
/// so on.
class Slice {
 public:
  explicit Slice(const hostler_slice_t *slice) : slice_(slice), input_(slice) {}
  Slice(const Slice &) = delete;
  Slice &operator=(const Slice &) = delete;

  const hostler_slice_t *operator->() const { return slice_; }
  const hostler_slice_t *get() const { return slice_; }

  // ---- R: the data. What these return stays valid until run returns.

  /// The lines that start in the slice, each without its '\n' and nothing else; for LINES and FILE.
  Lines lines() {
    expect_kind({HOSTLER_LINES, HOSTLER_FILE}, "lines()");
    return Lines(&input_);
  }

  /// Claims the whole slice and gives its bytes: for LINES the lines that start in it, for RECORDS and FILE all.
  std::string_view bytes() {
    expect_kind({HOSTLER_LINES, HOSTLER_RECORDS, HOSTLER_FILE}, "bytes()");
    input_.claims().cover_all();
    const int64_t end = input_.claims().granted();
    return slice_->kind == HOSTLER_LINES ? input_.whole_lines(end) : input_.window().view(slice_->resume, end);
  }

  /// The records: as copies of a T of just that size, or as their bytes.
  template <class T = std::string_view>
  Records<T> records() {
    expect_kind({HOSTLER_RECORDS}, "records()");
    return Records<T>(&input_);
  }

  /// The integers of a RANGE.
  Numbers numbers() {
    expect_kind({HOSTLER_RANGE}, "numbers()");
    return Numbers(&input_);
  }

  /// The strings of ITEMS.
  Items items() {
    expect_kind({HOSTLER_ITEMS}, "items()");
    return Items(&input_);
  }

  /// Where a line of lines(), or a record of records<>(), stands in its file: for skip() and checkpoint().
  Span span_of(std::string_view record) { return input_.span_of(record); }

  int64_t claim(int64_t from, int64_t to) { return input_.claims().claim(from, to); }
  void at(int64_t position) { slice_->host->at(slice_, position); }

  // ---- A: settings

  /// The parameter, or `fallback` when the entry has none. One that is no T ends the entry, with key and value.
  template <class T>
  T param(const char *key, T fallback) const {
    const char *text = slice_->host->param(slice_, key);
    return text == nullptr ? fallback : parse<T>(key, text);
  }
  std::string_view param(const char *key, const char *fallback) const { return param<std::string_view>(key, fallback); }

  /// The parameter; when the entry has none, that ends the entry.
  template <class T = std::string_view>
  T param(const char *key) const {
    const char *text = slice_->host->param(slice_, key);
    if (text == nullptr) throw Verdict(HOSTLER_BAD_CONFIG, "the parameter '" + std::string(key) + "' is missing");
    return parse<T>(key, text);
  }

  // ---- R: what the slice leaves behind

  void result(std::string_view bytes) {
    detail::checked(slice_->host->result(slice_, bytes.data(), static_cast<int64_t>(bytes.size())), "result");
  }

  /// The output file of that name, the same one each time.
  Output &output(const char *name) {
    for (const auto &output : outputs_) {
      if (output->name() == name) return *output;
    }
    const int fd = slice_->host->output(slice_, name);
    if (fd < 0) detail::throw_errno("output '" + std::string(name) + "'", -fd);
    return *outputs_.emplace_back(std::make_unique<Output>(fd, name));
  }

  /// The first position that is not done: where the last checkpoint stood, or the slice begins.
  int64_t resume() const { return slice_->resume; }
  /// What the last checkpoint saved; nothing for a slice that begins at its begin.
  std::optional<std::string_view> saved() const {
    if (slice_->checkpoint == nullptr) return std::nullopt;
    return std::string_view(static_cast<const char *>(slice_->checkpoint),
                            static_cast<size_t>(slice_->checkpoint_size));
  }

  /// False where the host does not offer it; then bad data is for Verdict(HOSTLER_BAD_DATA, ...).
  bool skip(int64_t begin, int64_t end, const std::string &reason) {
    if (slice_->host->skip == nullptr) return false;
    detail::checked(slice_->host->skip(slice_, begin, end, reason.c_str()), "skip");
    return true;
  }

  /// The same for a line or record that lines() or records<>() gave.
  bool skip(std::string_view record, const std::string &reason) {
    const Span span = span_of(record);
    return skip(span.begin, span.end, reason);
  }

  /// Flushes the outputs and ends a segment: all before `position` is done, which is where a record begins, as
  /// span_of(line).end is. False where the host does not offer it, or wants the slice to end here: then nothing has
  /// changed, and the loop ends soon.
  bool checkpoint(int64_t position, std::string_view state = {}) {
    if (slice_->host->checkpoint == nullptr) return false;
    if (position > slice_->end) position = slice_->end;  // the last line goes on behind it
    if (!input_.claims().cover_up_to(position)) return false;
    flush();
    const auto size = static_cast<int64_t>(state.size());
    detail::checked(slice_->host->checkpoint(slice_, position, state.data(), size), "checkpoint");
    return true;
  }

  void fail(const std::string &reason) { slice_->host->fail(slice_, reason.c_str()); }

  /// Flushes every output. Done by itself when the function given to HOSTLER_RUN returns.
  void flush() {
    for (const auto &output : outputs_) output->flush();
  }

  // ---- A: the rest

  void counter(const char *name, int64_t delta = 1) {
    detail::checked(slice_->host->counter(slice_, name, delta), "counter");
  }
  void log(int level, std::string_view text) {
    slice_->host->log(slice_, level, text.data(), static_cast<int64_t>(text.size()));
  }
  void log(std::string_view text) { log(HOSTLER_LOG_INFO, text); }
  void heartbeat() { slice_->host->heartbeat(slice_); }
  void progress(int64_t done, int64_t total = 0) { slice_->host->progress(slice_, done, total); }
  int should_stop() const { return slice_->host->should_stop(slice_); }
  int stop_fd() { return detail::checked(slice_->host->stop_fd(slice_), "stop_fd"); }
  void ready() { slice_->host->ready(slice_); }
  int64_t count() const { return detail::checked(slice_->host->count(slice_), "count"); }
  const void *extension(const char *id) const {
    return slice_->host->extension == nullptr ? nullptr : slice_->host->extension(slice_, id);
  }

 private:
  static const char *kind_name(int kind) {
    switch (kind) {
      case HOSTLER_NONE: return "none";
      case HOSTLER_RANGE: return "range";
      case HOSTLER_LINES: return "lines";
      case HOSTLER_RECORDS: return "records";
      case HOSTLER_FILE: return "files";
      case HOSTLER_ITEMS: return "items";
    }
    return "of another kind";
  }

  void expect_kind(std::initializer_list<int> kinds, const char *method) const {
    std::string wanted;
    for (int kind : kinds) {
      if (slice_->kind == kind) return;
      wanted += (wanted.empty() ? "" : " or ") + std::string(kind_name(kind));
    }
    throw Verdict(HOSTLER_BAD_CONFIG, "the plugin's " + std::string(method) + " needs an input of " + wanted +
                                          ", the entry's is " + kind_name(slice_->kind));
  }

  template <class T>
  static T parse(const char *key, std::string_view text) {
    if (auto value = detail::parse_value<T>(text)) return *value;
    throw Verdict(HOSTLER_BAD_CONFIG, "the parameter '" + std::string(key) + "' is '" + std::string(text) +
                                          "', expected " + std::string(detail::kind_of_value<T>()));
  }

  const hostler_slice_t *slice_;
  detail::Input input_;
  std::vector<std::unique_ptr<Output>> outputs_;
};

namespace detail {

/// Calls `function` on a Slice; a function without a verdict is done when it returns. The runtime hands out a forced unwind
/// as a reference to nothing, which a sanitizer must not mind.
template <class Function>
__attribute__((no_sanitize("null"))) int call(const hostler_slice_t *raw, Function function) {
  try {
    Slice slice(raw);
    int verdict = HOSTLER_DONE;
    if constexpr (std::is_void_v<decltype(function(slice))>) {
      function(slice);
    } else {
      verdict = function(slice);
    }
    slice.flush();
    return verdict;
  } catch (const Verdict &verdict) {
    raw->host->fail(raw, verdict.what());
    return verdict.code();
  } catch (const std::exception &error) {
    raw->host->fail(raw, error.what());
#ifdef __GLIBCXX__
  } catch (const abi::__forced_unwind &) {  // pthread_exit() is no exception of the plugin's, and must go on
    throw;
#endif
  } catch (...) {
    raw->host->fail(raw, "an exception that is no std::exception");
  }
  return HOSTLER_ERROR;
}

}  // namespace detail
}  // namespace hostler

// The macros name their own things so that they hide no function of the author's.

/// Exports `function(hostler::Slice &)` as run.
#define HOSTLER_RUN(function)                                                                                         \
  extern "C" int run(const hostler_slice_t *hostler_slice) {                                                          \
    return hostler::detail::call(hostler_slice, [](hostler::Slice &hostler_work) { return function(hostler_work); }); \
  }

/// Exports `function(hostler::Slice &)` as prepare.
#define HOSTLER_PREPARE(function)                                                                                     \
  extern "C" int prepare(const hostler_slice_t *hostler_slice) {                                                      \
    return hostler::detail::call(hostler_slice, [](hostler::Slice &hostler_work) { return function(hostler_work); }); \
  }

/// Exports `function(hostler::Slice &, hostler::Results &)` as merge.
#define HOSTLER_MERGE(function)                                                                    \
  extern "C" int merge(const hostler_slice_t *hostler_slice, hostler_results_t *hostler_results) { \
    return hostler::detail::call(hostler_slice, [hostler_results](hostler::Slice &hostler_work) {  \
      hostler::Results hostler_all(hostler_results);                                               \
      return function(hostler_work, hostler_all);                                                  \
    });                                                                                            \
  }
