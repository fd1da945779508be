// SPDX-License-Identifier: Apache-2.0
//
// The life of a worker, and what it does on its own stack. turns.cpp has the choice of who runs
// next.
#include "bast/sched/worker.hpp"

#include <algorithm>
#include <utility>

#include "bast/coro.hpp"
#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI::internal {

constinit thread_local worker* this_worker = nullptr;

worker::worker(runtime_core& core, worker_group& group, std::size_t index) noexcept
    : core_(core), group_(group), index_(index), next_victim_(index), registration_(*this) {}

worker::~worker() {
  BAST_ASSERT(slab_ == nullptr);
  BAST_ASSERT(fibers_ == nullptr);
}

result<void> worker::prepare() noexcept {
  auto slab = record_slab::create(&core_, core_.weak_from_this());
  if (!slab) return std::unexpected(slab.error());
  slab_ = *slab;
  return {};
}

// As in coro_pool: Valgrind repeats a push that faulted.
void worker::prepare_options(stack_options& wanted) noexcept {
  if constexpr (BAST_WITH_VALGRIND != 0) wanted.growth = stack_growth::demand;
}

result<void> worker::open() noexcept {
  if (auto ready = prepare_thread(); !ready) return ready;
  stack_options wanted = core_.options().stack;
  prepare_options(wanted);
  stacks_.emplace();
  if (auto ready = stacks().init(wanted, core_.options().stacks_max); !ready) return ready;
  stacks().set_user(running_stack_of, this_thread.tag);
  if (auto ready = open_classes(); !ready) return ready;
  const auto backend = epoll_backend::create();
  if (!backend) return std::unexpected(backend.error());
  backend_ = *backend;
  loop_.emplace(*backend_);
  events().use_pool(&core_.blocking());
  looked_ns_ = events().now_ns();
  auto below = core_.root().child();
  if (!below) return std::unexpected(below.error());
  root_branch_.emplace(std::move(*below));
  root_.token = core_.root().token();
  root_.by_executor = true;
  attach();
  registration_.begin(root_.token);
  return {};
}

void worker::attach() noexcept {
  outer_scheduler_ = std::exchange(this_thread.scheduler, this);
  outer_recycle_ = std::exchange(this_thread.recycle, [](coro_block& ended) noexcept {
    this_worker->take_back(fiber_record::of(ended));
  });
  event_loop::enter(&events());
  this_worker = this;
}

void worker::detach() noexcept {
  this_worker = nullptr;
  event_loop::enter(nullptr);
  this_thread.scheduler = outer_scheduler_;
  this_thread.recycle = outer_recycle_;
}

void worker::close() noexcept {
  if (root_.by_executor) {
    registration_.end();
    if (this_worker == this) detach();
  }
  remote_.flush();
  take_messages();  // Of domains that have ended since the last look: their lists are freed.
  root_ = {};
  root_branch_.reset();
  close_classes();
  stacks_.reset();
  loop_.reset();
  if (backend_ != nullptr) epoll_backend::destroy(std::exchange(backend_, nullptr));
}

void worker::end_slab() noexcept {
  if (slab_ != nullptr) record_slab::end(std::exchange(slab_, nullptr));
}

void worker::give_back(fiber_record& unused) noexcept {
  if (unused.home == slab_) {
    slab_->give(unused);
  } else if (unused.home->belongs_to() == &core_) {
    remote_.free(unused.home->arriving(), unused);
  } else {
    unused.home->give_from_elsewhere(unused);
  }
}

// Counted before the first can run (core.hpp I1). Thieves are called once: one that finds more than
// one fiber calls the next.
void worker::submit_all(fifo<fiber_record> all) noexcept {
  for (const fiber_record* f = all.oldest(); f != nullptr; f = f->next) count_spawn(*f);
  const bool pushed = unstarted_.push_all(all.size(), [&all] { return all.pop(); });
  BAST_CHECK(pushed, "a batch of fibers was submitted without room for it");
  if (group_.count > 1) tell_thieves();
}

// --- the loop ------------------------------------------------------------------------------------

void worker::loop() noexcept {
  while (true) {
    look();
    if (run_one()) continue;
    core_.end_if_over();  // Not announced yet, it need not ring itself.
    if (core_.is_stopping()) return;
    sleep(no_deadline_ns);
  }
}

void worker::turn(std::uint64_t until_ns) noexcept {
  attach();
  retract();
  (void)events().turn(0);           // Also for the wake that made fd() readable.
  looked_ns_ = events().turn_ns();  // The host's time is no fiber's.
  look();
  if (!run_one() && until_ns != 0 && !core_.is_stopping()) {
    sleep(until_ns);
    look();
    (void)run_one();
  }
  announce();
  if (has_something()) events().wake();  // The host's loop sees it.
  detach();
}

// Reading the clock at each switch would double its cost. So the next look comes after as many
// switches as would have taken that time before.
void worker::set_pace() noexcept {
  const std::uint64_t now = events().now_ns();
  const std::uint64_t took = now - std::exchange(looked_ns_, now);
  if (took > look_every_ns && !BAST_MUTANT(paced_by_count_alone)) {
    const std::uint64_t fits = static_cast<std::uint64_t>(pace_) * look_every_ns / took;
    pace_ = fits == 0 ? 1 : static_cast<std::int32_t>(fits);
    slow_until_ns_ = now + slow_phase_ns;
  } else {
    // Many short slices between long ones say nothing about the next one.
    pace_ = std::min(2 * pace_, now < slow_until_ns_ ? few_switches : switches_per_look);
  }
  switches_ = pace_ + 1;  // The one from the loop to a fiber counts too.
}

