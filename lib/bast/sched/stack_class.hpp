// SPDX-License-Identifier: Apache-2.0
//
// `worker_stack_class`: the stacks of one class on one worker (run_options::stack_classes), and the
// fibers that wait for one there. Of its worker's thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bast/sched/record.hpp"

namespace bast::inline BAST_ABI::internal {

class worker_stack_class {
 public:
  [[nodiscard]] result<void> init(const stack_options& options, std::size_t stacks_max,
                                  const char* name) noexcept {
    return pool_.init(options, stacks_max, site_key::labelled(name));
  }
  stack_pool& pool() noexcept { return pool_; }

  /// Errors: those of stack_pool::acquire.
  [[nodiscard]] result<slot*> acquire(site_key site, const char* name) noexcept {
    const auto stack = pool_.acquire(site, name);
    if (stack) ++live_;
    return stack;
  }
  void release(slot& unused) noexcept {
    pool_.release(unused);
    --live_;
    is_out_ = false;
  }
  /// True if a stack will come back.
  bool has_live() const noexcept { return live_ != 0; }

  /// An unstarted fiber, for this worker alone.
  void keep(fiber_record& unstarted) noexcept { kept_.append(unstarted); }
  /// It has found no stack: none is started until one comes back. Kept as the oldest.
  void keep_first(fiber_record& unstarted) noexcept { kept_.prepend(unstarted); }
  void mark_out() noexcept { is_out_ = true; }
  bool may_start() const noexcept { return !kept_.empty() && !is_out_; }
  /// The oldest that is kept. Only if may_start().
  fiber_record& take_oldest() noexcept { return *kept_.pop(); }

 private:
  stack_pool pool_;
  std::size_t live_ = 0;
  bool is_out_ = false;
  fifo<fiber_record> kept_;
};

}  // namespace bast::inline BAST_ABI::internal
