#include "edge/output_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <system_error>
#include <vector>

#include "edge/lasting_folder.h"

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

MoveResult hopeless(std::string path, std::string what) {
  return disk_refusal({std::move(path), std::move(what), {}});
}

// `name` must be a folder itself, not a link to one.
UniqueFd open_below(int folder, const std::string &name) {
  return UniqueFd(::openat(folder, name.c_str(), kFolder | O_NOFOLLOW));
}

// `path`, and below it one in the other, none of them a link. Nothing when one of them is not there.
DiskResult<UniqueFd> open_folder(const std::string &path, std::initializer_list<std::string> names = {}) {
  UniqueFd folder(::open(path.c_str(), kFolder));
  std::string shown = path;
  for (const std::string &name : names) {
    if (!folder) break;
    shown += "/" + name;
    folder = open_below(folder.get(), name);
  }
  if (!folder && errno != ENOENT) return disk_failure(shown, "cannot be opened");
  return folder;
}

MoveResult make_below(int folder, const std::string &name, const std::string &path, UniqueFd &made, bool &is_new) {
  if (::mkdirat(folder, name.c_str(), kFolderMode) == 0) {
    is_new = true;
  } else if (errno != EEXIST) {
    return disk_failure(path, "cannot be made");
  }
  made = open_below(folder, name);
  if (!made) return disk_failure(path, "cannot be opened");
  return {};
}

MoveResult make_folders(const std::string &path) {
  errno = make_lasting_folders(path);
  if (errno == 0) return {};
  return disk_failure(path, "the output folder cannot be made");
}

MoveResult sync_fd(int fd, const std::string &path) {
  if (::fsync(fd) != 0) return disk_failure(path, "cannot be synced");
  return {};
}

// What is at `name`, itself and not where it points; nothing when there is nothing.
using Found = std::optional<struct stat>;
DiskResult<Found> look(const UniqueFd &folder, const std::string &name, const std::string &path) {
  struct stat status {};
  if (!folder) return std::nullopt;
  if (::fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) return status;
  if (errno == ENOENT) return std::nullopt;
  return disk_failure(path, "cannot be looked at");
}

// A regular file, nothing else.
DiskResult<bool> is_file(const UniqueFd &folder, const std::string &name, const std::string &path) {
  const auto found = look(folder, name, path);
  if (!found) return tl::unexpected(found.error());
  return *found && S_ISREG((*found)->st_mode);
}

struct CloseDir {
  void operator()(DIR *dir) const { ::closedir(dir); }
};

// The names in a folder, without "." and "..".
DiskResult<std::vector<std::string>> names_in(UniqueFd folder, const std::string &path) {
  const std::unique_ptr<DIR, CloseDir> dir(folder ? ::fdopendir(folder.get()) : nullptr);
  if (!dir) return disk_failure(path, "cannot be read");
  (void)folder.release();
  std::vector<std::string> names;
  errno = 0;
  while (const dirent *entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return disk_failure(path, "cannot be read");
  return names;
}

// An attempt, or manifest.json on its way.
bool is_own_attempt(const std::string &name) {
  return is_attempt_name(name) || name == kOutputManifest;
}

MoveResult move_file(const UniqueFd &from, const UniqueFd &to, const std::string &name, const std::string &path) {
  const auto source = look(from, name, path);
  if (!source) return tl::unexpected(source.error());
  if (!*source) {
    const auto moved_before = is_file(to, name, path);
    if (!moved_before) return tl::unexpected(moved_before.error());
    if (*moved_before) return {};
    return hopeless(path, "is gone: the attempt that wrote it no longer has it");
  }
  if (!S_ISREG((*source)->st_mode)) return hopeless(path, "is not a regular file in its attempt's folder");
  if (::renameat(from.get(), name.c_str(), to.get(), name.c_str()) != 0)
    return disk_failure(path, "cannot be moved to its place");
  // The worker may have put something else there between the look and the move.
  const auto moved = is_file(to, name, path);
  if (!moved) return tl::unexpected(moved.error());
  if (*moved) return {};
  ::unlinkat(to.get(), name.c_str(), 0);
  return hopeless(path, "was replaced by something else while it was moved");
}

}  // namespace

