// SPDX-License-Identifier: Apache-2.0
//
// `worker`: an OS thread that runs fibers. It is the executor of all waits of its fibers.
//
//        spawn                     wake, on this thread        wake, spawn, from elsewhere
//          |                            |                            |
//   [ unstarted_ ]  <- thieves     [ ready_ ]       thieves -> [ arriving_ ]  [ woken_ ]
//       \                |             |                             |
//        newest child    oldest        FIFO                          look(): to the others
//
//   I1  A fiber runs on the worker that ran it first, and only there (F-5). Only unstarted ones are
//       taken by others.
//   I2  A fiber that waits, yields or ends switches straight to the next one (switch_to.hpp). The
//       worker's own stack is for timers, descriptors, inboxes and sleep.
//   I3  The stack of a fiber that ended goes back when the next one has arrived, and its end is
//       published after that: the last access to its record. A joiner of this worker, or the owner
//       of its scope, may be committed before, since it runs after.
//   I4  Turns (IO-7, IO-8): whoever waits hands on to its newest unstarted child; whoever ends, to
//       whom it woke, else to its youngest unstarted sibling. After `turns_max` switches there is a
//       round: each fiber that was ready then, once, without such hand-offs, and then the oldest
//       unstarted one.
//   I5  Before it sleeps, a worker announces it and looks at everything again; whoever brings
//       something does that first, and then rings (idle.hpp). No wake is lost (IO-9).
//   I6  User code that a worker calls between two fibers, on the stack of whichever is there, may
//       not suspend that one: the destructors of what nobody takes, and on_unhandled.
//   I7  A worker that has found no stack starts none and takes none until one of its own comes
//       back. What it could not start stays where others may take it. It is no thief meanwhile.
//       Fibers of stack classes have a deque of their own. One that has found no stack waits on
//       this worker for one, with its class; those of other classes go on (stack_class.cpp).
#pragma once

#include "bast/cancel.hpp"
#include "bast/io.hpp"
#include "bast/lockfree.hpp"
#include "bast/sched/domain.hpp"
#include "bast/sched/idle.hpp"
#include "bast/sched/options.hpp"
#include "bast/sched/slab.hpp"
#include "bast/sched/stack_class.hpp"

namespace bast::inline BAST_ABI::internal {

class runtime_core;

/// Workers that take each other's unstarted fibers.
struct worker_group {
  const char* name = nullptr;
  std::size_t first = 0;
  std::size_t count = 0;
  scheduling threads = scheduling::normal;
  basic_idle_group<os::real_atomics> idle;
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
  static constexpr std::uint32_t ops_max = 128;          // as tokio's cooperative budget
  static constexpr std::int32_t switches_per_look = 61;  // a prime, as in Go: no resonance
  static constexpr std::int32_t few_switches = 2;  // after a sleep, and among slices that are long
  static constexpr std::uint64_t look_every_ns = 100'000;
  static constexpr std::uint64_t slow_phase_ns = 50'000'000;

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
  /// The thread stops to be a worker's until the next turn(): after open(), for guest mode.
  void detach_for_turns() noexcept {
    announce();
    detach();
  }
  /// One turn for a guest: runs what is ready, at most `switches_per_look` switches; if nothing is,
  /// waits for it until `until_ns`.
  void turn(std::uint64_t until_ns) noexcept;
  /// If it never ran: ends the fibers in its inbox.
  void fail_arrived(const error& why) noexcept;
  /// Between turns: to watch, and until when.
  [[nodiscard]] int fd() const noexcept { return backend_->fd(); }
  [[nodiscard]] std::uint64_t next_ns() noexcept { return events().timers().next_ns(); }

  // --- for spawn; on this thread -----------------------------------------------------------------

