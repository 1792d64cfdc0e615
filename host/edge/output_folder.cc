#include "edge/output_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include <fmt/format.h>

namespace hostler {
namespace {

constexpr int kFolder = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr mode_t kFolderMode = 0777;  // less the umask

std::string attempts() {
  return std::string(kAttemptsFolder);
}
std::string parts() {
  return std::string(kPartsFolder);
}

tl::unexpected<MoveError> failed(std::string path, const char *what) {
  const int number = errno;
  return tl::unexpected(MoveError{{std::move(path), fmt::format("{}: {}", what, std::strerror(number)), {}}, number});
}

tl::unexpected<MoveError> hopeless(std::string path, std::string what) {
  return tl::unexpected(MoveError{{std::move(path), std::move(what), {}}, 0});
}

Result<void> plain(const MoveResult &result) {
  if (!result) return tl::unexpected(result.error().error);
  return {};
}

// `name` must be a folder itself, not a link to one.
UniqueFd open_below(int folder, const std::string &name) {
  return UniqueFd(::openat(folder, name.c_str(), kFolder | O_NOFOLLOW));
}

MoveResult make_below(int folder, const std::string &name, const std::string &path, UniqueFd &made) {
  if (::mkdirat(folder, name.c_str(), kFolderMode) != 0 && errno != EEXIST) return failed(path, "cannot be made");
  made = open_below(folder, name);
  if (!made) return failed(path, "cannot be opened");
  return {};
}

MoveResult sync_fd(int fd, const std::string &path) {
  if (::fsync(fd) != 0) return failed(path, "cannot be synced");
  return {};
}

// What is at `name`, itself and not where it points; nothing when there is nothing.
std::optional<struct stat> look(int folder, const std::string &name) {
  struct stat status {};
  if (folder < 0 || ::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  return status;
}

struct CloseDir {
  void operator()(DIR *dir) const { ::closedir(dir); }
};

// The names in a folder, without "." and "..".
Result<std::vector<std::string>> names_in(UniqueFd folder, const std::string &path) {
  const std::unique_ptr<DIR, CloseDir> dir(::fdopendir(folder.get()));
  if (!dir) return fail(path, std::string("cannot be read: ") + std::strerror(errno));
  (void)folder.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent *entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail(path, std::string("cannot be read: ") + std::strerror(errno));
  return names;
}

// An attempt, or manifest.json on its way.
bool is_own_attempt(const std::string &name) {
  return is_attempt_name(name) || name == kOutputManifest;
}

MoveResult move_file(int from, int to, const std::string &name, const std::string &path) {
  const auto source = look(from, name);
  if (!source) {
    const auto target = look(to, name);
    if (target && S_ISREG(target->st_mode)) return {};  // moved before
    return hopeless(path, "is gone: the attempt that wrote it no longer has it");
  }
  if (!S_ISREG(source->st_mode)) return hopeless(path, "is not a regular file in its attempt's folder");
  if (::renameat(from, name.c_str(), to, name.c_str()) != 0) return failed(path, "cannot be moved to its place");
  // The worker may have put something else there between the look and the move.
  const auto moved = look(to, name);
  if (moved && S_ISREG(moved->st_mode)) return {};
  ::unlinkat(to, name.c_str(), 0);
  return hopeless(path, "was replaced by something else while it was moved");
}

}  // namespace

bool MoveError::may_pass() const {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case EINTR:
    case ESTALE: return true;
    default: return false;
  }
}

OutputLock::~OutputLock() {
  // Not by closing alone: a child that is about to execute something may have the descriptor for a moment longer.
  if (folder_) ::flock(folder_.get(), LOCK_UN);
}

Result<OutputLock> OutputFolder::lock() const {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) return fail(path_, "the output folder cannot be made: " + error.message());
  UniqueFd folder(::open(path_.c_str(), kFolder));
  if (!folder) return fail(path_, std::string("the output folder cannot be opened: ") + std::strerror(errno));
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return fail(path_, "the output folder is in use by another host", "choose another output:, or stop that host");
  return OutputLock(std::move(folder));
}