OutputLock::~OutputLock() {
  // Not by closing alone: a child that is about to execute something may have the descriptor for a moment longer.
  if (folder_) ::flock(folder_.get(), LOCK_UN);
}

DiskResult<OutputLock> OutputFolder::lock() const {
  if (MoveResult made = make_folders(path_); !made) return tl::unexpected(made.error());
  UniqueFd folder(::open(path_.c_str(), kFolder));
  if (!folder) return disk_failure(path_, "the output folder cannot be opened");
  while (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return disk_refusal(
          {path_, "the output folder is in use by another host", "choose another output:, or stop that host"});
    if (errno != EINTR) break;
  }
  return OutputLock(std::move(folder));
}

MoveResult OutputFolder::create() const {
  return make_folders(path_ + "/" + attempts());
}

MoveResult OutputFolder::check(const IsOurs &ours, bool used) const {
  const auto foreign = [this](const std::string &name) {
    return disk_refusal(
        {path_, "holds " + name + ", which is not of this job", "empty the folder, or choose another output:"});
  };
  const UniqueFd output(::open(path_.c_str(), kFolder));
  if (!output && errno == ENOENT) return {};
  if (!output) return disk_failure(path_, "the output folder cannot be opened");
  const auto check_files = [&](const UniqueFd &folder, const std::string &shown,
                               const OutputPlace &place) -> MoveResult {
    const auto names = names_in(UniqueFd(::openat(folder.get(), ".", kFolder)), path_);
    if (!names) return tl::unexpected(names.error());
    for (const std::string &name : *names) {
      if (place.merge && (name == kAttemptsFolder || name == kPartsFolder)) continue;
      const auto file = is_file(folder, name, path_);
      if (!file) return tl::unexpected(file.error());
      if (!*file) return foreign(shown + name);
      const Result<bool> known = ours(place, name);
      if (!known) return disk_refusal(known.error());
      if (!*known) return foreign(shown + name);
    }
    return {};
  };
  if (MoveResult top = check_files(output, "", {true, 0, 0}); !top) return top;
  // A folder of ours, itself and not a link to one; nothing when it is not there.
  const auto own_folder = [&](const UniqueFd &parent, const std::string &name,
                              const std::string &shown) -> DiskResult<UniqueFd> {
    UniqueFd folder = open_below(parent.get(), name);
    if (folder || errno == ENOENT) return folder;
    if (errno == ENOTDIR || errno == ELOOP) return foreign(shown);
    return disk_failure(path_ + "/" + shown, "cannot be opened");
  };
  auto attempts_fd = own_folder(output, attempts(), attempts());
  if (!attempts_fd) return tl::unexpected(attempts_fd.error());
  if (*attempts_fd) {
    const auto names = names_in(std::move(*attempts_fd), path_);
    if (!names) return tl::unexpected(names.error());
    for (const std::string &name : *names)
      if (!used || !is_own_attempt(name)) return foreign(attempts() + "/" + name);
  }
  const auto parts_fd = own_folder(output, parts(), parts());
  if (!parts_fd) return tl::unexpected(parts_fd.error());
  if (!*parts_fd) return {};
  const auto folders = names_in(UniqueFd(::openat(parts_fd->get(), ".", kFolder)), path_);
  if (!folders) return tl::unexpected(folders.error());
  for (const std::string &name : *folders) {
    const auto place = parse_part_folder(name);
    if (!place) return foreign(parts() + "/" + name);
    const auto folder = own_folder(*parts_fd, name, parts() + "/" + name);
    if (!folder) return tl::unexpected(folder.error());
    if (MoveResult fine = check_files(*folder, parts() + "/" + name + "/", *place); !fine) return fine;
  }
  return {};
}

std::string OutputFolder::attempt_name(std::string_view attempt_dir) const {
  const std::string prefix = path_ + "/" + attempts() + "/";
  if (attempt_dir.substr(0, prefix.size()) != prefix) return {};
  const std::string_view name = attempt_dir.substr(prefix.size());
  return is_attempt_name(name) ? std::string(name) : std::string();
}

