// SPDX-License-Identifier: Apache-2.0
//
// `concurrent`: a fiber that certainly runs beside the caller (IO-2).
//
//   auto reader = bast::concurrent([&] { drain(program.out()); });
//   if (!reader) return ...;             // concurrency_unavailable: it would not have run
//   feed(program.in());                  // would block for ever if nobody read
//
// spawn() promises less: with run_options::stacks_max a fiber may wait for its stack until another
// one ends, and if there is no memory for one it fails at its join.
#pragma once

#include <source_location>
#include <type_traits>
#include <utility>

#include "bast/sched/spawn.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// A record with a stack of the calling worker, before it is submitted. Else frees the stack.
class bound_fiber {
 public:
  /// Errors: those of concurrent().
  [[nodiscard]] static result<bound_fiber> prepare(const spawn_options& options, site_key site,
                                                   const fiber_operations& operations,
                                                   std::size_t outside_bytes) noexcept;
  bound_fiber(bound_fiber&& other) noexcept
      : record_(other.record_),
        stack_(std::exchange(other.stack_, nullptr)),
        stack_class_(other.stack_class_) {}
  bound_fiber& operator=(bound_fiber&&) = delete;
  bound_fiber(const bound_fiber&) = delete;
  bound_fiber& operator=(const bound_fiber&) = delete;
  ~bound_fiber();

  fiber_record& record() const noexcept { return *record_; }
  /// The callable is in place: it is ready.
  void submit() noexcept;

 private:
  bound_fiber(fiber_record& record, slot& stack, std::uint8_t stack_class) noexcept
      : record_(&record), stack_(&stack), stack_class_(stack_class) {}
  fiber_record* record_;  // not owned: as after prepare_spawn()
  slot* stack_;
  std::uint8_t stack_class_;
};

}  // namespace internal

/// As spawn(), but the fiber has its stack when this returns, and is ready: it runs when the caller
/// and those before it wait or yield, whether or not other fibers end. So it is of the caller's
/// worker, as with spawn_options::pinned. If it fails, the argument is unchanged. Errors:
/// concurrency_unavailable (no stack is left of stacks_max, no memory, or the thread
/// runs no fibers); closed (the scope); forked; `invalid` (spawn_options::pool is set; no stack
/// class has that name).
template <class F>
[[nodiscard]] result<fiber<internal::fiber_value<std::decay_t<F>>>> concurrent(
    F&& function, const spawn_options& options = {},
    const std::source_location& where = std::source_location::current()) {
  using callable = std::decay_t<F>;
  using code = internal::fiber_code<callable>;
  auto made = internal::bound_fiber::prepare(options, site_key::at(where), code::operations,
                                             code::outside_bytes);
  if (!made) return std::unexpected(made.error());
  internal::place_callable<callable>(made->record(), std::forward<F>(function));
  made->submit();
  return internal::fiber_access::make<internal::fiber_value<callable>>(made->record());
}

}  // namespace bast::inline BAST_ABI
