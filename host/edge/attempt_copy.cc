#include "edge/attempt_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "edge/unique_fd.h"

namespace hostler {
namespace {

constexpr int kRealFolder = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

tl::unexpected<Error> failed(const std::string &path, const char *what) {
  return fail(path, std::string(what) + ": " + std::strerror(errno));
}

Result<void> copy_bytes(int from, int to, std::int64_t size, const std::string &path) {
  std::array<char, std::size_t{64} << 10> piece;
  for (std::int64_t left = size; left > 0;) {
    const ssize_t got = ::read(from, piece.data(), std::min<std::size_t>(piece.size(), static_cast<std::size_t>(left)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(path, "cannot be read");
    if (got == 0) return fail(path, "is shorter than what was committed");
    for (ssize_t done = 0; done < got;) {
      const ssize_t put = ::write(to, piece.data() + done, static_cast<std::size_t>(got - done));
      if (put < 0 && errno != EINTR) return failed(path, "cannot be copied");
      if (put > 0) done += put;
    }
    left -= got;
  }
  return {};
}

}  // namespace

Result<void> copy_committed(const std::string &from, const std::vector<OutputLength> &files, const std::string &to,
                            const std::optional<User> &user) {
  const UniqueFd source(::open(from.c_str(), kRealFolder));
  if (!source) return failed(from, "cannot be opened");
  if (::mkdir(to.c_str(), 0700) != 0) return failed(to, "cannot be made");
  const UniqueFd target(::open(to.c_str(), kRealFolder));
  if (!target) return failed(to, "cannot be opened");
  const auto give = [&user](int fd) { return !user || ::fchown(fd, user->uid, user->gid) == 0; };
  for (const OutputLength &file : files) {
    const std::string path = from + "/" + file.name;
    const UniqueFd in(::openat(source.get(), file.name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat status {};
    if (!in || ::fstat(in.get(), &status) != 0) return failed(path, "cannot be opened");
    if (!S_ISREG(status.st_mode)) return fail(path, "is not a regular file");
    const UniqueFd out(::openat(target.get(), file.name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!out || !give(out.get())) return failed(to + "/" + file.name, "cannot be made");
    if (Result<void> copied = copy_bytes(in.get(), out.get(), file.size, path); !copied) return copied;
  }
  if (!give(target.get())) return failed(to, "cannot be given away");
  return {};
}

}  // namespace hostler
