#include "daemon/control_api.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "core/config_place.h"
#include "core/status_text.h"
#include "core/suggest.h"
#include "edge/status_json.h"

namespace hostler {
namespace {

constexpr std::int64_t kMaxWaitMs = 60'000;
constexpr std::size_t kMostWaiters = 4096;  // some may be gone: that is not told
constexpr std::string_view kPrefix = "/v1/";
// Who is started and does not say that it is ready may fail at once: it is watched for so long before it is said to run.
constexpr Duration kFirstSteps = std::chrono::milliseconds(250);

ControlReply json(int status, std::string body) {
  return {status, "application/json", std::move(body)};
}

ControlReply refuse(int status, std::string what, std::string hint) {
  return json(status, to_json(Error{"", std::move(what), std::move(hint)}));
}

constexpr std::array<std::string_view, 2> kStatusKeys{"workers", "layout"};
constexpr std::array<std::string_view, 1> kWaitKeys{"timeout_ms"};

struct Route {
  std::string_view path;
  std::string_view method;
  std::span<const std::string_view> keys{};  // of its query
};
constexpr std::array<Route, 5> kRoutes{{{"/v1/status", "GET", kStatusKeys},
                                        {"/v1/wait", "GET", kWaitKeys},
                                        {"/v1/reload", "POST"},
                                        {"/v1/check", "POST"},
                                        {"/v1/down", "POST"}}};

std::optional<OperatorVerb> verb_of(std::string_view path) {
  if (!path.starts_with(kPrefix)) return std::nullopt;
  return operator_verb_from_name(path.substr(kPrefix.size()));
}

// A key or a value that means nothing was meant for something.
std::optional<Error> check_query(const std::map<std::string, std::string> &query,
                                 std::span<const std::string_view> known) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kWords{
      {{"workers", "shown"}, {"layout", "pretty"}}};
  for (const auto &[key, value] : query) {
    if (std::ranges::find(known, key) == known.end()) return unknown_key(key, known);
    for (const auto &[its, word] : kWords)
      if (key == its && value != word)
        return Error{"", fmt::format("{} is {}", key, in_quotes(value)), fmt::format("it takes {}", word)};
  }
  return std::nullopt;
}

std::vector<std::string> lines_of(const ReloadPlan &plans) {
  std::vector<std::string> lines;
  if (!plans.host.empty()) lines.push_back(fmt::format("host:    {}", plans.host));
  for (const EntryPlan &plan : plans.entries)
    if (plan.action != EntryAction::Keep) lines.push_back(plan_line(plan));
  return lines;
}

}  // namespace

ControlApi::ControlApi(EventLoop &loop, Supervisor &supervisor, Reloader &reloader, HostStatus facts, TimePoint started,
                       std::function<void()> stop)
    : loop_(loop),
      supervisor_(supervisor),
      reloader_(reloader),
      facts_(std::move(facts)),
      started_(started),
      stop_(std::move(stop)) {}

void ControlApi::handle(const ControlRequest &request, std::function<void(ControlReply)> reply) {
  const std::string &path = request.path;
  const auto verb = verb_of(path);
  const auto route = std::ranges::find(kRoutes, path, &Route::path);
  if (!verb && route == kRoutes.end()) return reply(refuse(404, "there is no " + path, "try GET /v1/status"));
  if (request.method != (verb ? "POST" : route->method))
    return reply(refuse(405, path + " does not take " + request.method, "GET reads, POST acts"));
  if (const auto wrong = check_query(request.query, verb ? std::span<const std::string_view>() : route->keys))
    return reply(json(400, to_json(*wrong)));
  if (verb) return command(*verb, request, reply);
  if (path == "/v1/wait") return wait(request, std::move(reply));
  if (path == "/v1/reload") return reload(request, true, std::move(reply));
  if (path == "/v1/check") return reload(request, false, std::move(reply));
  if (path == "/v1/status")
    return reply(
        status(request.query.contains("workers"), request.query.contains("layout") ? Layout::Pretty : Layout::Compact));
  reply(json(200, "{}"));
  stop_();
}

ControlReply ControlApi::status(bool only_shown, Layout layout) const {
  HostStatus status = supervisor_.status();
  status.pid = facts_.pid;
  status.version = facts_.version;
  status.config = facts_.config;
  status.state_dir = facts_.state_dir;
  status.up_seconds = std::chrono::duration<double>(EventLoop::now() - started_).count();
  if (only_shown)
    for (EntryStatus &entry : status.entries) keep_shown(entry);
  return json(200, to_json(status, layout));
}

void ControlApi::wait(const ControlRequest &request, std::function<void(ControlReply)> reply) {
  std::int64_t timeout_ms = 0;
  if (const auto given = request.query.find("timeout_ms"); given != request.query.end()) {
    const std::string &text = given->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), timeout_ms);
    if (error != std::errc() || end != text.data() + text.size() || timeout_ms < 0)
      return reply(refuse(400, "timeout_ms is " + in_quotes(text), "it takes milliseconds as a whole number"));
  }
  if (timeout_ms == 0 || supervisor_.jobs_ended()) return reply(status());
  if (waiters_.size() >= kMostWaiters) answer(std::prev(waiters_.end()));
  waiters_.push_front({std::move(reply), EventLoop::Timer(loop_)});
  const auto waiter = waiters_.begin();
  waiter->timer.set(EventLoop::now() + std::chrono::milliseconds(std::min(timeout_ms, kMaxWaitMs)),
                    [this, waiter] { answer(waiter); });
}

