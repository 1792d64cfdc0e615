#include "worker/job_loop.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "worker/call_plugin.h"
#include "worker/input_check.h"
#include "worker/merge_results.h"

namespace hostler {
namespace {

bool has_files(InputKind kind) {
  return kind == InputKind::Lines || kind == InputKind::Records || kind == InputKind::File;
}

// As long as a reason may be: paths can be longer.
std::string words(std::string text) {
  if (text.size() > HOSTLER_MAX_REASON) text.resize(HOSTLER_MAX_REASON);
  return text;
}

// The verdicts after which the next slice may run in the same process.
bool keeps_process(std::int32_t returned) {
  return returned == HOSTLER_DONE || returned == HOSTLER_BAD_DATA || returned == HOSTLER_RETRY_LATER ||
         returned == HOSTLER_YIELD;
}

// Those which a plugin may also have given because its outputs could not be written.
bool may_be_want_of_room(std::int32_t returned) {
  return returned != HOSTLER_DONE && returned != HOSTLER_BAD_DATA && returned != HOSTLER_BAD_CONFIG &&
         returned != HOSTLER_YIELD;
}

}  // namespace

void leave_without_trace(std::int32_t returned) {
  while (true) ::syscall(SYS_exit_group, returned);
}

std::int32_t returned_to_worker(SharedPage &page, Runtime &runtime, std::int32_t returned) {
  if (!page.is_mine()) leave_without_trace(returned);
  runtime.leave();
  page.set_returned(returned);
  (void)std::fflush(nullptr);
  return returned;
}

const CountedCode *JobLoop::rule_for(std::int32_t returned) const {
  const auto found = std::ranges::find(start_.codes, returned, &CountedCode::code);
  return found == start_.codes.end() ? nullptr : &*found;
}

void JobLoop::run() {
  HostMessage message;
  while (true) {
    page_.set_stage(Stage::Idle);
    switch (channel_.receive(message)) {
      case Channel::Received::EndOfFile: leave(0);
      case Channel::Received::Interrupted:
        if (runtime_.stop_word() != 0) leave(0);
        break;
      case Channel::Received::Message:
        if (std::holds_alternative<Dismissed>(message)) leave(0);
        if (const auto *lease = std::get_if<Lease>(&message)) work(*lease);
        break;
    }
  }
}

void JobLoop::work(const Lease &lease) {
  if (!lease.merge_input.empty()) return run_merge(lease);
  items_.clear();
  for (const std::string &item : lease.items) items_.push_back(item.c_str());
  // The plan of the lease's own inputs: its positions begin at those of the first one.
  const Manifest plan(lease.kind, lease.inputs, lease.slice_size, lease.unit, lease.base, {}, 1);
  const std::int64_t shift = lease.first_offset;
  const Interval whole{lease.begin - shift, lease.end - shift};
  if (whole.begin < 0 || whole.end > plan.positions()) leave(HOSTLER_ERROR);
  Claims &claims = runtime_.claims();
  claims.lend({lease.id, &plan, whole, shift, start_.may_split && lease.kind != InputKind::File,
               lease.saved ? lease.saved->position - shift : whole.begin});
  std::int64_t position = whole.begin;
  while (const auto span = claims.next_slice(runtime_, position)) {
    if (runtime_.stop_word() != 0) {
      tell(LeaseEnded{lease.id, position + shift});
      leave(0);
    }
    const Next next = run_slice(lease, *span, shift);
    position = claims.covered(*span).slice.end;
    page_.set_done_up_to(position + shift);
    page_.set_stage(Stage::Idle);
    if (next == Next::EndLease) break;
  }
  tell(LeaseEnded{lease.id, position + shift});
}

hostler_slice_t JobLoop::slice_of(const Lease &lease, const SliceSpan &span, std::int64_t shift) const {
  hostler_slice_t slice{};
  slice.index = lease.first_index + span.index;
  slice.count = lease.plan_count;
  slice.attempt = lease.attempt;
  slice.kind = static_cast<std::int32_t>(lease.kind);
  slice.input = lease.first_input + span.input;
  if (has_files(lease.kind)) slice.path = lease.inputs[static_cast<std::size_t>(span.input)].path.c_str();
  if (lease.kind == InputKind::Items) slice.items = items_.data() + (span.begin - lease.items_first);
  slice.begin = span.begin;
  slice.end = span.end;
  slice.unit = lease.unit;
  slice.resume = span.begin;
  if (lease.saved) {
    slice.resume = span.begin + lease.saved->position - (span.global.begin + shift);
    slice.checkpoint = lease.saved->data.data();
    slice.checkpoint_size = static_cast<std::int64_t>(lease.saved->data.size());
  }
  return slice;
}

JobLoop::Next JobLoop::run_slice(const Lease &lease, const SliceSpan &span, std::int64_t shift) {
  const Interval global{span.global.begin + shift, span.global.end + shift};
  const hostler_slice_t slice = slice_of(lease, span, shift);
  page_.begin_slice(global.begin, slice.resume);
  const Input *input = has_files(lease.kind) ? &lease.inputs[static_cast<std::size_t>(span.input)] : nullptr;
  if (input != nullptr)
    if (std::string change = input_change(*input); !change.empty()) return refuse_changed(lease, global, change);

  Claims &claims = runtime_.claims();
  claims.enter(span, lease.unit, slice.resume);
  const auto *entered =
      runtime_.enter(Inside::Slice, slice, {static_cast<std::int32_t>(slice.input), slice.begin, lease.id, false});
  runtime_.work_on({lease.id, global.begin, global.begin - span.begin, input, lease.saved.has_value()});
  if (lease.saved)
    if (auto restored = runtime_.files().restore(lease.saved->attempt_dir, lease.saved->files); !restored) {
      runtime_.leave();
      runtime_.files().close();
      return refuse_saved(lease, global, restored.error());
    }
  const std::int32_t returned = returned_to_worker(page_, runtime_, hostler_call_run(plugin_.run, entered));
  const Claims::Covered covered = claims.covered(span);
  return settle(lease, {global.begin, covered.slice.end + shift}, returned, covered.claimed_to + shift, input);
}

void JobLoop::run_merge(const Lease &lease) {
  page_.begin_slice(lease.begin, 0);
  hostler_slice_t slice{};
  slice.count = lease.plan_count;
  slice.attempt = lease.attempt;
  slice.kind = HOSTLER_NONE;
  slice.unit = 1;
  const Interval global{lease.begin, lease.end};
  const auto refuse = [&](std::int32_t returned, bool io_failed, std::string why) {
    SliceEnded ended;
    ended.lease = lease.id;
    ended.slice = global;
    ended.returned = returned;
    ended.io_failed = io_failed;
    ended.reason = words(std::move(why));
    tell(ended);
  };
  auto results = MergeResults::open(lease.merge_input);
  if (plugin_.merge == nullptr) {  // a replay may ask for it all the same
    refuse(HOSTLER_BAD_CONFIG, false, "the plugin has no merge()");
  } else if (!results) {
    refuse(HOSTLER_RETRY_LATER, true, results.error().text());
  } else {
    runtime_.claims().enter({}, 1, 0);  // it has nothing to claim
    const auto *entered = runtime_.enter(Inside::Merge, slice, {0, 0, lease.id, true});
    const std::int32_t returned =
        returned_to_worker(page_, runtime_, hostler_call_merge(plugin_.merge, entered, (*results)->table()));
    settle(lease, global, returned, global.end, nullptr);
  }
  page_.set_stage(Stage::Idle);
  tell(LeaseEnded{lease.id, lease.end});
}

// Where its checkpoint had written it is not as it was.
JobLoop::Next JobLoop::refuse_saved(const Lease &lease, Interval global, const Error &error) {
  SliceEnded ended;
  ended.lease = lease.id;
  ended.slice = global;
  ended.returned = HOSTLER_RETRY_LATER;
  (error.may_pass ? ended.io_failed : ended.saved_lost) = true;
  ended.no_room = runtime_.files().has_met_full_disk();
  ended.reason = words(error.may_pass ? error.text() : error.text() + "; the slice begins anew");
  tell(ended);
  return Next::EndLease;
}

JobLoop::Next JobLoop::refuse_changed(const Lease &lease, Interval global, std::string change) {
  SliceEnded ended;
  ended.lease = lease.id;
  ended.slice = global;
  ended.returned = HOSTLER_BAD_DATA;
  ended.input_changed = true;
  ended.reason = words(std::move(change));
  tell(ended);
  return Next::EndLease;
}

JobLoop::Next JobLoop::settle(const Lease &lease, Interval global, std::int32_t returned, std::int64_t claimed_to,
                              const Input *input) {
  page_.set_stage(Stage::Settling);
  std::string change = input != nullptr ? input_change(*input) : std::string();
  const bool claimed = runtime_.claims().called();
  const bool whole = !claimed || claimed_to == global.end;
  // What a refused claim has cut short is not the rules' to judge.
  const bool cut_short = returned == HOSTLER_DONE && !whole && runtime_.claims().refused() != StopWord::GoOn;
  const CountedCode *rule = cut_short ? nullptr : rule_for(returned);
  std::int32_t counted = rule != nullptr ? rule->counts_as : returned;
  if (change.empty() && counted == HOSTLER_DONE && whole && runtime_.left_nothing()) return Next::GoOn;

  SliceEnded ended;
  ended.lease = lease.id;
  ended.slice = global;
  ended.returned = returned;
  if (rule != nullptr) {
    ended.rule = rule->rule;
    ended.counts_as = counted;
  }
  ended.claimed = claimed;
  ended.claimed_to = claimed_to;
  ended.refused = runtime_.claims().refused();
  ended.signalled = runtime_.signalled();
  runtime_.take(ended);
  ended.attempt_dir = runtime_.files().dir();
  if (auto intact = runtime_.files().check(); counted == HOSTLER_DONE && !intact) {
    ended.returned = counted = HOSTLER_ERROR;
    ended.rule = -1;
    ended.reason = words(intact.error().text());
  }
  if (counted == HOSTLER_DONE && change.empty()) make_durable(ended);
  const bool yields_at_full_disk = counted == HOSTLER_YIELD && runtime_.files().has_met_full_disk();
  if (may_be_want_of_room(counted) || yields_at_full_disk) look_for_room(ended);
  runtime_.files().close();
  if (!change.empty()) {
    ended.input_changed = true;
    ended.reason = words(std::move(change));
  }
  const bool goes_on = !ended.input_changed && !ended.no_room;
  tell(std::move(ended));
  if (!keeps_process(counted)) {
    page_.set_returned(returned);
    ::_exit(returned);
  }
  return goes_on ? Next::GoOn : Next::EndLease;
}

void JobLoop::make_durable(SliceEnded &ended) {
  ended.files = runtime_.files().names();
  const auto synced = runtime_.files().sync();
  if (synced) return;
  ended.io_failed = true;
  ended.no_room = runtime_.files().has_met_full_disk();
  ended.reason = words(synced.error().text());
}

void JobLoop::look_for_room(SliceEnded &ended) {
  const auto full = runtime_.files().want_of_room();
  if (!full) return;
  ended.io_failed = ended.no_room = true;
  ended.reason = words(full->text() + (ended.reason.empty() ? "" : ": " + ended.reason));
}

void JobLoop::tell(const WorkerMessage &message) {
  if (channel_.send(message)) return;
  const Unheard why = why_unheard(errno);
  page_.set_stage(Stage::Running);  // a verdict that nobody heard does not stand
  page_.forget_place();
  page_.set_reason(why.words);
  ::_exit(HOSTLER_ERROR);
}

void JobLoop::leave(int code) {
  page_.set_stage(Stage::Idle);
  ::_exit(code);
}

}  // namespace hostler
