// SPDX-License-Identifier: Apache-2.0
//
// `worker`: an OS thread that runs fibers. It is the executor of all waits of its fibers.
//
//        spawn                     wake, on this thread        wake, spawn, from elsewhere
//          |                            |                            |
//   [ unstarted_ ]  <- thieves     [ ready_ ]                  [ inbox, arriving_ ]
//       \                |             |                             |
//        newest child    oldest        FIFO                          look(): to the others
//
//   I1  A fiber runs on the worker that ran it first, and only there (F-5). Only unstarted ones are
//       taken by others.
//   I2  A fiber that waits, yields or ends switches straight to the next one (switch_to.hpp). The
//       worker's own stack is for timers, descriptors, inboxes and sleep.
//   I3  The stack of a fiber that ended goes back when the next one has arrived, and its end is
//       published after that: the last access to its record. A joiner of this worker may be
//       committed before, since it runs after.
//   I4  Turns (IO-7, IO-8): whoever waits hands on to its newest unstarted child; whoever ends, to
//       whom it woke, else to its youngest unstarted sibling. After `turns_max` switches there is a
//       round: each fiber that was ready then, once, without such hand-offs, and then the oldest
//       unstarted one.
//   I5  Before it sleeps, a worker says so, and then looks at everything again. Whoever brings
//       something for it does so first, and then asks whether it sleeps. Both ask by an exchange of
//       one word, or with a fence between the two steps, so one of them sees the other, and no wake
//       is lost (IO-9).
#pragma once

#include "bast/cancel.hpp"
#include "bast/io/epoll_backend.hpp"
#include "bast/io/event_loop.hpp"
#include "bast/lockfree.hpp"
#include "bast/sched/options.hpp"
#include "bast/sched/slab.hpp"

