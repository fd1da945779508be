// SPDX-License-Identifier: Apache-2.0
//
// Who runs next, and the switches there: the hot part of a worker.
#include <utility>

#include "bast/coro.hpp"
#include "bast/sched/core.hpp"
#include "bast/sched/fiber_scope.hpp"
#include "bast/sched/join.hpp"
#include "bast/sched/turns.hpp"

namespace bast::inline BAST_ABI::internal {

// --- the choice ----------------------------------------------------------------------------------

// A look between two fibers does not change who is next: its time depends on the clock, and the
// same program takes the same turns on a slow machine (F-13).
coro_block* worker::pick_slowly(coro_block* woken, const fiber_record* parent) noexcept {
  if (switches_ <= 0) {
    is_pick_due_ = true;
    woken_before_look_ = woken;
    parent_before_look_ = parent;
    return nullptr;
  }
  if (woken != nullptr) ready_.append(*woken);
  return pick_fairly();
}

coro_block* worker::start_newest() noexcept {
  if (!has_stacks() || BAST_MUTANT(turn_not_inherited)) return nullptr;
  const auto taken = group_.count == 1 ? unstarted_.pop_unshared() : unstarted_.pop();
  return taken ? start(**taken) : nullptr;
}

coro_block* worker::pick_fairly() noexcept {
  if (turns_ <= 0) {
    if (round_ < 0) round_ = static_cast<std::ptrdiff_t>(ready_.size());
    if (round_-- > 0) {
      if (coro_block* const next = take_ready()) return resume(*next);
    }
    round_ = -1;
    turns_ = turns_max;
    if (coro_block* const block = start_oldest()) return block;
  }
  while (true) {
    if (coro_block* const next = take_ready()) return resume(*next);
    if (coro_block* const block = start_oldest()) return block;
    collect();
    if (ready_.size() == 0 && (unstarted_.size() == 0 || !has_stacks())) break;
  }
  return steal();
}

coro_block* worker::start_oldest() noexcept {
  if (may_start_own_) [[unlikely]] {
    if (coro_block* const block = start_in_turn()) return block;
  }
  while (has_stacks()) {
    const auto oldest = group_.count == 1 ? unstarted_.take_oldest_unshared() : unstarted_.steal();
    if (!oldest) break;
    if (coro_block* const block = start(**oldest)) return block;
  }
  return nullptr;
}

coro_block* worker::steal() noexcept {
  if (!has_stacks()) return nullptr;  // I7
  for (std::size_t tried = 1; tried < group_.count; ++tried) {
    next_victim_ = next_victim_ + 1 < group_.first + group_.count ? next_victim_ + 1 : group_.first;
    if (next_victim_ == index_) continue;
    worker& victim = core_.at(next_victim_);
    while (has_stacks() && victim.unstarted_.size() != 0) {
      const auto stolen = victim.unstarted_.steal();
      if (!stolen) break;
      // There may be work for one more.
      if (victim.unstarted_.size() != 0) tell_thieves();
      if (coro_block* const block = start(**stolen)) return block;
    }
    if (class_count_ != 0) [[unlikely]] {
      if (coro_block* const block = steal_of_class(victim)) return block;
    }
    if (!victim.arriving_.empty()) {
      collect_unstarted(victim);
      if (coro_block* const block = start_oldest()) return block;
    }
  }
  return nullptr;
}

bool worker::run_one() noexcept {
  is_pick_due_ = false;
  coro_block* const next =
      pick(std::exchange(woken_before_look_, nullptr), std::exchange(parent_before_look_, nullptr));
  // As after a direct switch: taken back when the next one is known.
  fiber_record* const gone = std::exchange(returning_, nullptr);
  if (gone != nullptr) take_back(*gone);
  if (next == nullptr) return gone != nullptr;
  run(*next, this_thread, running_here(next->tag));
  chosen_ = nullptr;
  if (returning_ != nullptr && !is_pick_due_) take_back(*std::exchange(returning_, nullptr));
  return true;
}

// --- the life of a fiber -------------------------------------------------------------------------

// I7
void worker::wait_for_stack(fiber_record& f, bool is_own) noexcept {
  out_of_stacks_.store(true, std::memory_order_relaxed);
  if (is_own) {
    own_.prepend(f);
  } else if (!unstarted_.push(&f)) {
    keep(f);
  } else if (group_.count > 1) {
    tell_thieves();
  }
}

// Gives it a stack and a place in the list. Null: there is none for it.
coro_block* worker::start(fiber_record& f, bool is_own) noexcept {
  if (!may_start(f)) [[unlikely]]
    return fail_to_start(f);
  const auto stack = stacks().acquire(f.site, f.name);
  if (!stack) [[unlikely]] {
    // Memory may never come back, and the others may wait for this one.
    const bool may_wait = stack.error() == errc::limit && holds_default_stack();
    if (!may_wait && !returns_stack_of(0)) {
      fail_start(f, stack.error());
    } else {
      wait_for_stack(f, is_own);
    }
    return nullptr;
  }
  begin_on(f, **stack);
  chosen_ = &f.block;
  return &f.block;
}

coro_block* worker::fail_to_start(fiber_record& f) noexcept {
  fail_start(f, {errc::no_memory, "spawn", "no memory for the fiber's scope on this worker"});
  return nullptr;
}

// As one that has yielded before its first line.
void worker::submit_bound(fiber_record& f, slot& stack) noexcept {
  count_spawn(f);
  begin_on(f, stack);
  ready_.append(f.block);
}

void worker::enter(arch::context* self) noexcept {
  fiber_record& f = fiber_record::of(*reinterpret_cast<coro_block*>(self));
  first_arrival(f.block);
  this_thread.ops_left = ops_max;
  f.operations->run(f);
  if (fiber_scope* const scope = scope_of(f)) scope->look_at(f);
  this_worker->end(f);
}

void worker::end(fiber_record& f) noexcept {
  BAST_CHECK(!is_forked(), "a fiber ended in a forked child: leave the child by _exit or exec");
  unlink(f);
  default_stacks_ -= f.stack_class == 0 ? 1 : 0;
  coro_block* woken = publish_to_own(f);
  is_published_ = woken != nullptr;
  has_left_ = false;
  fiber_scope* const scope = scope_of(f);
  if (scope != nullptr && woken == nullptr) {
    woken = scope->left_to_owner(*this, f.is_daemon);
    has_left_ = woken != nullptr;
  }
  const fiber_record* const parent = f.parent;
  returning_ = &f;
  if (coro_block* const next = pick(woken, parent)) {
    returning_ = nullptr;
    finish_to(*next, running_here(next->tag));
  }
  finish_for_resumer();
}

// The joiner runs on this thread, after the next fiber or the loop has taken the stack back: only
// there may the record be freed. A joiner elsewhere could free it at once, and waits for publish().
// Returns the joiner, or null if that has yet to be done.
coro_block* worker::publish_to_own(fiber_record& f) noexcept {
  f.join_lock.lock();
  wait_node_of<real_traits>* const joiner = f.joiners;
  if (joiner != nullptr && joiner->next == nullptr && joiner->who->home() == this) {
    auto& who = static_cast<waiter&>(*joiner->who);
    // Of a plain one nobody else can end the wait: the join_lock is held, on its own thread.
    const bool committed =
        who.link().is_plain
            ? who.commit_here(joiner->armed, joiner->arm) || BAST_MUTANT(cancelled_joiner_resumed)
            : commit_alone(who, joiner->armed, joiner->arm) == pairing::committed;
    f.joiners = nullptr;
    joiner->linked = false;
    if (committed) {
      // Release: pairs with the acquire of who sees the end.
      f.finished.store(true, std::memory_order_release);
      f.join_lock.unlock();
      return who.link().chosen;
    }
  }
  f.join_lock.unlock();
  return nullptr;
}

void worker::take_back(fiber_record& f) noexcept {
  const bool is_published = is_published_;
  const bool has_left = has_left_;
  f.block.hooks.ended();
  return_stack(*std::exchange(f.block.stack, nullptr), f.stack_class);
  const bool is_daemon = f.is_daemon;
  if (f.locals != nullptr) [[unlikely]] {
    const no_waiting guard;  // I6
    drop(std::exchange(f.locals, nullptr));
  }
  if (f.is_main) core_.main_ended(f.end != fiber_end::value || error_of(f) != nullptr);
  fiber_scope* const scope = scope_of(f);
  if (!is_published) publish(f);
  count_end(is_daemon);
  if (scope != nullptr && !has_left) scope->left(is_daemon);
}

void worker::count_end(bool is_daemon) noexcept {
  if (is_daemon) [[unlikely]]
    daemons_ended_.add();
  ended_.add();
}

void worker::fail_start(fiber_record& f, const error& why) noexcept {
  {
    const no_waiting guard;  // I6
    f.operations->destroy_callable(f);
    drop(std::exchange(f.locals, nullptr));
  }
  ::new (static_cast<void*>(f.room)) error(why);
  f.end = fiber_end::failed;
  const bool is_daemon = f.is_daemon;
  if (f.is_main) core_.main_ended(true);
  fiber_scope* const scope = scope_of(f);
  if (scope != nullptr) scope->look_at(f);
  publish(f);
  count_end(is_daemon);
  if (scope != nullptr) scope->left(is_daemon);
}

void worker::publish(fiber_record& f) noexcept {
  wait_node_of<real_traits>* woken = nullptr;
  f.join_lock.lock();
  // Release: pairs with the acquire of who sees the end.
  f.finished.store(true, std::memory_order_release);
  for (wait_node_of<real_traits>* at = f.joiners; at != nullptr;) {
    wait_node_of<real_traits>* const next = at->next;
    const bool committed = commit_alone(*at->who, at->armed, at->arm) == pairing::committed;
    at->linked = false;  // If it is not committed, its owner may go on at once.
    if (committed) {
      at->next = woken;
      woken = at;
    }
    at = next;
  }
  f.joiners = nullptr;
  const bool is_dropped = f.is_dropped;
  f.join_lock.unlock();  // I3
  if (is_dropped) {
    const no_waiting guard;  // I6
    dispose(f);
  }
  wake_chain(woken);
}

// --- waiting -------------------------------------------------------------------------------------

void worker::park(ready_link& who) {
#if BAST_EXCEPTIONS
  // A nested coroutine that is being unwound (F-11).
  if ((this_thread.current->tag & flag_unwinding) != 0) [[unlikely]]
    refuse_suspension(*this_thread.current);
#endif
  go_to(leave(who));
}

coro_block* worker::depart(ready_link& who) noexcept { return leave(who); }

void worker::forget(ready_link& who, bool woken) noexcept {
  for (unsigned round = 0; woken && !who.linked; os::real_atomics::relax(round++)) collect_woken();
  if (!std::exchange(who.linked, false) || BAST_MUTANT(withdrawn_fiber_resumed)) return;
  ready_.remove(*who.chosen);
}

void worker::relent() {
  this_thread.ops_left = ops_max;
  if (BAST_MUTANT(ready_ops_without_end)) return;
  if (!is_forked() && (this_thread.current->tag & flag_unwinding) == 0) yield_in_nest();
}

void worker::yield_alone() noexcept {
  if (--switches_ > 0) return;
  is_pick_due_ = true;
  woken_before_look_ = chosen_;
  ++turns_;  // That of run_one().
  go_to(nullptr);
}

void worker::yield_in_nest() noexcept {
  ready_link mine{.coroutine = this_thread.current, .chosen = chosen_};
  running()->started.wait = &mine;  // Nobody cancels it.
  yield();
  running()->started.wait = nullptr;
}

}  // namespace bast::inline BAST_ABI::internal
