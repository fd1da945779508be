// SPDX-License-Identifier: Apache-2.0
//
// `machine`: virtual threads and the turn. Thread 0 is the test itself.
//
//   hub: resumes next_ ──> thread runs to its next access ──> pass_on() picks next_
//     ^                                                            │ itself: continues, no switch
//     └──────────────────────── yields ────────────────────────────┘ another one
//
//   I1  Exactly the threads in ready_ can continue; those in relaxing_ when something has changed.
//   I2  Once a schedule has failed, no thread makes another choice.
//
// A failed schedule leaves threads unfinished. They are ended in two steps: first each continues,
// unwatched, as long as it can, because returning is the best end; then those that still wait are
// unwound with an exception. If a noexcept function is in its way, or it waits in a destructor, its
// stack is abandoned: kept, with all that it owns, until the process ends.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "bast/coro.hpp"
#include "interleave/cell.hpp"
#include "interleave/explore.hpp"
#include "interleave/schedule.hpp"
#include "interleave/trace.hpp"

namespace bast::interleave::internal {

// Load buffering: C++ lets a load that is not seq_cst read a value that another thread stores only
// afterwards, if the load does not happen before that store:
//
//   thread 1: a = x; y = 1;      thread 2: b = y; x = 1;      all relaxed: both may read 1
//
// Here a load runs before such a store, whose value is not known yet. But a later schedule with the
// same choices comes to the same store. So each store foresees its value for the loads that could
// have read it. A schedule in which a load takes that value has promised that the store follows;
// without it the schedule is no execution. It is run to its end, without further choices, so that
// the test cleans up; what fails in it is no failure.
//
//   I3  A load is open until its thread accesses the object again or runs a fence.
//   I4  A store can be read by an open load if it is the latest of its object, no other thread has
//       seen past the load, and the load acquires nothing from it.
//
// Both allow less than the standard: each execution found is one, and some are not found.
struct pending_load {
  const void* object;
  unsigned thread;
  std::uint32_t at;      // of its thread's clock
  bool acquires;         // by its own order
  bool promised;         // that a store of the value follows
  std::uint64_t value;   // what it has read
  std::size_t position;  // of its choice
};

/// Thrown through a virtual thread whose schedule has failed. Not a std::exception.
struct stopped {};

enum class life : std::uint8_t {
  unused,
  spawned,
  ready,
  asleep,    // in wait()
  relaxing,  // until something has changed
  joining,   // in run()
  refusing,  // its check failed: it does not continue
  finished,
  lost,  // its stack is abandoned
};

struct virtual_thread {
  coro<> body;
  yielder<>* out = nullptr;
  std::function<void()> work;
  life state = life::unused;
  bool started = false;
  // It was given the turn and has not used it: its next access need not ask again.
  bool has_turn = false;

  clock seen;      // what happens before its next step
  clock released;  // the same at its last release fence
  clock acquired;  // what an acquire fence would add

  // The object that it waits for.
  const void* asleep_on = nullptr;
  label word;
  place waits_at;

  std::uint64_t accesses = 0;

  // Each at most once in a row, so that a loop around them ends.
  bool failed_spuriously = false;  // a compare_exchange_weak
  bool woke_spuriously = false;    // a wait

  // The accesses of the schedule up to its last relax(); and whether it has seen a value since that
  // is not the latest, so that it would see another one if it checked again.
  std::uint64_t fresh = 0;
  bool saw_an_old_value = false;
  // Changes by others, as counted when it last began to check; and its own.
  std::uint64_t looked_at = 0;
  std::uint64_t own_changes = 0;
};

class machine {
 public:
  machine(const options& chosen, coro_pool& pool);
  machine(const machine&) = delete;
  machine& operator=(const machine&) = delete;
  ~machine();

  /// The machine whose schedule runs on this OS thread, or null.
  static machine* current() noexcept;

  /// Runs one schedule. False if it failed.
  bool run_schedule(const std::function<void(interleave::world&)>& test);
  schedule& choices() noexcept { return schedule_; }
  const std::string& failure() const noexcept { return failure_; }
  const trace& accesses() const noexcept { return trace_; }

  // Requests of a test and its threads.
  void spawn(std::function<void()> work);
  void run();
  void check(bool holds, const char* what, const place& where);
  unsigned running() const noexcept { return running_; }

