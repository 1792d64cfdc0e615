#include "edge/control_socket.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "edge/disk_error.h"

namespace hostler {
namespace {

sockaddr_un address_in(int state_dir_fd) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = fmt::format("/proc/self/fd/{}/{}", state_dir_fd, kSocketName);
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));  // at most 40 bytes
  return address;
}

}  // namespace

Result<UniqueFd> open_state_dir(const std::string &state_dir) {
  UniqueFd fd(::open(state_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno_error(errno, state_dir, "cannot be opened");
  return fd;
}

Result<UniqueFd> listen_in(int state_dir_fd) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(kSocketName, "cannot be made: " + error_words(errno));
  if (::unlinkat(state_dir_fd, kSocketName, 0) != 0 && errno != ENOENT)
    return fail(kSocketName, "cannot be replaced: " + error_words(errno));
  // Before bind(), so that there is no moment at which others may connect.
  const sockaddr_un address = address_in(state_dir_fd);
  if (::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0)
    return fail(kSocketName, "cannot be bound: " + error_words(errno));
  return fd;
}

Result<UniqueFd> connect_in(int state_dir_fd) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail(kSocketName, "cannot be made: " + error_words(errno));
  const sockaddr_un address = address_in(state_dir_fd);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0) return fd;
  if (errno == ENOENT || errno == ECONNREFUSED) return UniqueFd();
  return fail(kSocketName, "cannot be reached: " + error_words(errno));
}

}  // namespace hostler
