// SPDX-License-Identifier: Apache-2.0
//
// `pool_core`: what a coroutine pool is, without templates. Lives in a mapping of its own and never
// moves; coro_pool is the handle that users hold.
//
//   I1  created = free + ready + running + suspended + finished + retired <= max   (F-15)
//   I2  Every block of this pool carries this pool's thread in its tag.
//   I3  A block has a stack exactly from start to release (D14).
//
// Owner's thread only; calls from another thread are answered with wrong_thread.
#pragma once

#include <cstdint>

#include "bast/coro/options.hpp"
#include "bast/coro/registry.hpp"
#include "bast/coro/thread.hpp"

namespace bast::internal {

/// Which operation a diagnosis is about: a row of table F-1.
enum class coro_op : std::uint8_t { start, resume, release, take, describe };

class pool_core {
 public:
  [[nodiscard]] static result<pool_core*> create(const coro_pool_options& options) noexcept;
  /// Unwinds what is suspended, newest first (F-17). Ends the process when one is running.
  static void destroy(pool_core* dead) noexcept;

  /// A ready coroutine. Errors: wrong_thread, `limit`, no_memory.
  [[nodiscard]] result<coro_block*> acquire() noexcept {
    if (thread_ != this_thread.id || free_head_ == 0) [[unlikely]] {
      if (auto filled = refill(); !filled) return std::unexpected(filled.error());
    }
    coro_block& block = block_at(free_head_);
    free_head_ = block.next;
    block.tag = with_state(block.tag, coro_state::ready) | flags_;
    block.sequence = ++sequence_;
    return &block;
  }

  /// Releases a coroutine whose tag was just compared with the caller's handle, in any state.
  /// Errors: busy.
  [[nodiscard]] result<void> release(coro_block& block) noexcept {
    // Finished, and nothing left to dispose of.
    const coro_tag special = flag_has_outcome | flag_swallowed | flag_unwinding;
    if (state_of(block.tag) != coro_state::finished || (block.tag & special) != 0) [[unlikely]] {
      return release_slow(block);
    }
    recycle(block);
    return {};
  }
  /// Frees a suspended coroutine's stack without unwinding it (F-12). Errors: busy.
  [[nodiscard]] result<void> release_abandoning(coro_block& block) noexcept;

  /// After its outcome was moved or rethrown.
  static void forget_outcome(coro_block& block) noexcept;

  [[nodiscard]] result<void> adopt() noexcept;
  [[nodiscard]] result<void> reserve(std::size_t count) noexcept;
  bytes shrink() noexcept { return stacks_.shrink(); }
  coro_pool_stats stats() const noexcept;
  void check_invariants() noexcept;

  stack_pool& stacks() noexcept { return stacks_; }
  std::uint16_t thread() const noexcept { return thread_; }

  /// Says why `block`, reached through a handle of `generation`, does not allow `op` here.
  [[gnu::cold]] static error diagnose(const coro_block& block, std::uint32_t generation,
                                      coro_op op) noexcept;

 private:
  pool_core() = default;
  ~pool_core() = default;

  [[nodiscard]] result<void> refill() noexcept;
  [[nodiscard]] result<void> release_slow(coro_block& block) noexcept;
  void unwind(coro_block& block) noexcept;
  void dispose_outcome(coro_block& block) noexcept;
  void release_everything() noexcept;
  void release_at_death(coro_block& block) noexcept;

  /// Frees a block that has nothing more to say.
  void recycle(coro_block& block) noexcept {
    if (block.stack != nullptr) {
      block.hooks.ended();
      stacks_.release(*block.stack);
      block.stack = nullptr;
    }
    block.user_data = nullptr;
    block.transfer = nullptr;
    const std::uint32_t generation = generation_of(block.tag);
    if (generation == generation_max) [[unlikely]] {
      block.tag = make_tag(generation, thread_, coro_state::retired);
      return;
    }
    block.tag = make_tag(generation + 1, thread_, coro_state::free);
    block.next = free_head_;
    free_head_ = index_of(block);
  }

  template <class F>
  void for_each_block(F f) const noexcept;

  std::uint32_t free_head_ = 0;  // index of a free block; 0: none
  std::uint16_t thread_ = 0;
  coro_tag flags_ = 0;
  std::uint32_t sequence_ = 0;
  stack_pool stacks_;

  std::size_t max_ = 0;
  std::size_t created_ = 0;
  std::uint32_t chunks_ = 0;      // newest first
  bool any_chunk_ = false;        // 0 is a legal chunk
  std::uint32_t next_fresh_ = 0;  // within the newest chunk; chunk_blocks: none left
  std::uint64_t swallowed_unwinds_ = 0;
  std::uint64_t abandoned_ = 0;
  std::uint64_t unhandled_ = 0;
  unhandled_sink sink_;
};

}  // namespace bast::internal
