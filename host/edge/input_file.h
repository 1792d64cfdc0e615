// One file as an input, on the disk: what stat says of it, and what makes it none. Blocking; any thread.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "core/error.h"
#include "core/slicing.h"

namespace hostler {

// The readable regular file at `path`, also through a symbolic link. `relative` to the open folder is the same file, as
// the system calls take it (AT_FDCWD and `path` itself, where there is none); `info` is what stat, which follows links,
// has said of it. Errors have no `where`; they name the path. Refused too is what has a size of 0 and content none the
// less, as the files in /proc: read as an input it would be empty, silently.
[[nodiscard]] Result<Input> input_file(std::string path, int folder, const std::string &relative,
                                       const struct stat &info);

// "the file … cannot be read: WHY", without `where`.
[[nodiscard]] tl::unexpected<Error> unreadable(const std::string &path, int number);
// When stat finds nothing at `path`: is that because it, or a folder on the way to it, is a symbolic link that leads
// nowhere? The words name the link and what it points to.
[[nodiscard]] std::optional<Error> broken_link(const std::string &path);

}  // namespace hostler
