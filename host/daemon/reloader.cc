#include "daemon/reloader.h"

#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "edge/config_yaml.h"
#include "edge/preparer.h"

namespace hostler {
namespace {

const ReloadFailure kStopping{false, {"", "the host is stopping", ""}};
constexpr std::size_t kMostWaiting = 64;  // whoever asked may be gone: that is not told

}  // namespace

Reloader::Reloader(EventLoop &loop, Supervisor &supervisor, const PluginStore &plugins, std::string config,
                   EntryMemory memory, std::string state_dir, Applied applied)
    : loop_(loop),
      supervisor_(supervisor),
      plugins_(plugins),
      config_(std::move(config)),
      memory_(std::move(memory)),
      state_dir_(std::move(state_dir)),
      applied_(std::move(applied)) {}

void Reloader::reload(ReloadOptions options, Done done) {
  ask({std::move(options), What::Reload, std::move(done), {}});
}

void Reloader::reload_named(ReloadOptions options, Done done) {
  ask({std::move(options), What::Named, std::move(done), {}});
}

void Reloader::take_builds(std::vector<std::string> names, Done done) {
  ask({{}, What::Builds, std::move(done), std::move(names)});
}

void Reloader::preview(ReloadOptions options, Done done) {
  ask({std::move(options), What::Preview, std::move(done), {}});
}

void Reloader::ask(Request request) {
  if (stopping_) return request.done(tl::unexpected(kStopping));
  if (requests_.size() >= kMostWaiting)
    return request.done(tl::unexpected(ReloadFailure{
        false, {"", fmt::format("{} reloads and checks wait already", requests_.size()), "try again later"}}));
  requests_.push_back(std::move(request));
  if (requests_.size() == 1) begin_next();
}

void Reloader::stop() {
  stopping_ = true;
  thread_.request_stop();
  for (const Request &request : std::exchange(requests_, {})) request.done(tl::unexpected(kStopping));
}

void Reloader::begin_next() {
  try {
    thread_ = std::jthread([this](const std::stop_token &stop) {
      auto prepared = std::make_shared<Result<Prepared>>(prepare_all(stop));
      loop_.post([this, prepared] { finish(std::move(*prepared)); });
    });
  } catch (const std::system_error &error) {
    const Error words{"", std::string("no thread could be started for the reload: ") + error.what(), "try again later",
                      true};
    loop_.post([this, words] { finish(tl::unexpected(words)); });
  }
}

Result<Prepared> Reloader::prepare_all(const std::stop_token &stop) {
  auto config = read_config(config_, &memory_);
  if (!config) return tl::unexpected(config.error());
  if (config->host.state != state_dir_)
    return fail(config_, "host.state is now " + config->host.state + ", but this host lives in " + state_dir_,
                "the state folder cannot change while the host runs: stop it first");
  return prepare(std::move(*config), plugins_, stop);
}

Result<ReloadPlan> Reloader::carry_out(const Request &request, Prepared &&prepared) {
  switch (request.what) {
    case What::Reload: return supervisor_.apply(std::move(prepared), request.options);
    case What::Named: return supervisor_.apply_named(std::move(prepared), request.options);
    case What::Builds: return supervisor_.apply_builds(prepared, request.names);
    case What::Preview: break;
  }
  return supervisor_.preview(prepared, request.options);
}

// What was read and did not change, which is most of it: the loop has workers to stop and to start now.
void Reloader::free_elsewhere(Prepared rest) {
  try {
    thread_ = std::jthread([rest = std::move(rest)] {});
  } catch (const std::system_error &) {  // then here
  }
}

void Reloader::finish(Result<Prepared> prepared) {
  if (thread_.joinable()) thread_.join();
  if (stopping_) return;  // answered already
  const Request request = std::move(requests_.front());
  requests_.pop_front();
  if (!prepared) {
    if (request.what == What::Reload) supervisor_.reject(prepared.error());
    request.done(tl::unexpected(ReloadFailure{!prepared.error().may_pass, prepared.error()}));
  } else {
    const HostConfig host = prepared->host;
    const auto plans = carry_out(request, std::move(*prepared));
    if (request.what == What::Reload && plans) applied_(host);
    request.done(plans.map_error([](const Error &error) { return ReloadFailure{false, error}; }));
    free_elsewhere(std::move(*prepared));
  }
  if (!requests_.empty()) begin_next();
}

}  // namespace hostler
