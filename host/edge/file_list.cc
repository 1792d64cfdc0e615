#include "edge/file_list.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "core/config_place.h"
#include "core/glob.h"
#include "edge/disk_error.h"
#include "edge/input_file.h"

namespace hostler {
namespace {

using Kind = PatternComponent::Kind;

struct CloseFolder {
  void operator()(DIR *folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

std::string join(const std::string &folder, std::string_view name) {
  std::string path = folder;
  if (!path.empty() && path.back() != '/') path += '/';
  return path.append(name);
}

Result<Input> plain_file(const std::string &path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0) return input_file(path, AT_FDCWD, path, info);
  const int number = errno;
  if (const auto link = broken_link(path)) return tl::unexpected(*link);
  return unreadable(path, number);
}

// Walks the folders below the root of one pattern. It carries the set of components that the names in a folder may
// match, so that each folder is read once, however many ** there are.
class Walk {
 public:
  Walk(const PathPattern &pattern, std::vector<Input> &files) : components_(pattern.components), files_(files) {
    enter(pattern.root, {0}, true);
  }

  Result<void> run() {
    while (!pending_.empty()) {
      const Pending next = std::move(pending_.back());
      pending_.pop_back();
      if (auto done = read_folder(next); !done) return done;
    }
    return {};
  }

 private:
  using Stages = std::vector<std::size_t>;  // indices of components_, ascending, each once
  struct Pending {
    std::string path;
    Stages stages;
    bool follow = false;  // symbolic links to a folder
  };

  void enter(std::string path, Stages stages, bool follow) {
    for (std::size_t i = 0; i < stages.size(); ++i)  // ** may also take in nothing; what is appended is looked at too
      if (components_[stages[i]].kind == Kind::AnyDepth) stages.push_back(stages[i] + 1);
    std::ranges::sort(stages);
    stages.erase(std::unique(stages.begin(), stages.end()), stages.end());
    pending_.push_back({std::move(path), std::move(stages), follow});
  }

  Result<void> read_folder(const Pending &at) {
    if (at.stages.size() == 1 && components_[at.stages[0]].kind == Kind::Literal) return step_into(at);
    const char *path = at.path.empty() ? "." : at.path.c_str();
    const int fd = ::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (at.follow ? 0 : O_NOFOLLOW));
    if (fd < 0) return cannot_open(at, errno);
    const Folder folder(::fdopendir(fd));
    if (!folder) {
      const int error = errno;
      ::close(fd);
      return cannot_open(at, error);
    }
    while (true) {
      errno = 0;
      const dirent *found = ::readdir(folder.get());
      if (found == nullptr) break;
      const std::string name = found->d_name;
      if (name == "." || name == "..") continue;
      if (auto done = look_at(at, name, found->d_type, fd); !done) return done;
    }
    if (errno != 0) return cannot_open(at, errno);
    return {};
  }

  // A plain name between wildcards needs no reading of the folder.
  Result<void> step_into(const Pending &at) {
    const std::size_t stage = at.stages[0];
    const std::string &name = components_[stage].text;
    if (stage + 1 == components_.size()) return add_file(at, name, AT_FDCWD, join(at.path, name));
    enter(join(at.path, name), {stage + 1}, true);
    return {};
  }

  // What is gone matches nothing, but a link that leads nowhere may have led to what is now missing.
  static Result<void> nothing_at(const std::string &path) {
    const auto link = broken_link(path);
    return link ? Result<void>(tl::unexpected(*link)) : Result<void>{};
  }

  // What is no folder matches nothing.
  static Result<void> cannot_open(const Pending &at, int error) {
    if (error == ENOENT || error == ENOTDIR || error == ELOOP) return nothing_at(at.path);
    return errno_error(
        error, "", fmt::format("the folder {} cannot be read", in_quotes(at.path.empty() ? "." : at.path)),
        error == EACCES ? "make it readable for the user that runs hostler, or leave it out of the pattern" : "");
  }

  static bool is_folder(int folder, const std::string &name, unsigned char type) {
    if (type != DT_UNKNOWN && type != DT_LNK) return type == DT_DIR;
    struct stat info {};
    return ::fstatat(folder, name.c_str(), &info, 0) == 0 && S_ISDIR(info.st_mode);
  }
  static bool is_link(int folder, const std::string &name, unsigned char type) {
    if (type != DT_UNKNOWN) return type == DT_LNK;
    struct stat info {};
    return ::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(info.st_mode);
  }

