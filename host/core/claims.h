// What a worker has claimed of its lease, and what it gives away when the host wants it to stop or asks for a share: the
// worker's half of the protocol, whose other half is Job::cut(). Pure: the shared page and the channel are handed in.
//
// The host writes two words into the page and never waits: why the worker should stop, and how often it has asked for a
// share of its lease. Only the worker moves the end of its lease, at a claim or between two slices, so there is no race
// for it: what it has claimed stays its own, and what lies behind the cut it has not begun and never will. It tells the
// host with a LeaseCut, before anything else that it tells of the lease; until the host has read that, nobody else has the
// rest, and a worker that dies first has given away nothing.
//
// A Host is what the words come from and the cut goes to:
//   std::uint64_t wishes()        both words in one load: it changes when one of them does
//   std::uint32_t stop_word()     the highest that stands, in the page or by a signal
//   std::uint32_t shares_asked()  how often the host has asked
//   bool signalled()              a signal has come that no word in the page tells of
//   void tell(const LeaseCut &)
// Positions are those of the lease's own plan, except in claim(), whose are the plugin's. One thread.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <limits>
#include <optional>

#include "core/messages.h"
#include "core/page.h"
#include "core/slicing.h"

namespace hostler {

class Claims {
 public:
  struct Lent {
    std::uint64_t id = 0;
    const Manifest *plan = nullptr;  // of the lease's own inputs; must stay
    Interval whole;                  // its end comes nearer when a part is given away
    std::int64_t shift = 0;          // plus this: global
    bool may_split = false;          // inside a slice too
    std::int64_t resume = 0;         // all before it is done: no cut lies there
  };
  // A slice as its worker is through with it: it may have given away its end.
  struct Covered {
    Interval slice;
    std::int64_t claimed_to = 0;
  };

  void lend(const Lent &lent) { lent_ = lent; }

  // The slice of the lease that begins at `position`, or nothing: the lease ends there. First a part of what follows goes
  // away, if the host has asked.
  template <typename Host>
  [[nodiscard]] std::optional<SliceSpan> next_slice(Host &host, std::int64_t position);
  // The plugin is about to work on this slice, from `resume` on: its begin, or where its last checkpoint stood, as the
  // plugin counts.
  void enter(const SliceSpan &slice, std::int64_t unit, std::int64_t resume);
  // The plugin's claim: the end that is granted; `from` when nothing is; -EINVAL.
  template <typename Host>
  std::int64_t claim(Host &host, std::int64_t from, std::int64_t to);
  // The same for nearly every claim: it goes on where the last one ended, stays short of the slice's end, and the host
  // wants nothing new. Then it is granted as it stands. False: nothing has happened, claim() knows more. It is called for
  // every record and meant to be inlined: a few compares, no call.
  template <typename Host>
  [[nodiscard]] bool grant(Host &host, std::int64_t from, std::int64_t to);
  // The plugin has returned: grant() grants nothing until claim() has granted something of the next slice.
  void close() { open_ = kClosed; }
  // May a segment end there, as the plugin counts: behind the last one, within what is granted? Without any claim the
  // whole slice counts as granted.
  [[nodiscard]] bool may_checkpoint(std::int64_t position) const;
  void checkpointed(std::int64_t position);
  // May [begin, end) be skipped? In a file a record may go on behind what is granted, up to `last`.
  [[nodiscard]] bool may_skip(std::int64_t begin, std::int64_t end, std::int64_t last) const;
  // After the plugin has returned.
  [[nodiscard]] Covered covered(const SliceSpan &slice) const;

  [[nodiscard]] bool called() const { return called_; }
  // Why a claim short of the slice's end was refused.
  [[nodiscard]] StopWord refused() const { return refused_; }

 private:
  template <typename Host>
  std::int64_t answer(Host &host, std::int64_t from, std::int64_t to, std::uint64_t wishes);
  template <typename Host>
  void give_share(Host &host, std::int64_t from, Interval slice);
  template <typename Host>
  void cut(Host &host, std::int64_t at);
  [[nodiscard]] std::int64_t granted() const { return called_ ? next_ : end_; }
  [[nodiscard]] std::int64_t share_begin(std::int64_t from, Interval slice) const;
  std::int64_t refuse(std::int64_t from, StopWord word) {
    refused_ = word;
    return from;
  }

