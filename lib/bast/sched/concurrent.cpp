// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/concurrent.hpp"

#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

// The reason in the words of whatever found it. A scope that is closed refuses every fiber: S-2.
std::unexpected<error> unavailable(const error& why) noexcept {
  if (why == errc::forked || why == errc::closed) return std::unexpected(why);
  return fail(errc::concurrency_unavailable, "concurrent", static_string::promise(why.detail()),
              why.value().value_or(error::no_value));
}

}  // namespace

result<bound_fiber> bound_fiber::prepare(const spawn_options& options, site_key site,
                                         const fiber_operations& operations,
                                         std::size_t outside_bytes) noexcept {
  if (options.pool != nullptr) {
    return fail(errc::invalid, "concurrent",
                "spawn_options::pool is set: the fiber would be of another worker");
  }
  if (this_worker != nullptr) {
    const auto known = this_worker->core().stack_class(options.stack);
    if (!known) return std::unexpected(known.error());
  }
  const auto made = prepare_spawn(scope_here(), options, site, operations, outside_bytes);
  if (!made) return unavailable(made.error());
  auto stack = this_worker->may_start(**made)
                   ? this_worker->acquire_stack((*made)->stack_class, site, options.name)
                   : result<slot*>(fail(errc::no_memory, "spawn", "no memory for the fiber"));
  if (!stack) {
    abandon_spawn(**made);
    return unavailable(stack.error());
  }
  return bound_fiber(**made, **stack, (*made)->stack_class);
}

bound_fiber::~bound_fiber() {
  if (stack_ != nullptr) this_worker->return_stack(*stack_, stack_class_);
}

void bound_fiber::submit() noexcept {
  if (BAST_MUTANT(concurrent_waits)) {
    this_worker->return_stack(*std::exchange(stack_, nullptr), stack_class_);
    return this_worker->submit_own(*record_);
  }
  this_worker->submit_bound(*record_, *std::exchange(stack_, nullptr));
}

}  // namespace bast::inline BAST_ABI::internal