  static bool matches_name(const PatternComponent &component, std::string_view name) {
    return component.kind == Kind::Literal ? component.text == name : matches(component.text, name);
  }

  Result<void> look_at(const Pending &at, const std::string &name, unsigned char type, int folder) {
    Stages by_name;   // what the names below may match because this name matched
    Stages by_depth;  // and because ** took this one in
    bool is_last = false;
    for (const std::size_t stage : at.stages) {
      const PatternComponent &component = components_[stage];
      if (component.kind == Kind::AnyDepth) {
        if (!name.starts_with('.')) by_depth.push_back(stage);
      } else if (matches_name(component, name)) {
        if (stage + 1 == components_.size())
          is_last = true;
        else
          by_name.push_back(stage + 1);
      }
    }
    if ((!by_name.empty() || !by_depth.empty()) && is_folder(folder, name, type)) {
      const bool link = is_link(folder, name, type);
      Stages next = std::move(by_name);
      if (!link) next.insert(next.end(), by_depth.begin(), by_depth.end());
      if (!next.empty()) enter(join(at.path, name), std::move(next), link);
    } else if (!by_name.empty() && is_link(folder, name, type)) {
      if (auto file = nothing_at(join(at.path, name)); !file) return file;
    }
    return is_last ? add_file(at, name, folder, name) : Result<void>{};
  }

  // `relative` to the folder `at`, as the system calls take it.
  Result<void> add_file(const Pending &at, std::string_view name, int folder, const std::string &relative) {
    std::string path = join(at.path, name);
    struct stat info {};
    if (::fstatat(folder, relative.c_str(), &info, 0) != 0) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return nothing_at(path);
      return unreadable(path, errno);
    }
    if (S_ISDIR(info.st_mode)) return {};  // what is in it is matched by other patterns
    auto file = input_file(std::move(path), folder, relative, info);
    if (!file) return tl::unexpected(std::move(file.error()));
    files_.push_back(std::move(*file));
    return {};
  }

  const std::vector<PatternComponent> &components_;
  std::vector<Input> &files_;
  std::vector<Pending> pending_;
};

// That the folder is not there, which is no way to say that there are no files.
bool lacks_root(const PathPattern &split) {
  struct stat info {};
  return !split.root.empty() && ::stat(split.root.c_str(), &info) != 0;
}

tl::unexpected<Error> refuse_empty(const std::string &pattern, const PathPattern &split) {
  std::string hint = "names that begin with a dot are left out";
  if (lacks_root(split))
    hint = fmt::format("{}: {}", in_quotes(split.root), error_words(errno));
  else if (pattern.find('{') != std::string::npos)
    hint = "braces are taken as they are; write a list of patterns";
  return fail("", fmt::format("no file matches {}", in_quotes(pattern)), std::move(hint));
}

Result<std::vector<Input>> expand(const std::string &pattern, NoMatch no_match) {
  const PathPattern split = split_pattern(pattern);
  std::vector<Input> files;
  if (split.components.empty()) {
    auto file = plain_file(split.root);
    if (!file) return tl::unexpected(file.error());
    files.push_back(std::move(*file));
    return files;
  }
  if (auto walked = Walk(split, files).run(); !walked) return tl::unexpected(walked.error());
  if (files.empty() && (no_match == NoMatch::Refused || lacks_root(split))) return refuse_empty(pattern, split);
  std::ranges::sort(files, {}, &Input::path);
  // A folder that changes may show a name again.
  const auto same = [](const Input &a, const Input &b) { return a.path == b.path; };
  files.erase(std::unique(files.begin(), files.end(), same), files.end());
  return files;
}

}  // namespace

Result<std::vector<Input>> list_files(std::span<const std::string> patterns, NoMatch no_match) {
  if (patterns.size() == 1) return expand(patterns.front(), no_match);
  std::vector<Input> all;
  std::unordered_set<std::string> known;
  for (const std::string &pattern : patterns) {
    auto files = expand(pattern, no_match);
    if (!files) return files;
    for (Input &file : *files)
      if (known.insert(file.path).second) all.push_back(std::move(file));
  }
  return all;
}

}  // namespace hostler
