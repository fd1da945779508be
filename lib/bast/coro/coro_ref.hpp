// SPDX-License-Identifier: Apache-2.0
//
// `coro_ref`: a handle that does not own its coroutine. The owner is in coro.hpp.
//
// A handle is an index into the block table and a generation. Every operation first compares the
// generation, the calling thread and the state in one step. If one differs, it fails with the error
// of table F-1 and changes nothing. No operation here allocates from the heap.
//
// While an operation runs user code, for example a value's conversion or move, the coroutine counts
// as running (held.hpp).
#pragma once

#include <exception>
#include <memory>
#include <source_location>
#include <type_traits>
#include <utility>

#include "bast/coro/activation.hpp"
#include "bast/coro/held.hpp"
#include "bast/coro/pool_core.hpp"
#include "bast/coro/step.hpp"
#include "bast/coro/switch_to.hpp"

namespace bast::inline BAST_ABI {

class coro_pool;
template <class Yield, class Resume, class Return>
class coro;

/// A handle of a coroutine that yields `Yield`, is resumed with `Resume` and returns `Return`.
/// Copyable, 16 bytes; safe to use when stale. Use on the pool's thread.
template <class Yield = void, class Resume = void, class Return = void>
class coro_ref {
 public:
  /// An empty handle: every operation fails with stale_handle.
  coro_ref() = default;

  /// Runs `callable` on its own stack until it first suspends or finishes. Calls
  /// callable(yielder<Yield, Resume>&) or callable(). The callable is stored on the new stack and
  /// destroyed there when it returns. Its depth is recorded under the caller's source location.
  /// Errors: table F-1; `limit` and no_memory if there is no stack: the coroutine then stays ready,
  /// also if the callable's constructor throws, which propagates.
  template <class F>
  step<Yield> start(F&& callable, std::source_location where = std::source_location::current()) {
    return start_at(site_key::at(where), std::forward<F>(callable), nullptr);
  }
  /// The same, recorded under a label that also becomes the name.
  template <class F>
  step<Yield> start(static_string label, F&& callable) {
    return start_at(site_key::labelled(label.c_str()), std::forward<F>(callable), label.c_str());
  }

  /// Continues a suspended coroutine, or begins one from coro_pool::make, and passes `value` to it,
  /// until it suspends again or finishes. Errors: table F-1; the caller then still has the value.
  /// If the value's conversion throws, that propagates and the coroutine stays suspended.
  template <class V = Resume>
    requires(!std::is_void_v<Resume> && std::is_convertible_v<V, Resume>)
  [[gnu::always_inline]] step<Yield> resume(V&& value) {
    if constexpr (std::is_trivially_constructible_v<Resume, V>) {
      Resume crossing(std::forward<V>(value));
      return resume_with(&crossing);
    } else {
      internal::coro_tag flags = usual_flags;
      if (!is(coro_state::suspended, flags)) [[unlikely]]
        return refuse(internal::coro_op::resume);
      Resume crossing = [&]() -> Resume {
        const internal::held converting(*block_);
        return static_cast<Resume>(std::forward<V>(value));
      }();
      return continue_with(&crossing, block_->tag & internal::tag_flags_mask);
    }
  }
  [[gnu::always_inline]] step<Yield> resume()
    requires(std::is_void_v<Resume>)
  {
    return resume_with(nullptr);
  }

  /// The step of the latest run, for a coroutine that its executor resumes. Moves a yielded value
  /// out. Errors: table F-1; busy, bad_state.
  step<Yield> peek() noexcept {
    const auto found = find(internal::coro_op::peek);
    if (!found) return std::unexpected(found.error());
    const internal::coro_tag tag = (*found)->tag;
    const coro_state state = internal::state_of(tag);
    if (state == coro_state::running || state == coro_state::ready ||
        (tag & internal::flag_unstarted) != 0) {
      return refuse(internal::coro_op::peek);
    }
    return latest_step();
  }

  /// Moves the result of a finished coroutine out, once. Rethrows the exception that ended it.
  /// Errors: table F-1; bad_state after the result was moved out.
  [[nodiscard]] result<Return> returned();

