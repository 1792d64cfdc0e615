// The state folder's one owner: whoever holds the lock on STATE/hostler.pid. The lock goes with the process, however it
// ends; the file stays and holds the owner's pid as text.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"
#include "edge/unique_fd.h"

namespace hostler {

class Pidfile {
 public:
  // Makes the state folder (0711: a worker's user passes through it) when it is missing, and takes it for this process.
  // Refused: a folder on a network filesystem, where locks lie; one that has an owner, who is named.
  [[nodiscard]] static Result<Pidfile> take(const std::string &state_dir);
  Pidfile(Pidfile &&) noexcept = default;
  Pidfile &operator=(Pidfile &&) = delete;
  Pidfile(const Pidfile &) = delete;
  Pidfile &operator=(const Pidfile &) = delete;
  ~Pidfile();

  // This host is on its way out: whoever takes the folder next waits for it, for a while.
  void set_leaving();

 private:
  explicit Pidfile(UniqueFd locked) : fd_(std::move(locked)) {}
  UniqueFd fd_;
};

// Makes the state folder, with mode 0711, when it is missing.
[[nodiscard]] Result<void> make_state_dir(const std::string &state_dir);

// The pid of the host that owns the state folder, or nothing. Takes no lock, so it disturbs no host that is starting.
[[nodiscard]] Result<std::optional<pid_t>> owner_of(const std::string &state_dir);

// The name of a network filesystem by statfs's magic number, or nothing for a local one.
[[nodiscard]] std::optional<std::string> network_filesystem(std::uint64_t magic);

}  // namespace hostler