Result<void> OutputFolder::create() const {
  std::error_code error;
  std::filesystem::create_directories(path_ + "/" + attempts(), error);
  if (error) return fail(path_, "the output folder cannot be made: " + error.message());
  return {};
}

Result<void> OutputFolder::check(const IsOurs &ours, bool used) const {
  const auto foreign = [this](const std::string &name) {
    return fail(path_, "holds " + name + ", which is not of this job", "empty the folder, or choose another output:");
  };
  const UniqueFd output(::open(path_.c_str(), kFolder));
  if (!output && errno == ENOENT) return {};
  if (!output) return fail(path_, std::string("the output folder cannot be opened: ") + std::strerror(errno));
  const auto check_files = [&](int folder, const std::string &shown, const OutputPlace &place) -> Result<void> {
    const auto names = names_in(UniqueFd(::openat(folder, ".", kFolder)), path_);
    if (!names) return tl::unexpected(names.error());
    for (const std::string &name : *names) {
      if (place.merge && (name == kAttemptsFolder || name == kPartsFolder)) continue;
      const auto status = look(folder, name);
      if (!status || !S_ISREG(status->st_mode)) return foreign(shown + name);
      const Result<bool> known = ours(place, name);
      if (!known) return tl::unexpected(known.error());
      if (!*known) return foreign(shown + name);
    }
    return {};
  };
  if (Result<void> top = check_files(output.get(), "", {true, 0, 0}); !top) return top;
  if (look(output.get(), attempts())) {
    UniqueFd attempts_fd = open_below(output.get(), attempts());
    if (!attempts_fd) return foreign(attempts());
    const auto names = names_in(std::move(attempts_fd), path_);
    if (!names) return tl::unexpected(names.error());
    for (const std::string &name : *names)
      if (!used || !is_own_attempt(name)) return foreign(attempts() + "/" + name);
  }
  if (!look(output.get(), parts())) return {};
  const UniqueFd parts_fd = open_below(output.get(), parts());
  if (!parts_fd) return foreign(parts());
  const auto folders = names_in(UniqueFd(::openat(parts_fd.get(), ".", kFolder)), path_);
  if (!folders) return tl::unexpected(folders.error());
  for (const std::string &name : *folders) {
    const auto place = parse_part_folder(name);
    const UniqueFd folder = open_below(parts_fd.get(), name);
    if (!place || !folder) return foreign(parts() + "/" + name);
    if (Result<void> fine = check_files(folder.get(), parts() + "/" + name + "/", *place); !fine) return fine;
  }
  return {};
}

std::string OutputFolder::attempt_name(std::string_view attempt_dir) const {
  const std::string prefix = path_ + "/" + attempts() + "/";
  if (attempt_dir.substr(0, prefix.size()) != prefix) return {};
  const std::string_view name = attempt_dir.substr(prefix.size());
  return is_attempt_name(name) ? std::string(name) : std::string();
}

Result<void> OutputFolder::check_attempt(const MoveFiles &move) const {
  const std::string name = attempt_name(move.attempt_dir);
  if (name.empty()) return fail(move.attempt_dir, "is no attempt's folder in " + path_);
  const UniqueFd output(::open(path_.c_str(), kFolder));
  const UniqueFd attempts_fd = open_below(output.get(), attempts());
  const UniqueFd attempt = open_below(attempts_fd.get(), name);
  if (!attempt) return fail(move.attempt_dir, std::string("cannot be opened: ") + std::strerror(errno));
  for (const std::string &file : move.files) {
    if (!is_output_name(file, move.merge)) return fail(move.attempt_dir, "\"" + file + "\" is no name for an output");
    const auto status = look(attempt.get(), file);
    if (!status || !S_ISREG(status->st_mode)) return fail(move.attempt_dir + "/" + file, "is not a regular file");
  }
  return {};
}