  // Requests of cells and atomics.
  bool watches() const noexcept { return mode_ == mode::exploring; }
  std::uint64_t schedule_number() const noexcept { return number_; }
  std::uint32_t next_object() noexcept { return ++objects_; }
  virtual_thread& me() noexcept { return threads_[running_]; }
  /// A point where another thread may get the turn.
  void step();
  void sleep(const cell& word, const place& where);
  void wake(const void* word, bool everybody);
  void relax(const place& where);
  /// A choice for which the memory model has more than sequential consistency, which is the first.
  std::size_t depart(std::size_t count, departure how);
  past past_of_access(std::memory_order order) noexcept {
    return {me().seen, fences_, me().fresh, running_, order == std::memory_order::seq_cst};
  }
  void departs(departure how) noexcept { departed_ = how; }
  /// The same for a load that stays open: an index, or with `promised` a value.
  std::uint64_t depart_and_promise(std::size_t count, bool& promised);
  void open_load(const void* object, bool acquires, bool promised, std::uint64_t value);
  /// The running thread accesses the object, or with null runs a fence. I3
  void close_loads(const void* object);
  /// The object has ended.
  void forget_loads(const void* object) noexcept;
  /// The running thread's store, the latest of its object, for all open loads that can read it. I4
  void foresee(const void* object, store& s, std::uint64_t value);
  bool is_possible() const noexcept { return !impossible_; }
  /// False if no other thread could store what this one reads.
  bool may_read_later_stores() const noexcept { return running_ != 0 && unfinished_ > 1; }
  std::uint64_t accesses_of_mine() const noexcept { return threads_[running_].accesses; }
  std::uint64_t steps() const noexcept { return steps_; }
  /// A seq_cst fence of the running thread.
  void add_fence();
  /// Separates what others may have seen from this thread's next actions.
  void tick() noexcept { ++me().seen.at[running_]; }
  /// A value that another thread may be waiting for has changed.
  void changed() noexcept {
    ++changes_;
    ++me().own_changes;
  }
  void remember(const label& object, const access& done, std::uint64_t before,
                std::uint64_t after) noexcept {
    trace_.add({running_, object, done, before, after, std::exchange(departed_, departure::none)});
  }
  /// Ends the schedule with a failure. Returns if the thread is to continue, unwatched, or if the
  /// schedule is no execution.
  void fail(const std::string& what);
  /// The same for a running thread that cannot be unwound. The caller must own nothing.
  [[noreturn]] void lose(const char* what);
  /// True on the stack of a virtual thread.
  bool is_inside() const noexcept { return inside_; }
  /// True if the pool holds an abandoned stack, which must not move.
  bool lost_a_thread() const noexcept { return lost_a_thread_; }

 private:
  static constexpr unsigned nobody = threads_max;
  enum class mode : std::uint8_t { exploring, finishing, unwinding };

  void begin_schedule(const std::function<void(interleave::world&)>& test);
  void add(unsigned thread, std::function<void()> work);
  void resume(unsigned thread);
  void serve(unsigned thread, yielder<>& out);
  void ended();
  void pass_on(bool leaving);
  void rest();
  void give_way();
  void step_after_failure();
  bool goes_on_too_long();
  void record(const std::string& what);
  /// True if what fails now is no failure, because a promise is not kept, or not yet.
  bool proves_nothing() noexcept;
  bool has_promised() const noexcept;
  bool can_read(const pending_load& load, const store& s) const noexcept;
  std::uint32_t able_to_go_on() const noexcept;
  std::uint64_t others_changes(const virtual_thread& t) const noexcept {
    return changes_ - t.own_changes;
  }
  std::string who_waits() const;
  void wind_up();
  void finish();
  void unwind(unsigned thread);

  const options& options_;
  coro_pool& pool_;
  schedule schedule_;
  trace trace_;
  std::array<virtual_thread, threads_max> threads_;

  mode mode_ = mode::exploring;
  bool inside_ = false;  // A virtual thread runs, not the hub.
  bool lost_a_thread_ = false;
  unsigned spawned_ = 0;     // threads of this schedule besides 0
  unsigned unfinished_ = 0;  // those of them that have not ended
  unsigned running_ = 0;
  unsigned next_ = 0;
  std::uint32_t ready_ = 0;     // I1, a bit each
  std::uint32_t relaxing_ = 0;  // I1
  std::vector<clock> fences_;   // what happens before each seq_cst fence and those before it
  std::vector<pending_load> open_loads_;
  bool impossible_ = false;  // A promise was not kept, or something failed before it was.
  departure departed_ = departure::none;  // of the access that is being run, for the trace
  std::uint64_t steps_ = 0;
  std::uint64_t changes_ = 0;
  std::uint64_t idle_rounds_ = 0;  // of threads that all relax
  std::uint64_t idle_since_ = 0;   // the number of changes then
  std::uint64_t number_ = 0;       // of this schedule, in the process
  std::uint32_t objects_ = 0;
  std::string failure_;
};

}  // namespace bast::interleave::internal
