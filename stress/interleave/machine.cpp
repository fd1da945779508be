// SPDX-License-Identifier: Apache-2.0
#include "interleave/machine.hpp"

#include <atomic>
#include <bit>
#include <exception>
#include <span>
#include <utility>

namespace bast::interleave::internal {

namespace {

// Rounds in which all threads relax and change nothing, before that counts as a livelock.
constexpr std::uint64_t idle_rounds_max = 1000;

// Schedules are numbered across the process, to recognise an object of an earlier one.
std::atomic<std::uint64_t> schedules_so_far = 0;
constinit thread_local machine* of_this_thread = nullptr;

constexpr std::uint32_t bit(unsigned thread) noexcept { return std::uint32_t{1} << thread; }

}  // namespace

machine* machine::current() noexcept { return of_this_thread; }

machine::machine(const options& chosen, coro_pool& pool)
    : options_(chosen), pool_(pool), schedule_(chosen) {
  BAST_CHECK(of_this_thread == nullptr, "explore() was called by what it explores");
  of_this_thread = this;
}

machine::~machine() { of_this_thread = nullptr; }

// --- a schedule ----------------------------------------------------------------------------------

bool machine::run_schedule(const std::function<void(interleave::world&)>& test) {
  begin_schedule(test);
  while (next_ != nobody) resume(next_);
  if (!failure_.empty()) wind_up();
  if (impossible_) failure_.clear();  // Not even its end was clean.
  return failure_.empty();
}

void machine::begin_schedule(const std::function<void(interleave::world&)>& test) {
  number_ = ++schedules_so_far;
  schedule_.begin();
  trace_.clear();
  mode_ = mode::exploring;
  spawned_ = unfinished_ = 0;
  ready_ = relaxing_ = 0;
  fences_.clear();
  open_loads_.clear();
  impossible_ = false;
  departed_ = departure::none;
  steps_ = changes_ = idle_rounds_ = idle_since_ = 0;
  objects_ = 0;
  failure_ = schedule_.complaint();
  next_ = failure_.empty() ? 0 : nobody;
  for (unsigned i = 1; i < threads_max; ++i) threads_[i].state = life::unused;
  add(0, [this, &test] {
    interleave::world w(*this);
    test(w);
  });
  ready_ = bit(0);
  threads_[0].state = life::ready;
}

void machine::add(unsigned thread, std::function<void()> work) {
  virtual_thread& t = threads_[thread];
  if (t.body.state() == coro_state::free) {
    auto body = pool_.acquire();
    BAST_CHECK(body.has_value(), "no memory for a virtual thread");
    t.body = std::move(*body);
  }
  t.work = std::move(work);
  t.state = life::spawned;
  t.started = false;
  t.has_turn = true;
  t.seen = t.released = t.acquired = {};
  t.seen.at[thread] = 1;
  t.failed_spuriously = t.woke_spuriously = t.saw_an_old_value = false;
  t.accesses = t.looked_at = t.own_changes = t.fresh = 0;
}

void machine::spawn(std::function<void()> work) {
  if (mode_ != mode::exploring) return step_after_failure();
  if (running_ != 0 || spawned_ + 1 == threads_max) {
    return fail(running_ != 0 ? "a spawned thread spawns: only the test itself may"
                              : "a ninth thread: eight are all there are");
  }
  add(++spawned_, std::move(work));
}

void machine::run() {
  if (mode_ != mode::exploring) return step_after_failure();
  if (running_ != 0) return fail("a spawned thread calls run(): only the test itself may");
  virtual_thread& test = me();
  for (unsigned i = 1; i <= spawned_; ++i) {
    virtual_thread& t = threads_[i];
    if (t.state != life::spawned) continue;
    t.state = life::ready;
    t.seen.join(test.seen);
    t.looked_at = changes_;
    ready_ |= bit(i);
    ++unfinished_;
  }
  if (unfinished_ == 0) return;
  test.state = life::joining;
  ready_ &= ~bit(0);
  pass_on(true);
  give_way();
  (void)proves_nothing();
  for (unsigned i = 1; i <= spawned_; ++i) test.seen.join(threads_[i].seen);
}

void machine::resume(unsigned thread) {
  BAST_ASSERT(mode_ != mode::exploring || (ready_ & bit(thread)) != 0);  // I1
  virtual_thread& t = threads_[thread];
  running_ = thread;
  t.started = true;
  inside_ = true;
  const bool fresh = t.body.state() == coro_state::ready;
  const auto went =
      fresh ? t.body.start("virtual thread", [this, thread](yielder<>& out) { serve(thread, out); })
            : t.body.resume();
  inside_ = false;
  BAST_CHECK(!went.failed(), "a virtual thread can always continue");
}

// The body of a coroutine: one thread of one schedule after the other.
void machine::serve(unsigned thread, yielder<>& out) {
  virtual_thread& t = threads_[thread];
  t.out = &out;
  while (true) {
    try {
      t.work();
    } catch (const stopped&) {  // NOLINT(bugprone-empty-catch): it has done its work
    } catch (const std::exception& e) {
      record("thread " + std::to_string(thread) + " ended with an exception: " + e.what());
    } catch (...) {
      record("thread " + std::to_string(thread) + " ended with an exception");
    }
    t.work = nullptr;
    ended();
    out.yield();
  }
}

void machine::ended() {
  me().state = life::finished;
  if (mode_ != mode::exploring || !failure_.empty()) return;
  ready_ &= ~bit(running_);
  if (running_ == 0) {
    next_ = nobody;
    for (unsigned i = 1; i <= spawned_; ++i) {
      if (threads_[i].state == life::spawned) return record("spawned threads were never run");
    }
  } else if (--unfinished_ == 0) {
    next_ = 0;
    threads_[0].state = life::ready;
    ready_ = bit(0);
  } else {
    pass_on(true);
  }
}

// --- the turn ------------------------------------------------------------------------------------

bool machine::goes_on_too_long() {
  if (++steps_ <= options_.steps) [[likely]]
    return false;
  record("more than " + std::to_string(options_.steps) +
         " accesses: a livelock, or a loop that needs relax()");
  rest();
  return true;
}

void machine::step() {
  if (mode_ != mode::exploring) return step_after_failure();
  if (goes_on_too_long()) return;
  ++me().accesses;
  const bool has_turn = std::exchange(me().has_turn, false);
  const bool alone = (ready_ | relaxing_) == bit(running_);
  if (has_turn || alone) return;
  pass_on(false);
  give_way();
}

std::uint32_t machine::able_to_go_on() const noexcept {
  std::uint32_t able = ready_;
  for (std::uint32_t rest = relaxing_; rest != 0; rest &= rest - 1) {
    const auto i = static_cast<unsigned>(std::countr_zero(rest));
    if (others_changes(threads_[i]) != threads_[i].looked_at) able |= bit(i);
  }
  return able;
}

// Picks next_. `leaving`: the running thread gives its turn away, so that taking it is not a
// preemption.
void machine::pass_on(bool leaving) {
  std::uint32_t able = able_to_go_on();
  if (able == 0 && relaxing_ != 0) {
    // A thread that spins a bounded number of times must reach the end. In turns, unexplored:
    // nothing changes meanwhile.
    if (idle_since_ != changes_) idle_rounds_ = 0;
    idle_since_ = changes_;
    if (++idle_rounds_ <= idle_rounds_max) {
      const std::uint32_t later = relaxing_ & ~(bit(running_ + 1) - 1);
      const std::uint32_t from = later != 0 ? later : relaxing_;
      able = bit(static_cast<unsigned>(std::countr_zero(from)));
    }
  }
  if (able == 0) return record("no thread can continue: " + who_waits());

  BAST_ASSERT(failure_.empty());  // I2
  std::array<std::uint8_t, threads_max> order;
  std::size_t count = 0;
  const bool preempts = !leaving && (able & bit(running_)) != 0;
  if (preempts) order[count++] = static_cast<std::uint8_t>(running_);
  for (std::uint32_t rest = able & ~bit(running_); rest != 0; rest &= rest - 1) {
    order[count++] = static_cast<std::uint8_t>(std::countr_zero(rest));
  }
  if (!preempts && (able & bit(running_)) != 0) {
    order[count++] = static_cast<std::uint8_t>(running_);
  }
  std::size_t taken = 0;
  if (count > 1 && !impossible_) {
    taken = schedule_.choose_thread(std::span(order).first(count), preempts, steps_);
    if (!schedule_.complaint().empty()) return record(schedule_.complaint());
  }
  next_ = order[taken];
  if ((relaxing_ & bit(next_)) != 0) {
    relaxing_ &= ~bit(next_);
    ready_ |= bit(next_);
    threads_[next_].state = life::ready;
  }
}

void machine::give_way() {
  if (next_ != running_) rest();
}

// Gives the turn to the hub. Throws if this thread can only end by unwinding.
void machine::rest() {
  me().out->yield();
  if (mode_ == mode::unwinding) throw stopped{};
}

void machine::sleep(const cell& word, const place& where) {
  if (mode_ == mode::unwinding) return;
  virtual_thread& t = me();
  t.state = life::asleep;
  t.asleep_on = &word;
  t.woke_spuriously = false;
  t.word = word.name();
  t.waits_at = where;
  if (mode_ == mode::exploring) {
    ready_ &= ~bit(running_);
    t.has_turn = true;
    pass_on(true);
  }
  rest();
}

void machine::wake(const void* word, bool everybody) {
  std::array<unsigned, threads_max> sleepers;
  std::size_t count = 0;
  for (unsigned i = 0; i <= spawned_; ++i) {
    if (threads_[i].state == life::asleep && threads_[i].asleep_on == word) sleepers[count++] = i;
  }
  if (count == 0) return;
  std::size_t first = 0;
  if (!everybody) {
    if (count > 1 && mode_ == mode::exploring && !impossible_) {
      first = schedule_.choose(count);
      if (!schedule_.complaint().empty()) return fail(schedule_.complaint());
    }
    count = first + 1;
  }
  for (std::size_t i = first; i < count; ++i) {
    threads_[sleepers[i]].state = life::ready;
    ready_ |= bit(sleepers[i]);
  }
}

// A thread that checks again before any change gets the same result. So it waits for a change since
// it began to check.
void machine::relax(const place& where) {
  if (mode_ != mode::exploring) return step_after_failure();
  if (goes_on_too_long()) return;
  virtual_thread& t = me();
  remember({}, {operation::relax, std::memory_order::relaxed, where}, 0, 0);
  t.state = life::relaxing;
  t.waits_at = where;
  t.fresh = steps_;
  // Another one than the count can be: it continues at once.
  if (std::exchange(t.saw_an_old_value, false)) t.looked_at = others_changes(t) - 1;
  ready_ &= ~bit(running_);
  relaxing_ |= bit(running_);
  t.has_turn = true;
  pass_on(true);
  give_way();
  t.looked_at = others_changes(t);
}

}  // namespace bast::interleave::internal