MoveResult OutputFolder::open_target(const MoveFiles &move, UniqueFd &target) {
  UniqueFd output(::open(path_.c_str(), kFolder));
  if (!output) return failed(path_, "the output folder cannot be opened");
  if (move.merge) {
    target = std::move(output);
    return {};
  }
  UniqueFd parts_fd;
  if (MoveResult made = make_below(output.get(), parts(), path_ + "/" + parts(), parts_fd); !made) return made;
  const std::string part = part_folder(move.input, move.begin);
  return make_below(parts_fd.get(), part, path_ + "/" + parts() + "/" + part, target);
}

MoveResult OutputFolder::place(const MoveFiles &move) {
  UniqueFd target;
  if (MoveResult opened = open_target(move, target); !opened) return opened;
  dirty_ = true;
  const UniqueFd output(::open(path_.c_str(), kFolder));
  const UniqueFd attempts_fd = open_below(output.get(), attempts());
  UniqueFd attempt;
  if (attempts_fd) attempt = open_below(attempts_fd.get(), attempt_name(move.attempt_dir));
  // A folder that is gone was moved from before: then all files have their places.
  if (!attempt && errno != ENOENT) return failed(move.attempt_dir, "cannot be opened");
  for (const std::string &name : move.files) {
    const std::string path = path_ + "/" + output_path({move.merge, move.input, move.begin}, name);
    if (!is_output_name(name, move.merge)) return hopeless(path, "is no name for an output");
    if (MoveResult moved = move_file(attempt.get(), target.get(), name, path); !moved) return moved;
  }
  return move.merge ? MoveResult{} : sync_fd(target.get(), path_);
}

MoveResult OutputFolder::sync() {
  if (!dirty_) return {};
  const UniqueFd output(::open(path_.c_str(), kFolder));
  if (!output) return failed(path_, "the output folder cannot be opened");
  const UniqueFd parts_fd = open_below(output.get(), parts());
  if (parts_fd)
    if (MoveResult synced = sync_fd(parts_fd.get(), path_ + "/" + parts()); !synced) return synced;
  if (MoveResult synced = sync_fd(output.get(), path_); !synced) return synced;
  dirty_ = false;
  return {};
}

// Best effort: what stays behind is cleared at the next start of the host.
void OutputFolder::drop_attempt(std::string_view attempt_dir) const {
  const std::string name = attempt_name(attempt_dir);
  if (name.empty()) return;
  std::error_code ignored;
  std::filesystem::remove_all(path_ + "/" + attempts() + "/" + name, ignored);
}

void OutputFolder::clear_attempts(const std::set<std::string> &but) const {
  const UniqueFd output(::open(path_.c_str(), kFolder));
  UniqueFd attempts_fd = open_below(output.get(), attempts());
  if (!attempts_fd) return;
  const auto names = names_in(std::move(attempts_fd), path_);
  if (!names) return;
  std::error_code ignored;
  for (const std::string &name : *names)
    if (is_own_attempt(name) && !but.contains(name))
      std::filesystem::remove_all(path_ + "/" + attempts() + "/" + name, ignored);
}

Result<void> OutputFolder::remove_file(const std::string &relative) const {
  const UniqueFd output(::open(path_.c_str(), kFolder));
  if (!output) return {};
  const std::filesystem::path path(relative);
  const std::string name = path.filename();
  const std::string part = path.parent_path().filename();
  if (part.empty()) {
    const auto status = look(output.get(), name);
    if (status && S_ISREG(status->st_mode) && ::unlinkat(output.get(), name.c_str(), 0) != 0)
      return plain(failed(path_ + "/" + relative, "cannot be removed"));
    return {};
  }
  const UniqueFd parts_fd = open_below(output.get(), parts());
  const UniqueFd folder = open_below(parts_fd.get(), part);
  const auto status = look(folder.get(), name);
  if (status && S_ISREG(status->st_mode) && ::unlinkat(folder.get(), name.c_str(), 0) != 0)
    return plain(failed(path_ + "/" + relative, "cannot be removed"));
  // Only empty ones go.
  ::unlinkat(parts_fd.get(), part.c_str(), AT_REMOVEDIR);
  ::unlinkat(output.get(), parts().c_str(), AT_REMOVEDIR);
  return {};
}

}  // namespace hostler