namespace bast::inline BAST_ABI::internal {

class runtime_core;

/// Workers that take each other's unstarted fibers.
struct worker_group {
  const char* name = nullptr;
  std::size_t first = 0;
  std::size_t count = 0;
  scheduling threads = scheduling::normal;
  padded<std::atomic<std::uint32_t>> sleepers;
  // 1 while a worker that was woken to search has not begun to.
  padded<std::atomic<std::uint32_t>> searching;
};

/// A number that one thread counts and others read.
class tally {
 public:
  void add() noexcept {
    // Release: pairs with the acquire in read(). One writer.
    value_.store(value_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  std::uint64_t read() const noexcept {
    // Acquire: pairs with the release in add().
    return value_.load(std::memory_order_acquire);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};

class worker final : public executor {
 public:
  static constexpr std::int32_t turns_max = 256;
  static constexpr std::int32_t switches_per_look = 61;  // a prime, as in Go: no resonance

  worker(runtime_core& core, worker_group& group, std::size_t index) noexcept;
  worker(const worker&) = delete;
  worker& operator=(const worker&) = delete;
  ~worker();

  /// On any thread, before open(). Errors: no_memory.
  [[nodiscard]] result<void> prepare() noexcept;
  /// On its thread: from here on it is this_worker. Errors: those of stack_pool::init, and of
  /// epoll_backend::create.
  [[nodiscard]] result<void> open() noexcept;
  /// On its thread, when its fibers have ended.
  void close() noexcept;
  /// Runs fibers until the runtime stops.
  void loop() noexcept;
  /// One slice for a guest: at most `switches_per_look` switches after a look that waits until
  /// `until_ns` if nothing is ready.
  void turn(std::uint64_t until_ns) noexcept;

  // --- for spawn; on this thread -----------------------------------------------------------------

  record_slab& slab() noexcept { return *slab_; }
  fiber_record* running() const noexcept { return running_; }
  runtime_core& core() const noexcept { return core_; }
  worker_group& group() const noexcept { return group_; }
  /// Makes room for one more. False: no memory.
  [[nodiscard]] bool reserve() noexcept { return unstarted_.reserve(); }
  /// After reserve(): the fiber is complete.
  void submit(fiber_record& f) noexcept {
    count_spawn(f);
    (void)unstarted_.push(&f);
    if (group_.count > 1) tell_thieves();
  }
  /// The same, and no other worker takes it.
  void submit_own(fiber_record& f) noexcept {
    count_spawn(f);
    keep(f);
    may_start_own_ = true;
  }
  void count_spawn(const fiber_record& f) noexcept {
    spawned_.add();
    if (f.is_daemon) [[unlikely]]
      daemons_spawned_.add();
  }
  /// Frees a record that is not used any more, of whichever worker.
  void give_back(fiber_record& unused) noexcept;

  // --- for fibers --------------------------------------------------------------------------------

  void yield();
  void wake(ready_link& who) noexcept override;
  void park(ready_link& who) override;
  void forget(ready_link& who, bool woken) noexcept override;

  // --- any thread --------------------------------------------------------------------------------

  /// An unstarted fiber for this worker's group.
  void submit_from_elsewhere(fiber_record& f) noexcept;
  /// Ends its sleep, if it sleeps.
  void ring() noexcept;
  std::uint64_t spawned() const noexcept { return spawned_.read(); }
  std::uint64_t ended() const noexcept { return ended_.read(); }
  std::uint64_t daemons_spawned() const noexcept { return daemons_spawned_.read(); }
  std::uint64_t daemons_ended() const noexcept { return daemons_ended_.read(); }
  event_loop& events() noexcept { return *loop_; }
  std::size_t index() const noexcept { return index_; }
  /// After close(): ends the slab, which lives on while handles hold its records.
  void end_slab() noexcept;

 private:
  struct root_registration : cancel_registration {
    explicit root_registration(worker& of) noexcept : cancel_registration(fired), who(of) {}
    static void fired(real_record& record, const cancel_reason&) noexcept;
    worker& who;
  };
  struct storage;

  coro_block* pick(const fiber_record* parent) noexcept;
  coro_block* pick_fairly() noexcept;
  coro_block* resume(ready_link& link) noexcept {
    BAST_ASSERT(link.parked);
    running_ = static_cast<fiber_record*>(link.fiber);
    return link.coroutine;
  }
  coro_block* start(fiber_record& f) noexcept;
  coro_block* start_oldest() noexcept;
  coro_block* start_own() noexcept;
  void keep(fiber_record& unstarted) noexcept {
    unstarted.next = nullptr;
    (own_ != nullptr ? last_own_->next : own_) = &unstarted;
    last_own_ = &unstarted;
  }
  coro_block* steal() noexcept;
  void switch_away(fiber_record& me, const fiber_record* hands_on_to) noexcept;
  bool run_one() noexcept;
  void look(std::uint64_t until_ns) noexcept;
  void collect() noexcept;
  void sleep() noexcept;
  bool has_something() const noexcept;
  void tell_thieves() noexcept;
  void wake_thief() noexcept;
  void cancel_waits() noexcept;

  static void enter(arch::context* self) noexcept;
  [[noreturn]] void end(fiber_record& f) noexcept;
  void publish_to_own(fiber_record& f) noexcept;
  void take_back(fiber_record& f) noexcept;
  void fail_start(fiber_record& f, const error& why) noexcept;
  void publish(fiber_record& f) noexcept;
  void count_end(bool is_daemon) noexcept;

  // Hot, in the order of use.
  fiber_record* running_ = nullptr;
  ready_link* handoff_ = nullptr;  // woken by the fiber that ends (I4)
  bool is_ending_ = false;
  bool is_published_ = false;       // the end of the fiber that ended last (I3)
  std::int32_t turns_ = turns_max;  // until the next round
  std::int32_t switches_ = switches_per_look;
  std::ptrdiff_t round_ = -1;  // fibers of the round still to run; -1: there is none
  basic_ready_list<os::real_atomics> ready_;
  work_deque<fiber_record*> unstarted_;
  fiber_record* fibers_ = nullptr;  // started and not ended, the newest first
  // Unstarted, and for this worker alone, oldest first: main, and those for which no stack was left.
  // These are tried again when one comes back.
  fiber_record* own_ = nullptr;
  fiber_record* last_own_ = nullptr;
  bool may_start_own_ = false;
  fiber_record* ended_to_loop_ = nullptr;
  record_slab* slab_ = nullptr;
  basic_remote_free<fiber_record> remote_;
  stack_pool stacks_;
  coro_attachment root_;
  tally spawned_, ended_, daemons_spawned_, daemons_ended_;

  runtime_core& core_;
  worker_group& group_;
  std::size_t index_;
  std::size_t next_victim_;
  epoll_backend* backend_ = nullptr;
  std::optional<event_loop> loop_;
  root_registration registration_;
  // What the thread had before.
  executor* outer_scheduler_ = nullptr;
  void (*outer_recycle_)(coro_block&) noexcept = nullptr;

  // What others write.
  basic_inbox<fiber_record> arriving_;
  padded<std::atomic<bool>> sleeping_;
  std::atomic<bool> cancel_posted_{false};
};

/// The worker of the calling thread, or null.
extern constinit thread_local worker* this_worker;

}  // namespace bast::inline BAST_ABI::internal
