// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/join.hpp"

#include "bast/sched/core.hpp"
#include "bast/sched/fiber_scope.hpp"
#include "bast/sched/worker.hpp"

namespace bast::inline BAST_ABI::internal {

void give_back(fiber_record& unused) noexcept {
  if (this_worker != nullptr) return this_worker->give_back(unused);
  unused.home->give_from_elsewhere(unused);
}

void give_back_unstarted(fiber_record& f) noexcept {
  drop(std::exchange(f.locals, nullptr));
  fiber_scope* const scope = scope_of(f);
  const bool is_daemon = f.is_daemon;
  give_back(f);
  if (scope != nullptr) scope->left(is_daemon);
}

error* error_of(fiber_record& finished) noexcept {
  const auto ask = finished.operations->error_of;
  return ask != nullptr && finished.end == fiber_end::value ? ask(finished) : nullptr;
}

void free_storage(fiber_record& f) noexcept {
  if (f.operations->is_outside) os::deallocate(f.storage());
}

void dispose(fiber_record& finished) noexcept {
  if (finished.end == fiber_end::value) {
    if (const error* const why = error_of(finished);
        why != nullptr && *why != errc::cancelled && !finished.is_taken) {
      report_untaken(*finished.home, {.why = *why, .fiber = finished.name});
    }
    if (finished.operations->destroy_value != nullptr) finished.operations->destroy_value(finished);
  } else {
    failure untaken{.fiber = finished.name};
#if BAST_EXCEPTIONS
    if (finished.end == fiber_end::exception) {
      untaken.exception = std::move(finished.exception());
      finished.exception().~exception_ptr();
    }
#endif
    if (finished.end == fiber_end::failed) untaken.why = finished.failure();
    if (!finished.is_taken && !BAST_MUTANT(untaken_failure_forgotten)) {
      report_untaken(*finished.home, std::move(untaken));
    }
  }
  give_back(finished);
}

void drop_handle(fiber_record& f) noexcept {
  f.join_lock.lock();
  // Relaxed: under the lock.
  const bool has_ended = f.finished.load(std::memory_order_relaxed);
  f.is_dropped = true;
  f.join_lock.unlock();
  if (has_ended && !BAST_MUTANT(dropped_outcome_kept)) dispose(f);
}

progress join_leaf::look(performer& who, bool links) {
  if (record_ == nullptr) {
    who.fail_with({errc::bad_state, "join", "the handle is empty: the outcome was taken"});
    return progress::failed;
  }
  const worker* const here = this_worker;
  if (here != nullptr && here->running() == record_) {
    who.fail_with({errc::deadlock, "join", "a fiber would wait for its own end"});
    return progress::failed;
  }
  progress got = progress::none;
  record_->join_lock.lock();
  // Relaxed: under the lock.
  if (record_->finished.load(std::memory_order_relaxed)) {
    got = who.commit_self(*this) ? progress::committed : progress::lost;
  } else if (links) {
    who.link(*this, *this);
  }
  record_->join_lock.unlock();
  return got;
}

// In front: the order of joiners does not matter.
void join_leaf::append(wait_node_of<real_traits>& mine) noexcept {
  mine.next = record_->joiners;
  mine.previous = nullptr;
  if (record_->joiners != nullptr) record_->joiners->previous = &mine;
  record_->joiners = &mine;
  mine.linked = true;
}

void join_leaf::delist() noexcept {
  if (node.linked) unlink_joiner(*record_, node);
}

void unlink_joiner(fiber_record& f, wait_node_of<real_traits>& mine) noexcept {
  f.join_lock.lock();
  if (mine.linked) {
    (mine.previous != nullptr ? mine.previous->next : f.joiners) = mine.next;
    if (mine.next != nullptr) mine.next->previous = mine.previous;
    mine.linked = false;
  }
  f.join_lock.unlock();
}

}  // namespace bast::inline BAST_ABI::internal
