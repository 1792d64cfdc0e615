// Folders whose names outlive a power cut: a new one does not before the folder above it has been synced. Blocking.
#pragma once

#include <string>

namespace hostler {

// Makes the name that `path` has in the folder above durable. 0, or an errno; a folder that may not be looked into, or a
// filesystem that syncs no folders, is none.
[[nodiscard]] int make_name_durable(const std::string &path);
// Makes the folder, and those above it that are not there, for good. One that is there is made sure of: whoever made it may
// have died too early. 0, or an errno.
[[nodiscard]] int make_lasting_folders(const std::string &path);

}  // namespace hostler