  record_slab& slab() noexcept { return *slab_; }
  stack_pool& stacks() noexcept {
    return *stacks_;  // NOLINT(bugprone-unchecked-optional-access): from open() to close()
  }
  fiber_record* running() const noexcept {
    return chosen_ != nullptr ? &fiber_record::of(*chosen_) : nullptr;
  }
  runtime_core& core() const noexcept { return core_; }
  worker_group& group() const noexcept { return group_; }
  /// Makes room for `count` more. False: no memory.
  [[nodiscard]] bool reserve(std::size_t count = 1) noexcept { return unstarted_.reserve(count); }
  /// After reserve(): the fiber is complete.
  [[gnu::always_inline]] void submit(fiber_record& f) noexcept {
    count_spawn(f);
    offer(f);
  }
  /// After reserve(): `count` complete fibers, chained by `next`, the oldest first.
  void submit_all(fifo<fiber_record> all) noexcept;
  /// As submit(), and no other worker takes it.
  void submit_own(fiber_record& f) noexcept {
    count_spawn(f);
    keep(f);
    may_start_own_ = true;
  }
  /// As submit(), a fiber of a stack class. Needs no reserve().
  void submit_of_class(fiber_record& f) noexcept;
  /// A complete fiber with a stack of this worker: it is ready.
  void submit_bound(fiber_record& f, slot& stack) noexcept;
  /// Its domain has a list for this worker. False: there is no memory for that.
  [[nodiscard]] bool may_start(const fiber_record& f) noexcept {
    auto* const domain = static_cast<domain_attachment*>(f.block.attachment);
    return domain == nullptr || static_cast<cancel_domain*>(domain)->reserve(*this);
  }
  /// A stack on which nothing runs: those that wait for one are tried again.
  void return_stack(slot& unused, std::uint8_t stack_class) noexcept {
    if (stack_class != 0) [[unlikely]]
      return return_stack_of_class(unused, stack_class);
    stacks().release(unused);
    out_of_stacks_.store(false, std::memory_order_relaxed);
    may_start_own_ |= !own_.empty();
  }
  /// Of a class, 0 the default one.
  stack_pool& stacks_of(std::uint8_t stack_class) noexcept;
  /// Errors: those of stack_pool::acquire.
  [[nodiscard]] result<slot*> acquire_stack(std::uint8_t stack_class, site_key site,
                                            const char* name) noexcept;
  void count_spawn(const fiber_record& f) noexcept {
    spawned_.add();
    if (f.is_daemon) [[unlikely]]
      daemons_spawned_.add();
  }
  /// Frees a record that is not used any more, of whichever worker.
  void give_back(fiber_record& unused) noexcept;

  // --- for fibers --------------------------------------------------------------------------------

  /// The running coroutine is that of the fiber, not one that it has resumed.
  void yield() noexcept;
  /// The running coroutine is not being unwound.
  void yield_in_nest() noexcept;
  /// As yield(), where no other fiber may run: a look from time to time, which is no turn.
  void yield_alone() noexcept;
  /// True if the running fiber may yield at once: it is not nested, and its domain's token governs
  /// and has not fired.
  bool may_yield() const noexcept {
    const coro_attachment* const governs = plainly_governing(*this);
    return governs != nullptr && !governs->token.is_cancelled() && !is_forked();
  }
  /// True if the running fiber may wait for the end of `f` by join_own(): it is not nested, `f` is
  /// another one, and its domain's token governs and has not fired.
  bool may_join_own(const fiber_record& f) const noexcept {
    return chosen_ != &f.block && may_yield();
  }
  /// Waits for the end of `f`. False: the wait was cancelled, or another one waits for `f` too.
  bool join_own(fiber_record& f) noexcept;
  void wake(ready_link& who) noexcept override;
  void park(ready_link& who) override;
  void forget(ready_link& who, bool woken) noexcept override;
  void relent() override;
  coro_block* depart(ready_link& who) noexcept override;
  bool runs_one() const noexcept override { return chosen_ != nullptr; }
  const coro_attachment* governing() const noexcept override {
    return chosen_ != nullptr ? attachment_of(*chosen_) : nullptr;
  }

  // --- for domains (domain.hpp) ------------------------------------------------------------------

