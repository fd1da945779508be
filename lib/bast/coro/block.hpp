// SPDX-License-Identifier: Apache-2.0
//
// `coro_block`: the control block of a coroutine, one cache line, far away from its stack (D1).
//
// The tag holds the complete state of a coroutine in one word. One comparison checks whether a
// handle is current, the thread is right and the state is right:
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

/// The life of a coroutine. See coro/README.md for the legal operations.
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

/// A word that any thread may read. A stale handle leads to a block, and a block to a chunk, that
/// may belong to another thread (F-16). Needs no ordering: a reader does not act on another
/// thread's data, because the thread and generation in the tag show that it is not the reader's.
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

/// Stored in a coroutine's block while it has another one resumed, for debuggers: the addresses of
/// the saved contexts of the resumers.
struct resumer_links {
  const arch::context* newest;  // the thread's: of the resumer of the running coroutine
  const arch::context* outer;   // on this coroutine's stack: of its own resumer
};

struct coro_attachment;

struct alignas(64) coro_block {
  // The suspended context. First, so that the context's address, which the entry function receives,
  // is the block's.
  union {
    arch::context context = {};
    resumer_links links;  // while it is running and has resumed another
  };
  shared_word<coro_tag> tag = 0;
  union {
    // The data of the next switch: the value at yield and resume; the outcome once finished; the
    // callable to destroy while unstarted.
    void* transfer = nullptr;
    coro_attachment* attachment;  // of a scheduled one, which yields no values
  };
  slot* stack = nullptr;  // from start to release
  void* user_data = nullptr;
  union {
    coro_block* next = nullptr;  // free: in the pool's list
    std::uint64_t sequence;      // else: order of acquisition; pools unwind newest first (F-17)
  };
  [[no_unique_address]] arch::fiber_hooks hooks;
};
static_assert(offsetof(coro_block, context) == 0);
static_assert(sizeof(resumer_links) <= sizeof(arch::context));
#if !(BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN)
static_assert(sizeof(coro_block) == 64);  // the context's 24 bytes and five words
#endif

/// One word for the layers above: null at start, invalid after release. A scheduled coroutine has
/// it in its block. For others it is the highest word of their own stack, above the callable and
/// every frame, so it needs no memory of its own.
inline coro_attachment*& attachment_of(const coro_block& block) noexcept {
  if ((block.tag & flag_scheduled) != 0) return const_cast<coro_block&>(block).attachment;
  return *(reinterpret_cast<coro_attachment**>(block.stack->top) - 1);
}

}  // namespace internal
}  // namespace bast::inline BAST_ABI
