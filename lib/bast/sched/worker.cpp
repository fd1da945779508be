// SPDX-License-Identifier: Apache-2.0
//
// The life of a worker, and what it does on its own stack. turns.cpp has the choice of who runs
// next.
#include "bast/sched/worker.hpp"

#include <utility>

#include "bast/coro/switch_to.hpp"
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
  auto slab = record_slab::create(&core_);
  if (!slab) return std::unexpected(slab.error());
  slab_ = *slab;
  return {};
}

result<void> worker::open() noexcept {
  if (auto ready = prepare_thread(); !ready) return ready;
  stack_options stacks = core_.options().stack;
  // As in coro_pool: Valgrind repeats a push that faulted.
  if constexpr (BAST_WITH_VALGRIND != 0) stacks.growth = stack_growth::demand;
  if (auto ready = stacks_.init(stacks, core_.options().stacks_max); !ready) return ready;
  stacks_.set_user(running_stack_of, this_thread.tag);
  const auto backend = epoll_backend::create();
  if (!backend) return std::unexpected(backend.error());
  backend_ = *backend;
  loop_.emplace(*backend_);
  event_loop::enter(&*loop_);
  root_.token = core_.root().token();
  root_.by_executor = true;
  outer_scheduler_ = std::exchange(this_thread.scheduler, this);
  outer_recycle_ = std::exchange(this_thread.recycle, [](coro_block& ended) noexcept {
    this_worker->take_back(fiber_record::of(ended));
  });
  this_worker = this;
  registration_.begin(root_.token);
  return {};
}

