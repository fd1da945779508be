// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/batch.hpp"

#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI::internal {

fiber_batch::~fiber_batch() {
  if (BAST_MUTANT(half_batch_kept)) return;
  while (first_ != nullptr) {
    fiber_record& f = *std::exchange(first_, first_->next);
    f.operations->destroy_callable(f);
    drop(std::exchange(f.locals, nullptr));
    give_back(f);
  }
}

result<fiber_record*> fiber_batch::prepare() noexcept {
  if (guest_of_ != nullptr) {
    return prepare_guest_spawn(*guest_of_, options_, site_, operations_, outside_bytes_);
  }
  if (is_usual() && outside_bytes_ == 0 && !options_.daemon) {
    if (fiber_record* const made = prepare_usual(this_worker, site_, options_.name, operations_)) {
      return made;
    }
  }
  return prepare_spawn(options_, site_, operations_, outside_bytes_);
}

void fiber_batch::append(fiber_record& complete) noexcept {
  complete.next = nullptr;
  (first_ != nullptr ? last_->next : first_) = &complete;
  last_ = &complete;
  ++count_;
}

result<void> fiber_batch::reserve() noexcept {
  if (count_ != 0 && is_usual() && !this_worker->reserve(count_)) {
    return fail(errc::no_memory, "spawn_batch", "no memory for the queue of unstarted fibers",
                static_cast<std::int64_t>(count_));
  }
  return {};
}

void fiber_batch::submit() noexcept {
  if (count_ == 0) return;
  fiber_record* at = std::exchange(first_, nullptr);
  if (is_usual()) return this_worker->submit_all(at, count_);
  while (at != nullptr) {
    fiber_record& f = *at;
    at = f.next;  // Once submitted, it is another's.
    if (guest_of_ != nullptr) {
      submit_guest_spawn(*guest_of_, f, options_);
    } else {
      submit_spawn(f, options_);
    }
  }
}

}  // namespace bast::inline BAST_ABI::internal