  /// The list of this worker for the fibers that this governs innermost.
  fiber_record*& list_of(const coro_attachment* governs) noexcept;
  /// Where domains that these fibers open are below. `governs`: by the executor.
  const cancel_source& source_below(const coro_attachment& governs) noexcept;
  /// Where the running fiber's spawns go; null: to the root.
  fiber_scope* scope_here() const noexcept {
    if (chosen_ == nullptr) return nullptr;
    const coro_attachment* const governs = attachment_of(*chosen_);
    return governs == &root_ ? nullptr : scope_governing(governs);
  }
  /// A wait that was committed goes on. On this thread.
  void make_ready(ready_link& woken) noexcept {
    woken.linked = true;
    ready_.append(*woken.chosen);
  }
  /// Any thread, of which the domain waits: the fibers of a domain that was cancelled.
  void send(domain_fibers& cancelled) noexcept {
    if (messages_.push(cancelled)) ring();
  }
  void take_messages() noexcept;

  // --- any thread --------------------------------------------------------------------------------

  /// An unstarted fiber for this worker's group.
  void submit_from_elsewhere(fiber_record& f) noexcept;
  /// Ends its sleep. False: it does not sleep.
  bool ring() noexcept;
  std::uint64_t spawned() const noexcept { return spawned_.read(); }
  std::uint64_t ended() const noexcept { return ended_.read(); }
  std::uint64_t daemons_spawned() const noexcept { return daemons_spawned_.read(); }
  std::uint64_t daemons_ended() const noexcept { return daemons_ended_.read(); }
  event_loop& events() noexcept {
    return *loop_;  // NOLINT(bugprone-unchecked-optional-access): from open() to close()
  }
  std::size_t index() const noexcept { return index_; }
  /// After close(): ends the slab, which lives on while handles hold its records.
  void end_slab() noexcept;

 private:
  struct root_registration : cancel_registration {
    explicit root_registration(worker& of) noexcept : cancel_registration(fired), who(of) {}
    static void fired(real_record& record, const cancel_reason&) noexcept;
    worker& who;
  };
  coro_block* pick(coro_block* woken, const fiber_record* parent) noexcept;
  coro_block* pick_slowly(coro_block* woken, const fiber_record* parent) noexcept;
  coro_block* pick_fairly() noexcept;
  coro_block* start_newest() noexcept;
  coro_block* resume(coro_block& ready) noexcept;
  coro_block* take_ready() noexcept;
  coro_block* start(fiber_record& f, bool is_own = false) noexcept;
  coro_block* fail_to_start(fiber_record& f) noexcept;
  void begin_on(fiber_record& f, slot& stack) noexcept;
  void wait_for_stack(fiber_record& f, bool is_own) noexcept;
  static void prepare_options(stack_options& wanted) noexcept;
  // stack_class.cpp
  [[nodiscard]] result<void> open_classes() noexcept;
  void close_classes() noexcept;
  worker_stack_class& class_of(std::uint8_t stack_class) noexcept {
    BAST_ASSERT(stack_class != 0 && stack_class <= class_count_);
    return classes_[stack_class - 1];
  }
  void offer_of_class(fiber_record& unstarted) noexcept;
  void keep_of_class(fiber_record& unstarted) noexcept;
  coro_block* start_of_class(fiber_record& f, bool is_own) noexcept;
  coro_block* start_in_turn() noexcept;
  coro_block* steal_of_class(worker& victim) noexcept;
  void return_stack_of_class(slot& unused, std::uint8_t stack_class) noexcept;
  bool returns_stack_of(std::uint8_t stack_class) const noexcept;
  bool holds_default_stack() const noexcept;
  bool has_stacks() const noexcept {
    // Relaxed: a hint for others; the fences of the group order it (I5).
    return !out_of_stacks_.load(std::memory_order_relaxed);
  }
  coro_block* start_oldest() noexcept;
  void keep(fiber_record& unstarted) noexcept {
    if (unstarted.stack_class != 0) return keep_of_class(unstarted);
    own_.append(unstarted);
  }
  /// To whichever worker of the group is free; without memory for that, to this one.
  [[gnu::always_inline]] void offer(fiber_record& unstarted) noexcept {
    if (!unstarted_.push(&unstarted)) [[unlikely]] {
      keep(unstarted);
      may_start_own_ = true;
    } else if (group_.count > 1) {
      tell_thieves();
    }
  }
  coro_block* steal() noexcept;
  coro_block* leave(ready_link& link) noexcept;
  static void go_to(coro_block* next) noexcept;
  bool run_one() noexcept;
  void look() noexcept;
  void set_pace() noexcept;
  void collect() noexcept;
  void collect_woken() noexcept;
  void collect_unstarted(worker& of) noexcept;
  static fiber_scope* scope_governing(const coro_attachment* governs) noexcept;
  void attach() noexcept;
  void detach() noexcept;
  void announce() noexcept;
  void retract() noexcept;
  void sleep(std::uint64_t until_ns) noexcept;
  bool has_something() const noexcept;
  bool group_has_unstarted() const noexcept;
  void tell_thieves() noexcept;
  bool ring_one_of_group() noexcept;
  void cancel_waits() noexcept;