void worker::close() noexcept {
  if (this_worker == this) {
    registration_.end();
    this_worker = nullptr;
    this_thread.scheduler = outer_scheduler_;
    this_thread.recycle = outer_recycle_;
  }
  remote_.flush();
  root_.token = {};
  if (event_loop::here() == (loop_ ? &*loop_ : nullptr)) event_loop::enter(nullptr);
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

// --- the loop ------------------------------------------------------------------------------------

bool worker::run_one() noexcept {
  coro_block* const next = pick(nullptr);
  if (next == nullptr) return false;
  run(*next, this_thread, running_here(next->tag));
  running_ = nullptr;
  if (fiber_record* const gone = std::exchange(ended_to_loop_, nullptr)) take_back(*gone);
  return true;
}

void worker::loop() noexcept {
  while (true) {
    look(0);
    if (run_one()) continue;
    core_.end_if_over();
    if (core_.is_stopping()) return;
    sleep();
  }
}

void worker::turn(std::uint64_t until_ns) noexcept {
  look(0);
  if (run_one()) return;
  core_.end_if_over();
  if (core_.is_stopping() || until_ns == 0) return;
  look(until_ns);
  (void)run_one();
}

void worker::look(std::uint64_t until_ns) noexcept {
  switches_ = switches_per_look;
  collect();
  // Relaxed: the exchange in cancel_waits() decides.
  if (cancel_posted_.load(std::memory_order_relaxed)) cancel_waits();
  if (until_ns != 0 || backend_->watched() != 0 || !loop_->timers().empty()) {
    (void)loop_->turn(until_ns);
    collect();
  }
}

void worker::collect() noexcept {
  if (!ready_.inbox_empty()) ready_.collect();
  if (arriving_.empty()) return;
  // Oldest first.
  fiber_record* oldest = nullptr;
  for (fiber_record* at = arriving_.take(); at != nullptr;) {
    fiber_record* const next = at->next;
    at->next = oldest;
    oldest = at;
    at = next;
  }
  while (oldest != nullptr) {
    fiber_record& f = *oldest;
    oldest = f.next;
    if (!unstarted_.push(&f)) {
      fail_start(f, {errc::no_memory, "spawn", "no memory for the queue of unstarted fibers"});
    } else if (group_.count > 1) {
      tell_thieves();
    }
  }
}

bool worker::has_something() const noexcept {
  // Relaxed: the operations in sleep() have ordered them (I5).
  if (!ready_.inbox_empty() || ready_.size() != 0 || !arriving_.empty()) return true;
  if (cancel_posted_.load(std::memory_order_relaxed) || core_.is_stopping()) return true;
  if (may_start_own_) return true;
  for (std::size_t i = 0; i < group_.count; ++i) {
    if (core_.at(group_.first + i).unstarted_.size() != 0) return true;
  }
  return false;
}

void worker::sleep() noexcept {
  remote_.flush();
  // I5. All changes of `sleeping_` are exchanges, so that each sees what came before the others; the
  // deques are ordered by fences.
  sleeping_->exchange(true, std::memory_order_acq_rel);  // pairs with that in ring()
  group_.sleepers->fetch_add(1, std::memory_order_relaxed);
  os::real_atomics::fence(std::memory_order_seq_cst);
  core_.end_if_over();
  if (!has_something()) (void)loop_->turn(~std::uint64_t{0});
  sleeping_->exchange(false, std::memory_order_acq_rel);  // pairs with that in ring()
  group_.sleepers->fetch_sub(1, std::memory_order_relaxed);
  // From here on it searches: what is pushed later needs another one.
  group_.searching->store(0, std::memory_order_relaxed);
  os::real_atomics::fence(std::memory_order_seq_cst);
}

// --- from elsewhere ------------------------------------------------------------------------------

void worker::ring() noexcept {
  // Acquire and release: pairs with those in sleep(). I5
  if (sleeping_->exchange(false, std::memory_order_acq_rel)) loop_->wake();
}

void worker::tell_thieves() noexcept {
  os::real_atomics::fence(std::memory_order_seq_cst);  // I5: after the push
  // Relaxed: after the fence.
  if (group_.sleepers->load(std::memory_order_relaxed) != 0 &&
      group_.searching->load(std::memory_order_relaxed) == 0) [[unlikely]] {
    wake_thief();
  }
}

void worker::wake_thief() noexcept {
  // Relaxed: the fence before, and the one in sleep(), order it.
  if (group_.searching->exchange(1, std::memory_order_relaxed) != 0) return;
  for (std::size_t i = 1; i < group_.count; ++i) {
    const std::size_t at = group_.first + (index_ - group_.first + i) % group_.count;
    worker& other = core_.at(at);
    // Acquire and release: as in ring().
    if (other.sleeping_->exchange(false, std::memory_order_acq_rel)) return other.loop_->wake();
  }
  group_.searching->store(0, std::memory_order_relaxed);
}

void worker::submit_from_elsewhere(fiber_record& f) noexcept {
  if (arriving_.push(f)) ring();
}

void worker::wake(ready_link& who) noexcept {
  if (this_worker == this) {
    if (is_ending_ && handoff_ == nullptr) {
      handoff_ = &who;  // I4
    } else {
      ready_.append(who);
    }
    return;
  }
  // The fiber may run, and the runtime end, before this call returns.
  runtime_core& core = core_;
  if (core.owns(this_worker)) {
    if (ready_.push(who)) ring();
    return;
  }
  core.enter();
  if (ready_.push(who)) ring();
  core.leave();
}

// --- cancellation --------------------------------------------------------------------------------

void worker::root_registration::fired(real_record& record, const cancel_reason&) noexcept {
  worker& w = static_cast<root_registration&>(reinterpret_cast<cancel_registration&>(record)).who;
  w.cancel_posted_.store(true, std::memory_order_seq_cst);
  if (this_worker == &w) {
    w.cancel_waits();  // C-18
  } else {
    w.ring();
  }
}

void worker::cancel_waits() noexcept {
  cancel_posted_.store(false, std::memory_order_relaxed);
  for (fiber_record* f = fibers_; f != nullptr; f = f->next) {
    if (f->started.wait == nullptr || !f->started.wait->cancellable) continue;
    if (waiter::cancel(*f->started.wait)) ready_.append(*f->started.wait);
  }
}

}  // namespace bast::inline BAST_ABI::internal
