// The end of a job in its output folder: manifest.json and _SUCCESS.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include <fmt/format.h>

#include "edge/output_folder.h"

namespace hostler {
namespace {

constexpr int kManifestFolder = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
constexpr std::size_t kWriteBuffer = std::size_t{64} << 10;

// A JSON string. Bytes that are no ASCII are passed on: names are the plugin's, and are UTF-8 if it so wishes.
std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char each : text) {
    if (each == '"' || each == '\\') out.push_back('\\');
    if (static_cast<unsigned char>(each) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(each));
    } else {
      out.push_back(each);
    }
  }
  out.push_back('"');
  return out;
}

// A file that is being written below a folder.
class FolderFile {
 public:
  FolderFile(UniqueFd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

  MoveResult write(std::string_view text) {
    buffer_.append(text);
    return buffer_.size() < kWriteBuffer ? MoveResult{} : flush();
  }

  MoveResult finish() {
    if (MoveResult flushed = flush(); !flushed) return flushed;
    if (::fsync(file_.get()) != 0) return disk_failure(path_, "cannot be synced");
    return {};
  }

 private:
  MoveResult flush() {
    for (std::string_view left = buffer_; !left.empty();) {
      const ssize_t written = ::write(file_.get(), left.data(), left.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return disk_failure(path_, "cannot be written");
      left.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer_.clear();
    return {};
  }

  UniqueFd file_;
  std::string path_;
  std::string buffer_;
};

std::string head(const OutputSummary &summary) {
  std::string text = fmt::format("{{\"job\": {}, \"id\": {}, \"state\": {},\n\"counters\": {{", json_text(summary.job),
                                 json_text(summary.id), json_text(name(summary.state)));
  std::string_view before;
  for (const auto &[counter, total] : summary.counters) {
    text += fmt::format("{}{}: {}", before, json_text(counter), total);
    before = ", ";
  }
  return text + "},\n\"files\": [";
}

// Calls `take` with the path within the folder and the size of each file, as long as that goes well.
MoveResult look_at_files(int output, const std::string &folder, const OutputFolder::ListFiles &files,
                         const std::function<MoveResult(const std::string &path, off_t size)> &take) {
  MoveResult taken;
  const Result<void> listed = files([&](const OutputPlace &place, std::string_view name) -> Result<void> {
    const std::string path = output_path(place, name);
    struct stat status {};
    const bool seen = ::fstatat(output, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!seen && errno != ENOENT) {
      taken = disk_failure(folder + "/" + path, "cannot be looked at");
    } else if (!seen || !S_ISREG(status.st_mode)) {
      taken = disk_refusal({folder + "/" + path, "was committed and is no longer there", {}});
    } else {
      taken = take(path, status.st_size);
    }
    if (!taken) return tl::unexpected(taken.error().error);
    return {};
  });
  if (!taken || listed) return taken;
  return disk_refusal(listed.error());
}

MoveResult write_files(FolderFile &writer, int output, const std::string &folder,
                       const OutputFolder::ListFiles &files) {
  std::string_view before = "\n";
  return look_at_files(output, folder, files, [&](const std::string &path, off_t size) {
    return writer.write(
        fmt::format("{}{{\"path\": {}, \"bytes\": {}}}", std::exchange(before, ",\n"), json_text(path), size));
  });
}

}  // namespace

MoveResult OutputFolder::check_committed(const ListFiles &files) const {
  const UniqueFd output(::open(path_.c_str(), kManifestFolder));
  if (!output) return disk_failure(path_, "the output folder cannot be opened");
  return look_at_files(output.get(), path_, files, [](const std::string &, off_t) { return MoveResult{}; });
}

MoveResult OutputFolder::finish(const OutputSummary &summary, const ListFiles &files) const {
  const UniqueFd output(::open(path_.c_str(), kManifestFolder));
  if (!output) return disk_failure(path_, "the output folder cannot be opened");
  const std::string manifest(kOutputManifest);
  const std::string path = path_ + "/" + manifest;
  const std::string draft = std::string(kAttemptsFolder) + "/" + manifest;
  const std::string attempts(kAttemptsFolder);
  if (MoveResult done = clear_attempts(summary.kept_attempts); !done) return done;
  if (::mkdirat(output.get(), attempts.c_str(), 0777) != 0 && errno != EEXIST)
    return disk_failure(path, "cannot be drafted");
  // The folder may be of another user, whose processes may not all be gone.
  ::unlinkat(output.get(), draft.c_str(), 0);
  UniqueFd file(::openat(output.get(), draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t{0666}));
  struct stat drafted {};
  if (!file || ::fstat(file.get(), &drafted) != 0) return disk_failure(path, "cannot be drafted");
  FolderFile writer(std::move(file), path);
  if (MoveResult done = writer.write(head(summary)); !done) return done;
  if (MoveResult done = write_files(writer, output.get(), path_, files); !done) return done;
  if (MoveResult done = writer.write("\n]}\n"); !done) return done;
  if (MoveResult done = writer.finish(); !done) return done;
  if (::renameat(output.get(), draft.c_str(), output.get(), manifest.c_str()) != 0)
    return disk_failure(path, "cannot be made");
  struct stat made {};
  if (::fstatat(output.get(), manifest.c_str(), &made, AT_SYMLINK_NOFOLLOW) != 0 || made.st_dev != drafted.st_dev ||
      made.st_ino != drafted.st_ino) {
    ::unlinkat(output.get(), manifest.c_str(), 0);
    return disk_refusal({path, "was replaced by something else while it was made", {}});
  }
  ::unlinkat(output.get(), attempts.c_str(), AT_REMOVEDIR);
  if (summary.state == JobState::Succeeded) {
    const UniqueFd success(::openat(output.get(), std::string(kSuccessFile).c_str(),
                                    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, mode_t{0666}));
    if (!success) return disk_failure(path_ + "/" + std::string(kSuccessFile), "cannot be made");
  }
  if (::fsync(output.get()) != 0) return disk_failure(path_, "cannot be synced");
  return {};
}

}  // namespace hostler