  /// Ends the coroutine and returns its stack. Unwinds a suspended coroutine first; disposes of an
  /// outcome that was not taken (F-6). Errors: busy while it runs; stale_handle, wrong_thread.
  [[nodiscard, gnu::always_inline]] result<void> release() noexcept {
    if (release_quietly()) [[likely]]
      return {};
    return release_slow();
  }
  /// The same without unwinding: leaks the locals of a suspended coroutine (F-12). See `abandon_t`.
  [[nodiscard]] result<void> release(abandon_t) noexcept {
    const auto found = find(internal::coro_op::release);
    if (!found) return std::unexpected(found.error());
    return pool().release_abandoning(**found);
  }

  /// The state; `free` for a stale handle. Any thread may call it; only the owner can rely on it.
  coro_state state() const noexcept {
    const internal::coro_tag tag = block_->tag;
    const coro_state now = internal::state_of(tag);
    // A retired block keeps the generation of its last handle, which is stale all the same.
    const bool is_current = (tag & internal::tag_generation_mask) == generation_;
    return is_current && now != coro_state::retired ? now : coro_state::free;
  }

  /// A name for reports, from start to release. Errors: table F-1; bad_state before start.
  [[nodiscard]] result<void> set_name(static_string name) noexcept {
    const auto found = find(internal::coro_op::describe);
    if (!found) return std::unexpected(found.error());
    if ((*found)->stack == nullptr) return refuse(internal::coro_op::describe);
    (*found)->stack->name = name.c_str();
    return {};
  }
  /// The name, or null when there is none or the handle is stale.
  const char* name() const noexcept {
    const auto found = find(internal::coro_op::describe);
    return found && (*found)->stack != nullptr ? (*found)->stack->name : nullptr;
  }

  /// A user pointer: null at acquire and after release. Errors: stale_handle, wrong_thread, busy.
  [[nodiscard]] result<void> set_user_data(void* data) noexcept {
    const auto found = find(internal::coro_op::describe);
    if (!found) return std::unexpected(found.error());
    (*found)->user_data = data;
    return {};
  }
  void* user_data() const noexcept {
    const auto found = find(internal::coro_op::describe);
    return found ? (*found)->user_data : nullptr;
  }

  friend bool operator==(const coro_ref&, const coro_ref&) = default;

 private:
  friend class coro_pool;
  friend class coro<Yield, Resume, Return>;
  explicit coro_ref(internal::coro_block& block) noexcept
      : block_(&block), generation_(block.tag & internal::tag_generation_mask) {}

  /// Releases a finished coroutine whose release runs no user code. For any other, returns false
  /// and changes nothing.
  [[gnu::always_inline]] bool release_quietly() noexcept {
    internal::coro_tag flags = usual_flags;
    if (!is(coro_state::finished, flags) || flags != usual_flags) [[unlikely]]
      return false;
    pool().recycle(*block_, generation_);
    return true;
  }
  bool refers_to_nothing() const noexcept { return block_ == &internal::never_valid; }

  /// The tag that this handle's coroutine has on this thread in `state`.
  internal::coro_tag tag_in(coro_state state) const noexcept {
    return generation_ | internal::this_thread.tag | static_cast<internal::coro_tag>(state);
  }
  /// The pool of a current handle.
  internal::pool_core& pool() const noexcept { return *internal::chunk::of(*block_).owner; }

  static constexpr internal::coro_tag usual_flags =
      std::is_void_v<Yield> && std::is_void_v<Resume> ? internal::flag_untyped : 0;

  /// Returns true if the handle is current, on this thread, and in `state`: one comparison for the
  /// usual flags. Otherwise sets `flags` to the actual ones.
  [[gnu::always_inline]] bool is(coro_state state, internal::coro_tag& flags) const noexcept {
    const internal::coro_tag tag = block_->tag;
    const internal::coro_tag wanted = tag_in(state);
    if (tag == (wanted | flags)) [[likely]]
      return true;
    flags = tag & internal::tag_flags_mask;
    const bool is_anothers = (flags & (internal::flag_parked | internal::flag_scheduled)) != 0;
    return tag == (wanted | flags) && (!is_anothers || BAST_MUTANT(parked_is_resumable));
  }

