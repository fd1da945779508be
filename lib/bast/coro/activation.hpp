// SPDX-License-Identifier: Apache-2.0
//
// `activation`: one run of a callable on a coroutine's stack. It lies at the top of that stack, so
// that starting allocates nothing: callable, outcome, then the frames.
//
//   top of the stack ->  [ activation: callable, outcome ]
//                        [ entry frame                   ]  arch::prepare
//                        [ enter()'s frame ...           ]
#pragma once

#include <cstdint>
#include <new>
#include <type_traits>
#include <utility>

#include "bast/coro/outcome.hpp"
#include "bast/coro/transfer.hpp"
#include "bast/coro/unwind.hpp"
#include "bast/coro/yielder.hpp"

namespace bast::inline BAST_ABI::internal {

template <class F, class Yield, class Resume, class Return>
class activation : public outcome<Return> {
 public:
  template <class G>
    requires(!std::is_same_v<std::remove_cvref_t<G>, activation>)
  explicit activation(G&& callable) : callable_(std::forward<G>(callable)) {}
  ~activation() {}
  activation(const activation&) = delete;
  activation& operator=(const activation&) = delete;

  /// Its address on a stack that ends at `top`: below the attachment (block.hpp).
  static std::byte* place_at(std::byte* top) noexcept {
    const auto ceiling =
        reinterpret_cast<std::uintptr_t>(top) - sizeof(coro_attachment*) - sizeof(activation);
    return top - sizeof(coro_attachment*) - sizeof(activation) - ceiling % alignof(activation);
  }
  /// The maximum size above the entry frame.
  static constexpr std::size_t room =
      sizeof(coro_attachment*) + sizeof(activation) + alignof(activation);

  /// For one that may never run: what is to be destroyed then is the callable.
  void defer() noexcept { this->destroy_value = destroy_callable; }

  /// The entry function that arch::prepare starts. `self` is the block's context.
  static void enter(arch::context* self) noexcept {
    coro_block& block = *reinterpret_cast<coro_block*>(self);
    block.hooks.arrive(&block);
    auto& mine = *std::launder(reinterpret_cast<activation*>(place_at(block.stack->top)));
    const coro_tag flags = mine.run_to_the_end(block);
    outcome_base* const left = &mine;
    block.transfer = left;
    finish(block, flags);
  }

 private:
  static void destroy_callable(outcome_base& self) noexcept {
    static_cast<activation&>(self).callable_.~F();
  }

  // What a normal return leaves: a value, unless there is none.
  static constexpr coro_tag returned = std::is_void_v<Return> ? 0 : flag_has_outcome;

  // Keeps every exception that leaves the callable: an exception never crosses a switch (F-6).
  // Returns the flags for the tag.
  coro_tag run_to_the_end(coro_block& block) noexcept {
    coro_tag flags = returned;
#if BAST_EXCEPTIONS
    try {
      call(block);
      if ((block.tag & flag_unwinding) != 0) [[unlikely]]
        flags |= flag_swallowed;
    } catch (const forced_unwind&) {
      flags = 0;
    } catch (...) {
      this->failure = std::current_exception();
      flags = flag_has_outcome;
    }
#else
    call(block);
#endif
    callable_.~F();
    return flags;
  }

  void call(coro_block& block) {
    [[maybe_unused]] void* const first = block.transfer;  // of the first resume
    yielder<Yield, Resume> out(block);
    this->set_from([&]() -> Return {
      if constexpr (std::is_invocable_v<F&, yielder<Yield, Resume>&>) {
        return static_cast<Return>(callable_(out));
      } else if constexpr (std::is_invocable_v<F&, Resume, yielder<Yield, Resume>&>) {
        return static_cast<Return>(callable_(std::move(*static_cast<Resume*>(first)), out));
      } else {
        return static_cast<Return>(callable_());
      }
    });
  }

  union {
    F callable_;
  };
};

/// The largest alignment of an activation: a page would not fit in a small window.
inline constexpr std::size_t activation_alignment_max = 1024;

}  // namespace bast::inline BAST_ABI::internal
