// exec: makes any program a worker. README.md says what the params mean.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include <hostler/plugin.hpp>

#include "command.h"
#include "program.h"

HOSTLER_PLUGIN("exec", "1.0.0", 0);

namespace exec {
namespace {

struct Settings {
  std::vector<std::string> command;
  bool to_output;  // stdout goes to the output file of that name; else to the log
  bool sysexits;   // the program's exit codes are verdicts
};

[[noreturn]] void refuse(const std::string &why) {
  throw hostler::Verdict(HOSTLER_BAD_CONFIG, why);
}

Settings read_settings(const hostler::Slice &slice) {
  const auto command = slice.param("command");
  const auto words = parse_command(command);
  if (!words) refuse("the parameter 'command' must be a list of words like [sort, -u], it is " + std::string(command));

  const bool service = slice->kind == HOSTLER_NONE;
  const auto stdout_to = slice.param("stdout", service ? "log" : "output");
  if (stdout_to != "log" && (stdout_to != "output" || service)) {
    refuse("the parameter 'stdout' is '" + std::string(stdout_to) + "', expected log" +
           (service ? ", a service has no output" : " or output"));
  }
  const auto exit_codes = slice.param("exit_codes", "plain");
  if (exit_codes != "plain" && exit_codes != "sysexits") {
    refuse("the parameter 'exit_codes' is '" + std::string(exit_codes) + "', expected plain or sysexits");
  }
  return {*words, stdout_to == "output", exit_codes == "sysexits"};
}

struct Turn {
  std::string_view value;                 // for {}
  std::optional<std::string_view> item;   // for HOSTLER_ITEM
  std::optional<std::string_view> input;  // for stdin
};

/// Is there no room for what it wanted to write? Asks for some and gives it back: as much as it has written already, as
/// others that failed with it may have given back theirs since, and a mebibyte at least.
bool is_full(int output) {
  struct stat status {};
  constexpr off_t kSome = off_t{1} << 20;
  if (::fstat(output, &status) != 0) return false;
  const off_t some = std::max(status.st_size, kSome);
  if (::fallocate(output, FALLOC_FL_KEEP_SIZE, status.st_size, some) != 0) return errno == ENOSPC || errno == EDQUOT;
  (void)!::ftruncate(output, status.st_size);
  return false;
}

bool is_verdict(int code) {
  return code == HOSTLER_BAD_DATA || code == HOSTLER_RETRY_LATER || code == HOSTLER_BAD_CONFIG || code == HOSTLER_YIELD;
}

/// What the end of the program means.
int judge(hostler::Slice &slice, const Settings &settings, const Turn &turn, const Ending &ending) {
  if (ending.stopped) return slice->kind == HOSTLER_NONE ? HOSTLER_DONE : HOSTLER_YIELD;
  if (ending.wait_status == 0) return HOSTLER_DONE;
  const std::string of_item = turn.item ? " on " + std::string(*turn.item) : "";
  const std::string words = settings.command.front() + of_item + " " + describe_ending(ending.wait_status);
  const int code = settings.sysexits && WIFEXITED(ending.wait_status) ? WEXITSTATUS(ending.wait_status) : HOSTLER_ERROR;
  if (settings.to_output && !is_verdict(code) && is_full(slice.output("stdout").fd())) {
    slice.fail(words + ", and the disk of its output is full");
    return HOSTLER_RETRY_LATER;
  }
  slice.fail(words);
  return code;
}

/// Runs the program once, to its end.
int run_once(hostler::Slice &slice, const Settings &settings, const Turn &turn) {
  const bool service = slice->kind == HOSTLER_NONE;
  Start start{service ? settings.command : fill_in(settings.command, turn.value),
              environment_for(*slice.get(), turn.item, environ), turn.input, std::nullopt,
              service ? HOSTLER_DRAIN : HOSTLER_CANCEL};
  if (settings.to_output) start.output = slice.output("stdout").fd();
  Program program(start);
  if (service) slice.ready();
  return judge(slice, settings, turn, program.wait(slice));
}

/// Runs the program for each item or number, until one fails.
template <class Values, class Text>
int run_each(hostler::Slice &slice, const Settings &settings, Values values, Text text) {
  for (const auto &value : values) {
    const auto &word = text(value);
    const int verdict = run_once(slice, settings, {word, word, std::nullopt});
    if (verdict != HOSTLER_DONE) return verdict;
  }
  return HOSTLER_DONE;
}

int run_on_bytes(hostler::Slice &slice, const Settings &settings) {
  const std::string_view bytes = slice.bytes();
  if (slice.should_stop() >= HOSTLER_CANCEL) return HOSTLER_YIELD;
  // In the middle of a long line no line starts, and there is nothing to run on.
  if (bytes.empty()) return HOSTLER_DONE;
  return run_once(slice, settings, {slice->path, std::nullopt, bytes});
}

int run_on_file(hostler::Slice &slice, const Settings &settings) {
  const bool empty = slice->end == slice->resume;
  if (!empty && slice.claim(slice->resume, slice->end) < slice->end) return HOSTLER_YIELD;
  return run_once(slice, settings, {slice->path, std::nullopt, std::nullopt});
}

int execute(hostler::Slice &slice) {
  const Settings settings = read_settings(slice);
  switch (slice->kind) {
    case HOSTLER_NONE: return run_once(slice, settings, {});
    case HOSTLER_LINES:
    case HOSTLER_RECORDS: return run_on_bytes(slice, settings);
    case HOSTLER_FILE: return run_on_file(slice, settings);
    case HOSTLER_ITEMS: return run_each(slice, settings, slice.items(), [](std::string_view item) { return item; });
    case HOSTLER_RANGE:
      return run_each(slice, settings, slice.numbers(), [](int64_t number) { return std::to_string(number); });
  }
  refuse("exec does not know this kind of input");
}

}  // namespace
}  // namespace exec

HOSTLER_RUN(exec::execute)
