// SPDX-License-Identifier: Apache-2.0
//
// A worker and its fibers of stack classes, unstarted ones in a deque of their own. Nothing here is
// on the path of other fibers.
#include "bast/sched/stack_class.hpp"

#include <memory>

#include "bast/sched/core.hpp"
#include "bast/sched/turns.hpp"

namespace bast::inline BAST_ABI::internal {

result<void> worker::open_classes() noexcept {
  const auto& wanted = core_.stack_classes();
  if (wanted.empty()) return {};
  static_assert(alignof(worker_stack_class) <= alignof(std::max_align_t));
  void* const memory = os::allocate(wanted.size() * sizeof(worker_stack_class));
  if (memory == nullptr) return fail(errc::no_memory, "run", "no memory for the stack classes");
  classes_ = static_cast<worker_stack_class*>(memory);
  std::uninitialized_default_construct_n(classes_, wanted.size());
  class_count_ = wanted.size();
  for (std::size_t i = 0; i < class_count_; ++i) {
    stack_options stack = wanted[i].stack;
    prepare_options(stack);
    const auto ready = classes_[i].init(stack, wanted[i].stacks_max, wanted[i].name);
    if (!ready) return ready;
    classes_[i].pool().set_user(running_stack_of, this_thread.tag);
  }
  return {};
}

void worker::close_classes() noexcept {
  std::destroy_n(classes_, std::exchange(class_count_, 0));
  os::deallocate(std::exchange(classes_, nullptr));
}

stack_pool& worker::stacks_of(std::uint8_t stack_class) noexcept {
  return stack_class == 0 ? stacks() : class_of(stack_class).pool();
}

result<slot*> worker::acquire_stack(std::uint8_t stack_class, site_key site,
                                    const char* name) noexcept {
  return stack_class == 0 ? stacks().acquire(site, name)
                          : class_of(stack_class).acquire(site, name);
}

void worker::return_stack_of_class(slot& unused, std::uint8_t stack_class) noexcept {
  worker_stack_class& of = class_of(stack_class);
  of.release(unused);
  if (of.may_start()) may_start_own_ = true;
}

// --- spawned -------------------------------------------------------------------------------------

void worker::submit_of_class(fiber_record& f) noexcept {
  count_spawn(f);
  offer_of_class(f);
}

// A deque of their own: when the default stacks are used up, nothing is taken from unstarted_.
void worker::offer_of_class(fiber_record& unstarted) noexcept {
  may_start_own_ = true;
  if (!classed_.push(&unstarted)) {
    keep_of_class(unstarted);
  } else if (group_.count > 1) {
    tell_thieves();
  }
}

void worker::keep_of_class(fiber_record& unstarted) noexcept {
  class_of(unstarted.stack_class).keep(unstarted);
}

// --- started -------------------------------------------------------------------------------------

// As start(). What finds no stack waits with its class: in a deque it would be taken again at once.
coro_block* worker::start_of_class(fiber_record& f, bool is_own) noexcept {
  worker_stack_class& of = class_of(f.stack_class);
  if (!may_start(f)) [[unlikely]]
    return fail_to_start(f);
  const auto stack = of.acquire(f.site, f.name);
  if (stack) {
    begin_on(f, **stack);
    chosen_ = &f.block;
    return &f.block;
  }
  // As in start(). The stack that returns counts as live.
  if (of.has_live() && (stack.error() == errc::limit || returns_stack_of(f.stack_class))) {
    is_own ? of.keep_first(f) : of.keep(f);
    of.mark_out();
  } else {
    fail_start(f, stack.error());
  }
  return nullptr;
}

// IO-7: the deques and the lists in turn, the oldest of each.
coro_block* worker::start_in_turn() noexcept {
  const std::size_t turns = class_count_ + 3;
  coro_block* block = nullptr;
  for (std::size_t tried = 0; tried < turns && block == nullptr; ++tried) {
    own_turn_ = own_turn_ + 1 < turns ? own_turn_ + 1 : 0;
    if (own_turn_ < class_count_) {
      worker_stack_class& of = classes_[own_turn_];
      if (of.may_start()) block = start_of_class(of.take_oldest(), true);
    } else if (own_turn_ == class_count_) {
      block = steal_of_class(*this);
    } else if (own_turn_ == class_count_ + 1) {
      if (!own_.empty() && has_stacks()) block = start(*own_.pop(), true);
    } else if (has_stacks()) {
      if (const auto oldest = unstarted_.steal()) block = start(**oldest);
    }
  }
  may_start_own_ = (!own_.empty() && has_stacks()) || classed_.size() != 0;
  for (std::size_t i = 0; i < class_count_; ++i) may_start_own_ |= classes_[i].may_start();
  return block;
}

coro_block* worker::steal_of_class(worker& victim) noexcept {
  while (victim.classed_.size() != 0) {
    const auto oldest = victim.classed_.steal();
    if (!oldest) break;
    if (&victim != this && victim.classed_.size() != 0) tell_thieves();
    if (coro_block* const block = start_of_class(**oldest, false)) return block;
  }
  return nullptr;
}

bool worker::returns_stack_of(std::uint8_t stack_class) const noexcept {
  return returning_ != nullptr && returning_->stack_class == stack_class;
}

bool worker::holds_default_stack() const noexcept { return default_stacks_ != 0; }

}  // namespace bast::inline BAST_ABI::internal
