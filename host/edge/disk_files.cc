#include "edge/disk_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "core/config_place.h"
#include "core/suggest.h"
#include "edge/disk_error.h"
#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr std::int64_t kMostItemBytes = std::int64_t{256} << 20U;

std::string resolve(const std::string &path) {
  std::error_code error;
  std::string found = std::filesystem::weakly_canonical(path, error);
  if (error) return path;
  if (found.size() > 1 && found.back() == '/') found.pop_back();  // of a path that ends with ".."
  return found;
}

tl::unexpected<Error> missing_plugin(const std::string &folder, const std::string &name, int why) {
  std::error_code error;
  std::filesystem::directory_iterator listing(folder, error);
  if (error)
    return fail("", fmt::format("the plugins folder {} cannot be read: {}", in_quotes(folder), error.message()),
                "make it, or set host.plugins");
  std::vector<std::string> names;
  for (; !error && listing != std::filesystem::directory_iterator(); listing.increment(error))
    names.push_back(listing->path().filename());
  std::ranges::sort(names);
  const std::vector<std::string_view> known(names.begin(), names.end());
  auto near = nearest(name, known);
  if (const auto suffixed = std::ranges::find(known, name + ".so"); suffixed != known.end()) near = *suffixed;
  return fail("", fmt::format("there is no plugin {} in {}: {}", in_quotes(name), in_quotes(folder), error_words(why)),
              near && *near != name ? fmt::format("did you mean \"{}\"?", *near)
                                    : "put it there, or set host.plugins to its folder");
}

}  // namespace

Result<std::string> read_file(const std::string &path, std::int64_t most) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return errno_error(errno, "", "cannot be opened");
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error(errno, "", "cannot be read");
  if (!S_ISREG(info.st_mode)) return fail("", S_ISDIR(info.st_mode) ? "is a folder" : "is not a regular file");
  std::string text;
  text.reserve(static_cast<std::size_t>(std::clamp<std::int64_t>(info.st_size, 0, most)));
  std::vector<char> block(std::size_t{256} << 10U);
  while (true) {
    const ssize_t n = ::read(fd.get(), block.data(), block.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error(errno, "", "cannot be read");
    if (n == 0) return text;
    text.append(block.data(), static_cast<std::size_t>(n));
    if (static_cast<std::int64_t>(text.size()) > most)
      return fail("", fmt::format("is larger than {} MiB", most >> 20U));
  }
}

Result<void> DiskFiles::check_plugin(const std::string &folder, const std::string &name) {
  const std::string path = folder + "/" + name;
  if (good_plugins_.contains(path)) return {};
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    const int error = errno;
    if (may_pass(error)) return errno_error(error, "", fmt::format("the plugin {} cannot be read", in_quotes(path)));
    return missing_plugin(folder, name, error);
  }
  if (!S_ISREG(info.st_mode))
    return fail("", fmt::format("the plugin {} is not a regular file", in_quotes(path)), "put the .so itself there");
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) != 0)
    return errno_error(errno, "", fmt::format("the plugin {} cannot be read", in_quotes(path)),
                       may_pass(errno) ? "" : "make it readable for the user that runs hostler");
  good_plugins_.insert(path);
  return {};
}

Result<void> DiskFiles::check_folder(const std::string &path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return errno_error(errno, "", fmt::format("the folder {} cannot be used", in_quotes(path)),
                       may_pass(errno) ? "" : "make it first");
  if (!S_ISDIR(info.st_mode)) return fail("", fmt::format("{} is not a folder", in_quotes(path)));
  return {};
}

Result<void> DiskFiles::check_room_for_folder(const std::string &path) {
  for (std::filesystem::path part = path;; part = part.parent_path()) {
    struct stat info {};
    if (::stat(part.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) return {};
      return fail("", fmt::format("{} is not a folder", in_quotes(part.string())), "choose another path");
    }
    if (part == part.parent_path()) return {};
  }
}

Result<std::vector<std::string>> DiskFiles::read_items(const std::string &path) {
  const auto text = read_file(path, kMostItemBytes);
  if (!text)
    return tl::unexpected(
        Error{"", fmt::format("the file {} {}", in_quotes(path), text.error().what), {}, text.error().may_pass});
  std::vector<std::string> items;
  for (std::string_view rest = *text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    items.emplace_back(line);
    if (line.find('\0') != std::string_view::npos)
      return fail("", fmt::format("line {} of {} holds a NUL byte", items.size(), in_quotes(path)),
                  "write one item a line, as text");
  }
  return items;
}

std::string DiskFiles::real_path(const std::string &path) {
  const std::filesystem::path whole(path);
  const std::string name = whole.filename();
  std::error_code error;
  if (name.empty() || name == "." || name == ".." || std::filesystem::is_symlink(whole, error)) return resolve(path);
  const std::string parent = whole.parent_path();
  auto known = real_folders_.find(parent);
  if (known == real_folders_.end()) known = real_folders_.emplace(parent, resolve(parent)).first;
  return (known->second == "/" ? "" : known->second) + "/" + name;
}

}  // namespace hostler