void ControlApi::answer(Waiters::iterator waiter) {
  const auto reply = std::move(waiter->reply);
  waiters_.erase(waiter);
  reply(status());
}

void ControlApi::on_settled() {
  finish_errands();
  if (!supervisor_.jobs_ended()) return;
  while (!waiters_.empty()) answer(waiters_.begin());
}

// --fresh and --resume name jobs to be prepared first, as for a reload.
void ControlApi::command(OperatorVerb verb, const ControlRequest &request,
                         const std::function<void(ControlReply)> &reply) {
  auto asked = operator_command_from_json(request.body);
  if (!asked) return reply(json(400, to_json(asked.error())));
  asked->verb = verb;
  if (verb == OperatorVerb::Retry && !asked->names.empty()) return retry(*asked, reply);
  if (asked->fresh.empty() && asked->resume.empty()) return begin(*asked, reply);
  if (verb != OperatorVerb::Start) return reply(refuse(400, "fresh and resume go with start", ""));
  for (const auto *names : {&asked->fresh, &asked->resume})
    asked->names.insert(asked->names.end(), names->begin(), names->end());
  ReloadOptions options{asked->fresh, asked->resume};
  reloader_.reload_named(std::move(options), [this, asked = *asked, reply](const ReloadOutcome &plans) {
    if (plans) return begin(asked, reply);
    reply(json(plans.error().invalid_config ? 422 : 409, to_json(ReloadReply{false, {}, plans.error().error.text()})));
  });
}

// With a new build, if there is one.
void ControlApi::retry(const OperatorCommand &asked, const std::function<void(ControlReply)> &reply) {
  if (!asked.fresh.empty() || !asked.resume.empty()) return reply(refuse(400, "fresh and resume go with start", ""));
  reloader_.take_builds(asked.names, [this, asked, reply](const ReloadOutcome &plans) {
    if (plans) return begin(asked, reply);
    reply(json(plans.error().invalid_config ? 422 : 409, to_json(ReloadReply{false, {}, plans.error().error.text()})));
  });
}

void ControlApi::begin(const OperatorCommand &command, const std::function<void(ControlReply)> &reply) {
  auto names = supervisor_.command(command);
  if (!names) return reply(json(409, to_json(ReloadReply{false, {}, names.error().text()})));
  const TimePoint sure_at = EventLoop::now() + kFirstSteps;
  errands_.push_back({command.verb, std::move(*names), {}, reply, sure_at, EventLoop::Timer(loop_)});
  errands_.back().timer.set(sure_at, [this] { finish_errands(); });
}

void ControlApi::finish_errands() {
  errands_.remove_if([this](const Errand &errand) { return is_done(errand); });
}

bool ControlApi::is_done(const Errand &errand) const {
  ReloadReply answer;
  answer.text = errand.plan;
  for (const std::string &name : errand.names) {
    auto outcome = supervisor_.outcome_of(errand.verb, name);
    if (!outcome) return false;
    if (outcome->ok && !outcome->certain && EventLoop::now() < errand.sure_at) return false;
    if (!errand.plan.empty() && outcome->ok) continue;
    answer.ok = answer.ok && outcome->ok;
    answer.text.push_back(std::move(outcome->words));
  }
  if (!errand.plan.empty()) answer.ok = true;  // it is applied, whatever became of its workers
  errand.reply(json(200, to_json(answer)));
  return true;
}

// Answers once what a reload has changed has come to rest: the new workers run, the old ones are gone.
void ControlApi::see_through(const ReloadPlan &plans, const std::function<void(ControlReply)> &reply) {
  Errand errand{OperatorVerb::Restart, {}, lines_of(plans), reply, EventLoop::now(), EventLoop::Timer(loop_)};
  for (const EntryPlan &plan : plans.entries)
    if (plan.action != EntryAction::Keep && plan.action != EntryAction::Hold) errand.names.push_back(plan.name);
  errands_.push_back(std::move(errand));  // looked at as soon as the supervisor has acted on it
}

void ControlApi::reload(const ControlRequest &request, bool apply, std::function<void(ControlReply)> reply) {
  auto options = reload_request_from_json(request.body);
  if (!options) return reply(json(400, to_json(options.error())));
  auto done = [this, apply, reply = std::move(reply)](const ReloadOutcome &plans) {
    if (apply && plans) return see_through(*plans, reply);
    ReloadReply answer;
    answer.ok = plans.has_value();
    int code = 200;
    if (plans) {
      answer.text = lines_of(*plans);
    } else {
      answer.error = plans.error().error.text();
      code = plans.error().invalid_config ? 422 : 409;
    }
    reply(json(code, to_json(answer)));
  };
  if (apply)
    reloader_.reload(std::move(*options), std::move(done));
  else
    reloader_.preview(std::move(*options), std::move(done));
}

}  // namespace hostler
