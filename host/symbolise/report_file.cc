#include "symbolise/report_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "core/plain_text.h"

namespace hostler {
namespace {

namespace fs = std::filesystem;

// The worker may have written anything there.
std::string lines_of(const std::string &modules) {
  std::string text;
  std::size_t begin = 0;
  while (begin < modules.size()) {
    const std::size_t end = std::min(modules.find('\n', begin), modules.size());
    text += "  " + in_one_line(std::string_view(modules).substr(begin, end - begin)) + "\n";
    begin = end + 1;
  }
  return text;
}

std::string registers_text(const CrashNote &note) {
  std::string text = fmt::format("  pc {:#x}\n  sp {:#x}\n", note.pc, note.sp);
  for (std::size_t i = 0; i < note.register_count; ++i) text += fmt::format("  r{} {:#x}\n", i, note.registers.at(i));
  return text;
}

std::string report_text(const std::string &words, const CrashCapture &capture, const Backtrace *backtrace) {
  std::string text = words + "\nbacktrace:\n";
  if (backtrace == nullptr) text += "  none: the symboliser did not come to its end\n";
  if (backtrace != nullptr)
    for (const std::string &line : lines(*backtrace, backtrace->frames.size())) text += "  " + line + "\n";
  if (backtrace != nullptr && !backtrace->problem.empty()) text += "  " + backtrace->problem + "\n";
  return text + "\nregisters, by their DWARF numbers:\n" + registers_text(capture.note) + "\nmapped code:\n" +
         lines_of(capture.modules);
}

std::string write_whole(const std::string &path, const std::string &text) {
  const std::string fresh = path + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fmt::format("{}: {}", fresh, std::strerror(errno));
  const bool whole = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  if (whole && ::rename(fresh.c_str(), path.c_str()) == 0) return {};
  ::unlink(fresh.c_str());
  return fmt::format("{}: cannot be written", path);
}

// Their names begin with the time.
void remove_old(const fs::path &folder) {
  std::vector<fs::path> reports;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".txt") reports.push_back(it->path());
  if (reports.size() <= kMostReports) return;
  std::sort(reports.begin(), reports.end());
  reports.resize(reports.size() - kMostReports);
  for (const fs::path &old : reports) fs::remove(old, error);
}

}  // namespace

std::string write_report(const std::string &path, const std::string &words, const CrashCapture &capture,
                         const Backtrace *backtrace) {
  const fs::path folder = fs::path(path).parent_path();
  for (const fs::path &each : {folder.parent_path(), folder})
    if (::mkdir(each.c_str(), 0700) != 0 && errno != EEXIST)
      return fmt::format("{}: {}", each.string(), std::strerror(errno));
  std::string problem = write_whole(path, report_text(words, capture, backtrace));
  remove_old(folder);
  return problem;
}

}  // namespace hostler