  std::unexpected<error> refuse(internal::coro_op op) const noexcept {
    return std::unexpected(
        internal::pool_core::diagnose(*block_, internal::generation_of(generation_), op));
  }

  /// The block of a current handle on its own thread, in any state.
  result<internal::coro_block*> find(internal::coro_op op) const noexcept {
    internal::coro_block& found = *block_;
    const internal::coro_tag any_state =
        found.tag & ~(internal::tag_flags_mask | internal::tag_state_mask);
    const auto state = internal::state_of(found.tag);
    if (any_state != tag_in(coro_state::free) || state == coro_state::free ||
        state == coro_state::retired) [[unlikely]] {
      return refuse(op);
    }
    return block_;
  }

  [[gnu::noinline]] result<void> release_slow() noexcept { return release_any(); }
  [[gnu::always_inline]] result<void> release_any() noexcept {
    const auto found = find(internal::coro_op::release);
    if (!found) return std::unexpected(found.error());
    return pool().release(**found);
  }

  template <class F>
  step<Yield> start_at(site_key site, F&& callable, const char* name);
  /// Acquires a stack and stores the callable at its top; the first run calls it. Errors: `limit`,
  /// no_memory; the coroutine then stays ready.
  template <class F>
  result<void> load(site_key site, F&& callable, const char* name);
  /// The same for a ready coroutine of coro_pool::make, which becomes suspended.
  template <class F>
  result<void> defer(site_key site, F&& callable, const char* name);

  /// Runs a suspended coroutine and passes `value` to it unless Resume is void.
  [[gnu::always_inline]] step<Yield> resume_with([[maybe_unused]] void* value) {
    // With the usual flags one comparison suffices and yields the next tag.
    constexpr auto to_running = static_cast<internal::coro_tag>(coro_state::suspended) ^
                                static_cast<internal::coro_tag>(coro_state::running);
    const internal::coro_tag usual = tag_in(coro_state::suspended) | usual_flags;
    if (block_->tag == usual) [[likely]] {
      if constexpr (!std::is_void_v<Resume>) block_->transfer = value;
      internal::run_usual(*block_, internal::this_thread, usual ^ to_running);
      return latest_step();
    }
    internal::coro_tag flags = usual_flags;
    if (!is(coro_state::suspended, flags)) return refuse(internal::coro_op::resume);
    return continue_with(value, flags);
  }

  [[gnu::always_inline]] step<Yield> continue_with(void* value, internal::coro_tag flags) {
    internal::coro_block& b = *block_;
    internal::thread_state& thread = internal::this_thread;
    if ((flags & internal::flag_unstarted) != 0) {
      internal::pool_core::begin(b);
      flags &= ~internal::flag_unstarted;
    }
    b.transfer = value;
    internal::run(b, thread, tag_in(coro_state::running) | flags);
    return latest_step();
  }

  [[gnu::always_inline]] step<Yield> latest_step() const noexcept {
    internal::coro_block& b = *block_;
    const internal::coro_tag tag = b.tag;
    const bool suspended = internal::state_of(tag) == coro_state::suspended;
    const bool parked = (tag & internal::flag_parked) != 0;
    if (!suspended || parked) [[unlikely]]
      return parked ? step<Yield>::of_park() : step<Yield>::of_finish();
    if constexpr (std::is_void_v<Yield>) {
      return step<Yield>::of_yield({});
    } else {
      const internal::held_if<!std::is_trivially_move_constructible_v<Yield>> moving(b);
      return step<Yield>::of_yield(std::move(*static_cast<Yield*>(b.transfer)));
    }
  }

