// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/batch.hpp"

#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI::internal {

fiber_batch::~fiber_batch() {
  if (BAST_MUTANT(half_batch_kept)) return;
  while (fiber_record* const f = fibers_.pop()) {
    f->operations->destroy_callable(*f);
    give_back_unstarted(*f);
  }
}

result<fiber_record*> fiber_batch::prepare() noexcept {
  if (guest_of_ != nullptr) {
    return prepare_guest_spawn(*guest_of_, options_, site_, operations_, outside_bytes_);
  }
  if (is_usual() && outside_bytes_ == 0 && !options_.daemon) {
    if (fiber_record* const made =
            prepare_usual(this_worker, scope_here(), site_, options_.name, operations_)) {
      return made;
    }
  }
  return prepare_spawn(scope_here(), options_, site_, operations_, outside_bytes_);
}

result<void> fiber_batch::reserve() noexcept {
  if (!fibers_.empty() && is_usual() && !this_worker->reserve(fibers_.size())) {
    return fail(errc::no_memory, "spawn_batch", "no memory for the queue of unstarted fibers",
                static_cast<std::int64_t>(fibers_.size()));
  }
  return {};
}

void fiber_batch::submit() noexcept {
  if (fibers_.empty()) return;
  if (is_usual()) return this_worker->submit_all(std::exchange(fibers_, {}));
  while (fiber_record* const f = fibers_.pop()) {
    if (guest_of_ != nullptr) {
      submit_guest_spawn(*guest_of_, *f, options_);
    } else {
      submit_spawn(*f, options_);
    }
  }
}

}  // namespace bast::inline BAST_ABI::internal
