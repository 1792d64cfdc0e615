// Bears witness that no slice has two live owners: each run holds a lock on a file of its slice's own, and so does what
// it forks. Finds the lock taken: writes it down in DIR/violations. As a service, which each instance has a lock of, it
// then waits until it is asked to stop. Otherwise a LINES job that leaves an output, a result and counters, with a
// merge. Slow by counting, not by sleeping.
//
// What it leaves behind calls itself "kid PID", by its worker: a process within the group, one out of it, and one out of
// it whose parent has ended; a service leaves all of them, a slice one in turn.
//
// params: dir (an existing folder), rounds (of hashing for each line; a job's), claims (anything: each line is claimed, so
// that slices are cut while they run; then it is the claimed bytes that are locked, and the merge leaves only the sums,
// as what the parts are is another matter each time).
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <hostler/plugin.h>

extern "C" {
HOSTLER_PLUGIN("witness", "1.0.0", HOSTLER_SPLITTABLE);
}

namespace {

std::uint64_t hash(std::string_view line, std::int64_t rounds) {
  std::uint64_t value = 14695981039346656037ULL;
  for (std::int64_t round = 0; round < rounds; ++round) {
    for (const char byte : line) value = (value ^ static_cast<unsigned char>(byte)) * 1099511628211ULL;
  }
  return value;
}

std::string param(const hostler_slice_t *slice, const char *key) {
  const char *value = slice->host->param(slice, key);
  return value != nullptr ? value : "";
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool tell_violation(const std::string &dir, const std::string &what) {
  const int violations = open((dir + "/violations").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
  write_all(violations, what + " has two owners\n");
  return false;
}

// Takes the lock of this slice, or tells that somebody has it. Never given back: the end of the process does that, and
// the next slice of the same process has another file.
bool alone(const hostler_slice_t *slice, const std::string &dir) {
  const std::string place = slice->kind == HOSTLER_NONE
                                ? std::string(slice->worker) + "-" + std::to_string(slice->index)
                                : std::to_string(slice->input) + "-" + std::to_string(slice->begin);
  const int lock = open((dir + "/" + place + ".lock").c_str(), O_CREAT | O_RDWR, 0600);
  if (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0) return true;
  return tell_violation(dir, place);
}

// The same for what was claimed of an input; the lock ends with the process too.
class Claimed {
 public:
  Claimed(const hostler_slice_t *slice, std::string dir)
      : dir_(std::move(dir)), name_(std::string(slice->worker) + "-" + std::to_string(slice->input)) {
    fd_ = open((dir_ + "/" + name_ + ".claims").c_str(), O_CREAT | O_RDWR, 0600);
  }
  bool lock(std::int64_t from, std::int64_t to) {
    struct flock range {};
    range.l_type = F_WRLCK;
    range.l_whence = SEEK_SET;
    range.l_start = from;
    range.l_len = to - from;
    if (fd_ >= 0 && fcntl(fd_, F_OFD_SETLK, &range) == 0) return true;
    return tell_violation(dir_, name_ + " from " + std::to_string(from));
  }

 private:
  std::string dir_;
  std::string name_;
  int fd_ = -1;
};

enum class Kid { InGroup, OutOfGroup, Adopted, Printer };

// Lives as long as nobody kills it, and holds the lock; a printer has let go of all but its streams.
void leave(Kid kid) {
  const std::string name = "kid " + std::to_string(getpid());
  const bool is_adopted = kid == Kid::Adopted || kid == Kid::Printer;
  const pid_t child = fork();
  if (child != 0) {
    if (child > 0 && is_adopted) waitpid(child, nullptr, 0);
    return;
  }
  prctl(PR_SET_NAME, name.c_str());
  if (kid != Kid::InGroup) setsid();
  if (is_adopted && fork() != 0) _exit(0);
  if (kid == Kid::Printer) closefrom(STDERR_FILENO + 1);
  while (true) pause();
}

void leave_kids(const hostler_slice_t *slice) {
  const bool service = slice->kind == HOSTLER_NONE;
  for (const Kid kid : {Kid::InGroup, Kid::OutOfGroup, Kid::Adopted, Kid::Printer})
    if (service || slice->index % 5 == static_cast<int>(kid)) leave(kid);
}

int wait_for_stop(const hostler_slice_t *slice) {
  pollfd stop{slice->host->stop_fd(slice), POLLIN, 0};
  slice->host->ready(slice);
  while (slice->host->should_stop(slice) == HOSTLER_GO_ON) poll(&stop, 1, -1);
  return HOSTLER_DONE;
}

std::string contents(const char *path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

extern "C" int run(const hostler_slice_t *slice) {
  const bool claims = slice->host->param(slice, "claims") != nullptr;
  if (!claims && !alone(slice, param(slice, "dir"))) return HOSTLER_ERROR;
  leave_kids(slice);
  if (slice->kind == HOSTLER_NONE) return wait_for_stop(slice);
  const std::int64_t rounds = std::atoll(param(slice, "rounds").c_str());
  const std::string text = contents(slice->path);
  auto from = static_cast<std::size_t>(slice->begin);
  if (from > 0 && text[from - 1] != '\n') from = std::min(text.find('\n', from), text.size() - 1) + 1;
  const int out = slice->host->output(slice, "reversed");
  std::uint64_t sum = 0;
  std::int64_t lines = 0;
  std::int64_t checks = 0;
  Claimed claimed(slice, param(slice, "dir"));
  std::int64_t up_to = slice->begin;
  while (true) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    if (claims) {
      const std::int64_t granted = slice->host->claim(slice, up_to, static_cast<std::int64_t>(end) + 1);
      if (granted <= up_to) break;
      if (!claimed.lock(up_to, granted)) return HOSTLER_ERROR;
      up_to = granted;
    } else {
      up_to = slice->end;
      slice->host->heartbeat(slice);
    }
    if (from >= text.size() || static_cast<std::int64_t>(from) >= up_to) {
      if (!claims) break;
      continue;
    }
    const std::string_view line(text.data() + from, end - from);
    const std::uint64_t value = hash(line, rounds);
    sum += value;
    checks += static_cast<std::int64_t>(value % 1000000007);
    if (!write_all(out, std::string(line.rbegin(), line.rend()) + "\n")) return HOSTLER_ERROR;
    ++lines;
    from = end + 1;
  }
  slice->host->counter(slice, "lines", lines);
  slice->host->counter(slice, "checks", checks);
  const std::string result = std::to_string(sum) + " of " + std::to_string(lines);
  slice->host->result(slice, result.data(), static_cast<std::int64_t>(result.size()));
  return HOSTLER_DONE;
}

// The results in order, and what the counters came to.
extern "C" int merge(const hostler_slice_t *slice, hostler_results_t *results) {
  std::string all;
  hostler_range_t range{};
  range.struct_size = sizeof range;
  while (slice->host->param(slice, "claims") == nullptr && results->next(results, &range) == 1) {
    all += std::to_string(range.input) + "-" + std::to_string(range.begin) + " ";
    all.append(static_cast<const char *>(range.result), static_cast<std::size_t>(range.result_size));
    all += "\n";
  }
  for (const char *counter : {"lines", "checks"})
    all += counter + (" " + std::to_string(results->counter(results, counter))) + "\n";
  if (!write_all(slice->host->output(slice, "summary"), all)) return HOSTLER_ERROR;
  return slice->host->result(slice, all.data(), static_cast<std::int64_t>(all.size())) == 0 ? HOSTLER_DONE
                                                                                            : HOSTLER_ERROR;
}