MoveResult OutputFolder::check_attempt(const MoveFiles &move) const {
  const std::string name = attempt_name(move.attempt_dir);
  if (name.empty()) return hopeless(move.attempt_dir, "is no attempt's folder in " + path_);
  const auto attempt = open_folder(path_, {attempts(), name});
  if (!attempt) return tl::unexpected(attempt.error());
  if (!*attempt) return hopeless(move.attempt_dir, "is not there");
  for (const std::string &file : move.files) {
    if (!is_output_name(file, move.merge))
      return hopeless(move.attempt_dir, "\"" + file + "\" is no name for an output");
    const std::string path = move.attempt_dir + "/" + file;
    const auto regular = is_file(*attempt, file, path);
    if (!regular) return tl::unexpected(regular.error());
    if (!*regular) return hopeless(path, "is not a regular file");
  }
  return {};
}

MoveResult OutputFolder::open_target(const MoveFiles &move, UniqueFd &target) {
  UniqueFd output(::open(path_.c_str(), kFolder));
  if (!output) return disk_failure(path_, "the output folder cannot be opened");
  if (move.merge) {
    target = std::move(output);
    return {};
  }
  UniqueFd parts_fd;
  if (MoveResult made = make_below(output.get(), parts(), path_ + "/" + parts(), parts_fd, dirty_); !made) return made;
  const std::string part = part_folder(move.input, move.begin);
  return make_below(parts_fd.get(), part, path_ + "/" + parts() + "/" + part, target, dirty_);
}

MoveResult OutputFolder::make_place(const MoveFiles &move) {
  UniqueFd target;
  return open_target(move, target);
}

// A file whose new folder is forgotten is lost, so first that has to last.
MoveResult OutputFolder::place(const MoveFiles &move) {
  UniqueFd target;
  if (MoveResult opened = open_target(move, target); !opened) return opened;
  if (MoveResult synced = sync(); !synced) return synced;
  // A folder that is gone was moved from before: then all files have their places.
  const auto attempt = open_folder(path_, {attempts(), attempt_name(move.attempt_dir)});
  if (!attempt) return tl::unexpected(attempt.error());
  for (const std::string &name : move.files) {
    const std::string path = path_ + "/" + output_path({move.merge, move.input, move.begin}, name);
    if (!is_output_name(name, move.merge)) return hopeless(path, "is no name for an output");
    if (MoveResult moved = move_file(*attempt, target, name, path); !moved) return moved;
  }
  dirty_ = move.merge;
  return move.merge ? MoveResult{} : sync_fd(target.get(), path_);
}

MoveResult OutputFolder::sync() {
  if (!dirty_) return {};
  const UniqueFd output(::open(path_.c_str(), kFolder));
  if (!output) return disk_failure(path_, "the output folder cannot be opened");
  const UniqueFd parts_fd = open_below(output.get(), parts());
  if (!parts_fd && errno != ENOENT) return disk_failure(path_ + "/" + parts(), "cannot be opened");
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

MoveResult OutputFolder::clear_attempts(const std::set<std::string> &but) const {
  auto folder = open_folder(path_, {attempts()});
  if (!folder) return tl::unexpected(folder.error());
  if (!*folder) return {};
  const auto names = names_in(std::move(*folder), path_);
  if (!names) return tl::unexpected(names.error());
  for (const std::string &name : *names) {
    if (!is_own_attempt(name) || but.contains(name)) continue;
    const std::string path = path_ + "/" + attempts() + "/" + name;
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (!error) continue;
    errno = error.value();
    return disk_failure(path, "cannot be removed");
  }
  return {};
}

MoveResult OutputFolder::remove_file(const std::string &relative) const {
  const std::filesystem::path path(relative);
  const std::string name = path.filename();
  const std::string part = path.parent_path().filename();
  const auto folder = part.empty() ? open_folder(path_) : open_folder(path_, {parts(), part});
  if (!folder) return tl::unexpected(folder.error());
  const auto file = is_file(*folder, name, path_ + "/" + relative);
  if (!file) return tl::unexpected(file.error());
  if (*file && ::unlinkat(folder->get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return disk_failure(path_ + "/" + relative, "cannot be removed");
  if (part.empty()) return {};
  // Only empty ones go.
  const UniqueFd output(::open(path_.c_str(), kFolder));
  const UniqueFd parts_fd = open_below(output.get(), parts());
  ::unlinkat(parts_fd.get(), part.c_str(), AT_REMOVEDIR);
  ::unlinkat(output.get(), parts().c_str(), AT_REMOVEDIR);
  return {};
}

}  // namespace hostler