  internal::coro_block* block_ = &internal::never_valid;
  internal::coro_tag generation_ = 0;  // at its position in the tag
};

// --- implementation ------------------------------------------------------------------------------

template <class Yield, class Resume, class Return>
template <class F>
step<Yield> coro_ref<Yield, Resume, Return>::start_at(site_key site, F&& callable,
                                                      const char* name) {
  using callable_type = std::decay_t<F>;
  static_assert(std::is_invocable_v<callable_type&, yielder<Yield, Resume>&> ||
                    std::is_invocable_v<callable_type&>,
                "a coroutine is called with its yielder or with nothing");
  internal::coro_tag flags = 0;
  if (!is(coro_state::ready, flags)) [[unlikely]]
    return refuse(internal::coro_op::start);
  if (auto loaded = load(site, std::forward<F>(callable), name); !loaded) [[unlikely]]
    return std::unexpected(loaded.error());
  // Storing the callable runs user code, which may have set flags.
  if constexpr (!std::is_trivially_constructible_v<callable_type, F>) {
    flags = block_->tag & internal::tag_flags_mask;
  }
  return continue_with(nullptr, flags | usual_flags);
}

template <class Yield, class Resume, class Return>
template <class F>
result<void> coro_ref<Yield, Resume, Return>::load(site_key site, F&& callable, const char* name) {
  using callable_type = std::decay_t<F>;
  using activation = internal::activation<callable_type, Yield, Resume, Return>;
  static_assert(alignof(activation) <= internal::activation_alignment_max,
                "the callable or the result is over-aligned for the top of a stack");

  const result<slot*> stack = pool().stacks().acquire(site, name);
  if (!stack) [[unlikely]]
    return std::unexpected(stack.error());

  // The attachment at the top, the activation below it, then the entry frame.
  constexpr std::size_t room = activation::room + arch::stack_alignment + arch::entry_frame_bytes;
  slot& home = **stack;
  if constexpr (room > 4096) {  // The smallest page, and so the smallest window.
    if (auto open = ensure_open(home, home.top - room); !open) {
      pool().stacks().release(home);
      if (open.error().kind() != errc::limit) return std::unexpected(open.error());
      return fail(errc::limit, "start", "the function and its result do not fit the stack",
                  static_cast<std::int64_t>(sizeof(activation)));
    }
  }
  internal::coro_block& b = *block_;
  b.stack = &home;
  std::byte* const place = activation::place_at(home.top);
  const auto store = [&] {
    const internal::held_if<!std::is_trivially_constructible_v<callable_type, F>> storing(b);
    new (place) activation(std::forward<F>(callable));
  };
#if BAST_EXCEPTIONS
  try {
    store();
  } catch (...) {
    b.stack = nullptr;
    pool().stacks().release(home);
    throw;
  }
#else
  store();
#endif
  internal::bind(b, home, place, &activation::enter);
  return {};
}

template <class Yield, class Resume, class Return>
template <class F>
result<void> coro_ref<Yield, Resume, Return>::defer(site_key site, F&& callable, const char* name) {
  using activation = internal::activation<std::decay_t<F>, Yield, Resume, Return>;
  if (auto loaded = load(site, std::forward<F>(callable), name); !loaded) return loaded;
  internal::coro_block& b = *block_;
  auto* const stored =
      std::launder(reinterpret_cast<activation*>(activation::place_at(b.stack->top)));
  stored->defer();
  b.transfer = static_cast<internal::outcome_base*>(stored);
  b.tag =
      internal::with_state(b.tag, coro_state::suspended) | usual_flags | internal::flag_unstarted;
  return {};
}

template <class Yield, class Resume, class Return>
result<Return> coro_ref<Yield, Resume, Return>::returned() {
  internal::coro_tag flags = usual_flags;
  if (!is(coro_state::finished, flags)) [[unlikely]]
    return refuse(internal::coro_op::returned);
  internal::coro_block& b = *block_;
  auto& left =
      *static_cast<internal::outcome<Return>*>(static_cast<internal::outcome_base*>(b.transfer));
  if constexpr (!std::is_void_v<Return>) {
    if ((flags & internal::flag_has_outcome) == 0) {
      return fail(errc::bad_state, "returned", "the result was moved out before");
    }
  }
#if BAST_EXCEPTIONS
  if (left.failed()) {
    const std::exception_ptr failure = left.failure;
    internal::pool_core::forget_outcome(b);
    std::rethrow_exception(failure);
  }
#endif
  if constexpr (std::is_void_v<Return>) {
    (void)left;
    return {};
  } else {
    const internal::held taking(b);
    result<Return> taken(std::move(left.value));
    internal::pool_core::forget_outcome(b);
    return taken;
  }
}

}  // namespace bast::inline BAST_ABI