void worker::look() noexcept {
  set_pace();
  collect();
  core_.end_if_over();  // Daemons may be ready all the time.
  // Relaxed: the exchange in cancel_waits() decides.
  if (cancel_posted_.load(std::memory_order_relaxed)) cancel_waits();
  if (!messages_.empty()) take_messages();
  if (backend_->watched() != 0 || !events().timers().empty()) {
    (void)events().turn(0);
    collect();
  }
}

void worker::collect_woken() noexcept {
  if (woken_.empty()) return;
  for (ready_link* at = woken_.take_oldest_first(); at != nullptr;) {
    ready_link* const next = at->next;
    make_ready(*at);
    at = next;
  }
}

void worker::collect() noexcept {
  collect_woken();
  collect_unstarted(*this);
}

void worker::collect_unstarted(worker& of) noexcept {
  if (of.arriving_.empty()) return;
  for (fiber_record* at = of.arriving_.take_oldest_first(); at != nullptr;) {
    fiber_record& f = *at;
    at = f.next;
    if (f.stack_class != 0) {
      offer_of_class(f);
    } else {
      offer(f);
    }
  }
}

void worker::fail_arrived(const error& why) noexcept {
  for (fiber_record* at = arriving_.take(); at != nullptr;) {
    fiber_record* const next = at->next;
    fail_start(*at, why);
    at = next;
  }
}

bool worker::has_something() const noexcept {
  // Relaxed: the operations in sleep() have ordered them (I5).
  if (!woken_.empty() || ready_.size() != 0 || is_pick_due_ || !arriving_.empty()) return true;
  if (cancel_posted_.load(std::memory_order_relaxed) || core_.is_stopping()) return true;
  if (!messages_.empty()) return true;
  if (may_start_own_) return true;
  return has_stacks() && group_has_unstarted();  // I7
}

bool worker::group_has_unstarted() const noexcept {
  for (std::size_t i = 0; i < group_.count; ++i) {
    const worker& each = core_.at(group_.first + i);
    if (each.unstarted_.size() != 0 || each.classed_.size() != 0 || !each.arriving_.empty()) {
      return true;
    }
  }
  return false;
}

// I5
void worker::announce() noexcept {
  remote_.flush();
  sleeps_->announce();
  is_thief_ = has_stacks();  // I7
  if (is_thief_) group_.idle.announce();
}

void worker::retract() noexcept {
  sleeps_->retract();
  if (is_thief_) return group_.idle.retract();
  // Called all the same, by one that had seen it with stacks: passes the call on.
  group_.idle.decline();
  if (group_has_unstarted()) tell_thieves();
}

// The end is looked for after the announcement: of two workers that end the last fibers, one sees
// both ends (core.hpp I1).
void worker::sleep(std::uint64_t until_ns) noexcept {
  announce();
  core_.end_if_over();
  if (!has_something()) (void)events().turn(until_ns);
  retract();
  looked_ns_ = events().turn_ns();
  pace_ = few_switches;
}

// --- from elsewhere ------------------------------------------------------------------------------

bool worker::ring() noexcept {
  if (!sleeps_->ring()) return false;
  events().wake();
  return true;
}

void worker::tell_thieves() noexcept {
  if (group_.idle.wants_thief()) [[unlikely]]
    group_.idle.call_thief([this] { return ring_one_of_group(); });
}

bool worker::ring_one_of_group() noexcept {
  for (std::size_t i = 1; i < group_.count; ++i) {
    worker& other = core_.at(group_.first + (index_ - group_.first + i) % group_.count);
    if (!other.has_stacks() || !other.sleeps_->ring()) continue;
    other.events().wake();
    return true;
  }
  return false;
}

// If it is awake, its fiber may compute for long: then a thief that sleeps takes the inbox.
void worker::submit_from_elsewhere(fiber_record& f) noexcept {
  if (!arriving_.push(f)) return;
  if (!ring() && group_.count > 1) tell_thieves();
}

void worker::wake(ready_link& who) noexcept {
  if (this_worker == this) {
    make_ready(who);
    return;
  }
  // The fiber may run, and the runtime end, before this call returns.
  runtime_core& core = core_;
  if (core.owns(this_worker)) {
    if (woken_.push(who)) ring();
    return;
  }
  core.guests().enter();
  if (woken_.push(who)) ring();
  core.guests().leave();
}

// --- cancellation --------------------------------------------------------------------------------

void worker::root_registration::fired(real_record& record, const cancel_reason&) noexcept {
  worker& w = registration_of<root_registration>(record).who;
  // Release: pairs with the exchange in cancel_waits().
  w.cancel_posted_.store(true, std::memory_order_release);
  if (this_worker == &w && !BAST_MUTANT(parked_cancelled_later)) {
    w.cancel_waits();  // C-18
    // Once more at the next look: the caller may be a guard of a perform that waits afterwards.
    w.cancel_posted_.store(true, std::memory_order_relaxed);
  } else {
    w.ring();
  }
}

void worker::cancel_waits() noexcept {
  // Acquire: pairs with the release in fired(). A wait that is cancelled finds its token cancelled.
  if (!cancel_posted_.exchange(false, std::memory_order_acquire)) return;
  cancel_domain::end_waits(fibers_, *this);
}

}  // namespace bast::inline BAST_ABI::internal
