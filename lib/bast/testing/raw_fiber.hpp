// SPDX-License-Identifier: Apache-2.0
//
// `raw_fiber`: a minimal fiber for tests of layer `arch`: a stack, two contexts and the sanitizers'
// hooks. No states, no checks; the test is the scheduler.
//
//   raw_fiber fiber(form::out_of_line, [](raw_fiber& self) { self.suspend<form::in_line>(); });
//   fiber.resume<form::in_line>();
//   fiber.resume<form::in_line>();  // ... now fiber.finished()
#pragma once

#include <functional>
#include <utility>

#include "bast/arch.hpp"
#include "bast/os.hpp"

namespace bast::test {

/// The two forms of the switch, as a value that tests can loop over.
enum class form { in_line, out_of_line };

inline const char* name_of(form f) { return f == form::in_line ? "inline" : "out of line"; }

/// True in builds with a sanitizer that must be notified of every switch.
inline constexpr bool hooks_needed =
    BAST_WITH_ASAN != 0 || BAST_WITH_TSAN != 0 || BAST_WITH_MSAN != 0;

template <form Form>
[[gnu::always_inline]] inline void switch_by(arch::context& from, arch::context& to) noexcept {
  // A sanitizer instruments calls, not asm that changes the stack; the library does not use the
  // inline form there either (switch_context).
  if constexpr (Form == form::in_line && !hooks_needed) {
    arch::switch_inline(from, to);
  } else {
    arch::switch_out_of_line(from, to);
  }
}

/// Calls `f.operator()<Resumer, Fiber>()` for each of the four mixtures of the two forms.
template <class F>
void for_each_mixture(F f) {
  f.template operator()<form::in_line, form::in_line>();
  f.template operator()<form::in_line, form::out_of_line>();
  f.template operator()<form::out_of_line, form::in_line>();
  f.template operator()<form::out_of_line, form::out_of_line>();
}

/// A bare stack. Sanitizers need space, so it is large.
class raw_stack {
 public:
  static constexpr std::size_t size = std::size_t{256} << 10;

  raw_stack() : base_(os::map(size).value()), id_(arch::introduce_stack(bounds())) {}
  ~raw_stack() {
    arch::forget_stack(id_);
    arch::fiber_hooks::recycle(bounds());
    os::release(base_, size);
  }
  raw_stack(const raw_stack&) = delete;
  raw_stack& operator=(const raw_stack&) = delete;

  std::byte* top() const { return base_ + size; }
  arch::stack_bounds bounds() const { return {.base = base_, .size = size}; }
  bool holds(const void* address) const { return address >= base_ && address < top(); }

 private:
  std::byte* base_;
  unsigned id_;  // for valgrind
};

/// Whether switching orders memory for the thread sanitizer if its own switches do not: a test that
/// is its own scheduler chooses the order of resumes and suspensions.
enum class edges { carried, none };

class raw_fiber {
 public:
  using body = std::function<void(raw_fiber&)>;

  /// `last` selects the final exit from the fiber: in_line is leave_for(), out_of_line a switch.
  raw_fiber(form last, body run, edges memory = edges::carried)
      : meeting_(memory == edges::carried ? this : nullptr), body_(std::move(run)) {
    arch::prepare(record_.own, stack_.top(),
                  last == form::in_line ? &enter<form::in_line> : &enter<form::out_of_line>);
    record_.fiber = this;
  }
  ~raw_fiber() { hooks_.ended(); }
  raw_fiber(const raw_fiber&) = delete;
  raw_fiber& operator=(const raw_fiber&) = delete;

  template <form Form>
  [[gnu::always_inline]] void resume() noexcept {
    resumer_hooks_.leave(hooks_, stack_.bounds(), meeting_);
    switch_by<Form>(resumer_, record_.own);
    resumer_hooks_.arrive(meeting_);
  }
  template <form Form>
  [[gnu::always_inline]] void suspend() noexcept {
    hooks_.leave(resumer_hooks_, {}, meeting_);
    switch_by<Form>(record_.own, resumer_);
    hooks_.arrive(meeting_);
  }

  bool finished() const { return finished_; }
  const raw_stack& stack() const { return stack_; }
  arch::context& own() { return record_.own; }
  arch::context& resumer() { return resumer_; }

 private:
  template <form Form>
  static void enter(arch::context* self) noexcept {
    raw_fiber& fiber = *reinterpret_cast<record*>(self)->fiber;
    fiber.hooks_.arrive(fiber.meeting_);
    fiber.body_(fiber);
    fiber.finished_ = true;
    fiber.hooks_.leave_for_good(fiber.resumer_hooks_, {}, fiber.meeting_);
    if constexpr (Form == form::in_line) {
      arch::leave_for(fiber.resumer_);
    } else {
      arch::switch_out_of_line(fiber.record_.own, fiber.resumer_);
    }
    __builtin_unreachable();
  }

  /// The context is first, because an entry function receives its address.
  struct record {
    arch::context own;
    raw_fiber* fiber = nullptr;
  };
  record record_;
  void* meeting_;  // for the hooks
  arch::context resumer_;
  [[no_unique_address]] arch::fiber_hooks hooks_;
  [[no_unique_address]] arch::fiber_hooks resumer_hooks_;
  raw_stack stack_;
  body body_;
  bool finished_ = false;
};

}  // namespace bast::test
