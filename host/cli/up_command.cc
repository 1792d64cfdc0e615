// up: a host as a daemon, or in the foreground.
#include <cstdio>

#include "cli/address.h"
#include "cli/command.h"
#include "cli/say.h"
#include "edge/daemonize.h"
#include "edge/init_process.h"

namespace hostler {
namespace {

HostOptions host_options(const StartOptions &options) {
  HostOptions host;
  host.config = absolute_path(options.config);
  host.echo_log = options.foreground;
  host.fresh = options.fresh;
  host.resume = options.resume;
  return host;
}

Outcome<ExitCode> run_in_foreground(const StartOptions &options) {
  if (auto left = leave_init_behind(); !left) return give_up(ExitCode::Failed, left.error());
  return run_host(host_options(options), [](ExitCode code, const std::string &text) {
    if (code != ExitCode::Fine) warn("hostler: {}\n", text);
  });
}

}  // namespace

Outcome<ExitCode> run_up(const StartOptions &options) {
  if (options.foreground) return run_in_foreground(options);
  if (is_init())
    return give_up(ExitCode::Usage,
                   "as the first process of a container hostler cannot go into the background, as all "
                   "ends with it: use `hostler up --foreground`");
  const HostOptions host = host_options(options);  // while the working folder is still the user's
  const auto reply = start_daemon([&](const auto &report) {
    return static_cast<int>(
        run_host(host, [&](ExitCode code, const std::string &text) { report(static_cast<int>(code), text); }));
  });
  if (!reply) return give_up(ExitCode::Failed, reply.error());
  if (reply->code != 0) return give_up(static_cast<ExitCode>(reply->code), reply->text);
  say("hostler is up {}\n", reply->text);
  return ExitCode::Fine;
}

}  // namespace hostler