  static void enter(arch::context* self) noexcept;
  [[noreturn]] void end(fiber_record& f) noexcept;
  coro_block* publish_to_own(fiber_record& f) noexcept;
  void take_back(fiber_record& f) noexcept;
  void fail_start(fiber_record& f, const error& why) noexcept;
  void publish(fiber_record& f) noexcept;
  void count_end(bool is_daemon) noexcept;

  // Hot, in the order of use.
  bool is_published_ = false;          // the end of the fiber that ended last (I3)
  bool has_left_ = false;              // the same, its scope
  fiber_record* returning_ = nullptr;  // has ended; its stack comes back when the next one is known
  std::int32_t turns_ = turns_max;     // until the next round
  std::int32_t switches_ = few_switches;
  std::int32_t pace_ = few_switches;  // switches between two looks, to last look_every_ns at most
  std::uint64_t looked_ns_ = 0;
  std::uint64_t slow_until_ns_ = 0;  // for a while after slices that were too long
  // Who is next was to be decided, and a look comes first.
  bool is_pick_due_ = false;
  coro_block* woken_before_look_ = nullptr;
  const fiber_record* parent_before_look_ = nullptr;
  std::ptrdiff_t round_ = -1;  // fibers of the round still to run; -1: there is none
  ready_fibers ready_;
  work_deque<fiber_record*> unstarted_;
  fiber_record* fibers_ = nullptr;  // started, not ended, and in no domain but the root's
  std::size_t default_stacks_ = 0;  // of fibers that have not ended
  // Unstarted, and for this worker alone, oldest first: main, and those that found no stack left,
  // which are tried again when one comes back. Those of stack classes are with their class.
  fifo<fiber_record> own_;
  bool may_start_own_ = false;
  record_slab* slab_ = nullptr;
  basic_remote_free<fiber_record> remote_;
  std::optional<stack_pool> stacks_;  // from open() to close(): handles outlive it
  domain_attachment root_;
  std::optional<cancel_source> root_branch_;  // as domain_fibers::branch
  tally spawned_, ended_, daemons_spawned_, daemons_ended_;

  runtime_core& core_;
  worker_group& group_;
  std::size_t index_;
  std::size_t next_victim_;
  epoll_backend* backend_ = nullptr;
  std::optional<event_loop> loop_;
  worker_stack_class* classes_ = nullptr;  // of core's stack_classes(), from open() to close()
  std::size_t class_count_ = 0;
  std::size_t own_turn_ = 0;  // start_in_turn()
  root_registration registration_;
  // What the thread had before.
  executor* outer_scheduler_ = nullptr;
  void (*outer_recycle_)(coro_block&) noexcept = nullptr;

  // What others write.
  work_deque<fiber_record*> classed_;  // as unstarted_, those of stack classes
  basic_inbox<fiber_record> arriving_;
  basic_inbox<ready_link> woken_;
  basic_inbox<domain_fibers> messages_;
  padded<basic_sleep_flag<os::real_atomics>> sleeps_;
  std::atomic<bool> out_of_stacks_{false};  // I7
  bool is_thief_ = false;                   // of the latest announcement
  std::atomic<bool> cancel_posted_{false};
};

/// The worker of the calling thread, or null.
extern constinit thread_local worker* this_worker;

}  // namespace bast::inline BAST_ABI::internal
