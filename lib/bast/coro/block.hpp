// SPDX-License-Identifier: Apache-2.0
//
// `coro_block`: the control block of a coroutine, one cache line, far away from its stack (D1).
//
// The tag is the whole truth about a coroutine in one word, so that one comparison answers "is this
// handle current, is this the right thread, is it in the right state":
//
//   63        32 31      16 15     8 7      0
//   [ generation | thread    | flags  | state ]
//
//   I1  The generation changes at each release and never repeats: a block whose generation would
//       wrap is retired (F-3).
//   I2  Only the owner thread writes the tag.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>

#include "bast/arch.hpp"
#include "bast/stack.hpp"

namespace bast::inline BAST_ABI {

/// Where a coroutine is in its life. See coro/README.md for the table of legal operations.
enum class coro_state : std::uint8_t { free, ready, running, suspended, finished, retired };

const char* name_of(coro_state state) noexcept;

namespace internal {

using coro_tag = std::uint64_t;

inline constexpr coro_tag tag_state_mask = 0xff;
inline constexpr coro_tag tag_flags_mask = 0xff00;
inline constexpr int tag_thread_shift = 16;
inline constexpr coro_tag tag_thread_mask = coro_tag{0xffff} << tag_thread_shift;
inline constexpr int tag_generation_shift = 32;
inline constexpr coro_tag tag_generation_mask = ~coro_tag{0} << tag_generation_shift;

inline constexpr coro_tag flag_unwinding = 1 << 8;     // every suspension throws (F-10)
inline constexpr coro_tag flag_own_float = 1 << 9;     // float control words travel with it
inline constexpr coro_tag flag_has_outcome = 1 << 10;  // finished, and its outcome is not taken
inline constexpr coro_tag flag_swallowed = 1 << 11;    // finished normally while unwinding
inline constexpr coro_tag flag_untyped = 1 << 12;      // yields and takes nothing: this_coro::yield
inline constexpr coro_tag flag_parked = 1 << 13;       // suspended; only its waker resumes it (F-4)
inline constexpr coro_tag flag_scheduled = 1 << 14;    // only its scheduler runs and ends it (F-4)
inline constexpr coro_tag flag_unstarted = 1 << 15;    // suspended before its first statement

static_assert(BAST_GENERATION_BITS >= 1 && BAST_GENERATION_BITS <= 32);
inline constexpr std::uint32_t generation_max =
    static_cast<std::uint32_t>((std::uint64_t{1} << BAST_GENERATION_BITS) - 1);

constexpr coro_tag make_tag(std::uint32_t generation, coro_tag thread, coro_state state) noexcept {
  return coro_tag{generation} << tag_generation_shift | thread | static_cast<coro_tag>(state);
}
constexpr std::uint32_t generation_of(coro_tag tag) noexcept {
  return static_cast<std::uint32_t>(tag >> tag_generation_shift);
}
constexpr coro_tag thread_of(coro_tag tag) noexcept { return tag & tag_thread_mask; }
constexpr coro_state state_of(coro_tag tag) noexcept {
  return static_cast<coro_state>(tag & tag_state_mask);
}
constexpr coro_tag with_state(coro_tag tag, coro_state state) noexcept {
  return (tag & ~tag_state_mask) | static_cast<coro_tag>(state);
}

/// A word that any thread may read: a stale handle leads to a block, and a block to a chunk, that
/// may be another thread's by then (F-16). No order is needed, because nobody goes on from what
/// another thread wrote: the thread and the generation in a tag tell that it is not one's own.
template <class T>
class shared_word {
 public:
  constexpr shared_word(T value = {}) noexcept : value_(value) {}
  shared_word(const shared_word&) = delete;
  shared_word& operator=(const shared_word&) = delete;
  ~shared_word() = default;
  shared_word& operator=(T value) noexcept {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }
  operator T() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_;
  static_assert(std::atomic<T>::is_always_lock_free);
};
static_assert(sizeof(shared_word<coro_tag>) == sizeof(coro_tag));

/// What a coroutine leaves in its block for as long as it has resumed another, so that debuggers
/// find where it did: addresses of what is saved of whoever resumed.
struct resumer_links {
  const arch::context* newest;  // the thread's: of the one that resumed what runs
  const arch::context* outer;   // on this coroutine's stack: of the one that resumed this one
};

struct alignas(64) coro_block {
  // Where it continues, unless it is running. First, so that the entry function, which is given the
  // context's address, is given the block's.
  union {
    arch::context context = {};
    resumer_links links;  // while it is running and has resumed another
  };
  shared_word<coro_tag> tag = 0;
  // What crosses the next switch: the value at yield and resume; the outcome once finished, and,
  // where there is a callable to destroy instead, while unstarted.
  void* transfer = nullptr;
  slot* stack = nullptr;  // from start to release
  void* user_data = nullptr;
  union {
    coro_block* next = nullptr;  // free: in the pool's list
    std::uint64_t sequence;      // else: of its acquisition; pools unwind newest first (F-17)
  };
  [[no_unique_address]] arch::fiber_hooks hooks;
};
static_assert(offsetof(coro_block, context) == 0);
static_assert(sizeof(resumer_links) <= sizeof(arch::context));
#if !(BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN)
static_assert(sizeof(coro_block) == 64);  // the context's 24 bytes and five words
#endif

/// One word for the layers above, which know more about coroutines than this one does: null at
/// start, gone at release. It is the highest word of the coroutine's own stack, beside the callable
/// and above every frame, so that it costs nothing per coroutine. From start to release.
struct coro_attachment;
inline coro_attachment*& attachment_of(const coro_block& block) noexcept {
  return *(reinterpret_cast<coro_attachment**>(block.stack->top) - 1);
}

}  // namespace internal
}  // namespace bast::inline BAST_ABI
