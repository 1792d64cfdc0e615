// A service: `count` workers that run for as long as they like; worker i gets slice i of count.
#pragma once

#include <utility>

#include "entry.h"

namespace hostler {

class Service final : public Entry {
 public:
  Service(Surroundings &around, PreparedEntry prepared) : Entry(around, std::move(prepared)), weigh_(around.timers) {}

  void start() override;
  void update(PreparedEntry prepared, bool replace) override;
  void scale(std::int32_t count) override;
  void on_message(WorkerId worker, const WorkerMessage &message) override;
  void on_exit(WorkerId worker, const WaitStatus &status, const WorkerPart &page) override;
  [[nodiscard]] bool is_up() const override;
  [[nodiscard]] bool has_failed() const override;

 private:
  [[nodiscard]] bool drains() const override { return false; }
  void fill_start(Start &start) const override;
  [[nodiscard]] bool has_work(const Slot &) const override { return true; }
  void gave_up(Slot &) override {}  // its neighbours go on
  void fill_up();
  void keep_weighing();
  void weigh_all();
  TimerQueue::Timer weigh_;  // the next look at the memory of all of them; not set without `recycle:`
};

}  // namespace hostler
