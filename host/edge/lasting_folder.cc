#include "edge/lasting_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "edge/unique_fd.h"

namespace hostler {

int make_name_durable(const std::string &path) {
  const std::string parent = std::filesystem::path(path).parent_path();
  const UniqueFd folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return errno == EACCES ? 0 : errno;
  if (::fsync(folder.get()) == 0 || errno == EINVAL || errno == EROFS || errno == ENOTSUP) return 0;
  return errno;
}

int make_lasting_folders(const std::string &path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return S_ISDIR(status.st_mode) ? make_name_durable(path) : ENOTDIR;
  if (errno != ENOENT) return errno;
  const std::string parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && parent != path)
    if (const int error = make_lasting_folders(parent); error != 0) return error;
  if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) return errno;
  return make_name_durable(path);
}

}  // namespace hostler