  static constexpr std::int64_t kClosed = std::numeric_limits<std::int64_t>::min();

  // What grant() looks at lies together; positions are as the plugin counts.
  std::int64_t next_ = 0;        // where the next claim must begin
  std::int64_t open_ = kClosed;  // what ends before it grant() may grant: the slice's end, or kClosed
  std::int64_t unit_ = 1;
  std::uint64_t answered_ = 0;  // the wishes that no claim need look at any more
  std::int64_t begin_ = 0;
  std::int64_t checkpoint_ = 0;  // where the last one stood, or the slice begins
  std::int64_t end_ = 0;
  std::int64_t shift_ = 0;  // plus this: a position of the lease's plan
  bool called_ = false;
  StopWord refused_ = StopWord::GoOn;
  std::uint32_t shares_given_ = 0;
  Lent lent_;
};

template <typename Host>
std::optional<SliceSpan> Claims::next_slice(Host &host, std::int64_t position) {
  if (position >= lent_.whole.end) return std::nullopt;
  if (host.shares_asked() != shares_given_)
    give_share(host, std::max(position, lent_.resume), lent_.plan->slice_at(position, lent_.whole).global);
  return lent_.plan->slice_at(position, lent_.whole);
}

template <typename Host>
bool Claims::grant(Host &host, std::int64_t from, std::int64_t to) {
  if (from != next_ || to <= from || to >= open_) return false;
  if (unit_ != 1) [[unlikely]]
    if (to - from != unit_) return false;
  if (host.wishes() != answered_ || host.signalled()) return false;
  next_ = to;
  return true;
}

template <typename Host>
std::int64_t Claims::claim(Host &host, std::int64_t from, std::int64_t to) {
  called_ = true;
  if (from != next_ || to <= from) return -EINVAL;
  if (to >= end_) {
    if (from == end_) return from;
    to = end_;
  } else if (to - from != unit_ && (to - begin_) % unit_ != 0) {
    return -EINVAL;
  }
  const std::uint64_t wishes = host.wishes();
  if (wishes != answered_ || host.signalled()) {
    to = answer(host, from, to, wishes);
    if (to == from) return from;
  }
  next_ = to;
  open_ = end_;
  return to;
}

// The host wants something that no claim has heard of yet. The end of what is granted; `from` for nothing.
//
// Whoever is asked to stop keeps what is claimed and gives away the rest, where slices may be cut; with nothing claimed,
// or where they may not, the slice goes back whole once the word is CANCEL. A deadline is the slice's own fault.
template <typename Host>
std::int64_t Claims::answer(Host &host, std::int64_t from, std::int64_t to, std::uint64_t wishes) {
  const std::uint32_t stop = host.stop_word();
  if (stop >= static_cast<std::uint32_t>(StopWord::Deadline)) return refuse(from, StopWord::Deadline);
  const auto word = static_cast<StopWord>(stop);
  if (word != StopWord::GoOn && lent_.may_split && from != begin_) {
    cut(host, from + shift_);
    return from;
  }
  if (word == StopWord::Cancel || (word == StopWord::Drain && lent_.may_split)) return refuse(from, StopWord::Cancel);
  if (host.shares_asked() != shares_given_) give_share(host, to + shift_, {begin_ + shift_, end_ + shift_});
  answered_ = wishes;
  return to;
}

// What lies before `from` is claimed, or was in slices before; `slice` is in work or comes next.
template <typename Host>
void Claims::give_share(Host &host, std::int64_t from, Interval slice) {
  shares_given_ = host.shares_asked();
  const std::int64_t at = share_begin(from, slice);
  if (at < lent_.whole.end) cut(host, at);
}

template <typename Host>
void Claims::cut(Host &host, std::int64_t at) {
  lent_.whole.end = at;
  if (at - shift_ < end_) end_ = at - shift_;
  close();
  host.tell(LeaseCut{lent_.id, at + lent_.shift});
}

}  // namespace hostler
