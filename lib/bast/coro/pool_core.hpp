// SPDX-License-Identifier: Apache-2.0
//
// `pool_core`: a coroutine pool without templates. Lives in a mapping of its own and never moves;
// coro_pool is the user's handle.
//
//   I1  created = free + ready + running + suspended + finished + retired <= max   (F-15)
//   I2  Every block of this pool carries this pool's thread in its tag.
//   I3  A block has a stack exactly from start to release (D14).
//
// Owner's thread only; calls from other threads fail with wrong_thread.
#pragma once

#include <cstdint>

#include "bast/coro/chunk.hpp"
#include "bast/coro/options.hpp"
#include "bast/coro/thread.hpp"

namespace bast::inline BAST_ABI::internal {

/// The operation in a diagnosis: a row of table F-1.
enum class coro_op : std::uint8_t { start, resume, release, returned, peek, describe };

class pool_core {
 public:
  [[nodiscard]] static result<pool_core*> create(const coro_pool_options& options,
                                                 site_key where) noexcept;
  /// Unwinds suspended coroutines, newest first (F-17). Ends the process if one is running. Does
  /// nothing in a child that was forked without the pool's thread (IO-15).
  static void destroy(pool_core* dead) noexcept;

  /// Acquires a ready coroutine. Errors: wrong_thread, `limit`, no_memory.
  [[nodiscard]] result<coro_block*> acquire() noexcept {
    if (thread_ != this_thread.tag || free_ == nullptr) [[unlikely]] {
      if (auto filled = refill(); !filled) return std::unexpected(filled.error());
    }
    coro_block* const block = free_;
    free_ = block->next;
    block->tag = with_state(block->tag, coro_state::ready) | flags_;
    block->sequence = ++sequence_;
    return block;
  }

  /// Releases a coroutine in any state. Its tag was just compared with the caller's handle. Errors:
  /// busy.
  [[nodiscard]] result<void> release(coro_block& block) noexcept;
  /// Frees a suspended coroutine's stack without unwinding it (F-12). Errors: busy.
  [[nodiscard]] result<void> release_abandoning(coro_block& block) noexcept;

  /// Frees a block that never ran, or whose outcome was taken. `generation` is that of its tag, in
  /// place.
  void recycle(coro_block& block, coro_tag generation) noexcept {
    if (block.stack != nullptr) {
      block.hooks.ended();
      stacks_.release(*block.stack);
      block.stack = nullptr;
    }
    if (!BAST_MUTANT(user_data_kept)) block.user_data = nullptr;
    if (generation_of(generation) == generation_max) [[unlikely]] {
      block.tag = generation | thread_ | static_cast<coro_tag>(coro_state::retired);
      return;
    }
    // The next generation, and `free`, which is 0.
    static_assert(static_cast<coro_tag>(coro_state::free) == 0);
    if (BAST_MUTANT(generation_not_bumped)) generation -= coro_tag{1} << tag_generation_shift;
    const coro_tag kept = BAST_MUTANT(parked_flag_kept) ? block.tag & flag_parked : 0;
    block.tag = (generation + (coro_tag{1} << tag_generation_shift)) | thread_ | kept;
    block.next = free_;
    free_ = &block;
  }
  /// Called before the first run of an unstarted coroutine.
  static void begin(coro_block& block) noexcept;
  /// Called after its outcome was moved or rethrown. Destroys the value, which is user code: the
  /// block is held.
  static void forget_outcome(coro_block& block) noexcept;

  [[nodiscard]] result<void> adopt() noexcept;
  [[nodiscard]] result<void> reserve(std::size_t count) noexcept;
  bytes shrink() noexcept { return visits_ == 0 ? stacks_.shrink() : bytes{}; }
  coro_pool_stats stats() const noexcept;
  void check_invariants() noexcept;

  stack_pool& stacks() noexcept { return stacks_; }
  /// While one exists, user code visits stacks and sites: they stay in place.
  class visit {
   public:
    explicit visit(pool_core& home) noexcept : home_(home) { ++home_.visits_; }
    ~visit() { --home_.visits_; }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

   private:
    pool_core& home_;
  };
  /// The spawn site of a coroutine that has a stack.
  const site_key& site_of(const coro_block& block) noexcept {
    return stacks_.sites()[block.stack->site].key;
  }

  /// The error of `op` on `block`, reached through a handle of `generation`.
  [[gnu::cold]] static error diagnose(const coro_block& block, std::uint32_t generation,
                                      coro_op op) noexcept;

 private:
  pool_core() = default;
  ~pool_core() = default;

  [[nodiscard]] result<void> refill() noexcept;
  /// The error of a call on a thread other than the pool's: wrong_thread with the detail `whose`,
  /// or forked.
  [[gnu::cold]] error elsewhere(static_string operation, static_string whose) const noexcept;
  void unwind(coro_block& block) noexcept;
  void dispose_outcome(coro_block& block) noexcept;
  void release_everything() noexcept;
  void release_at_death(coro_block& block) noexcept;

  template <class F>
  void for_each_block(F f) const noexcept {
    std::size_t end = next_fresh_;  // The newest chunk is used up to here, older ones entirely.
    for (chunk* at = chunks_; at != nullptr; at = at->next) {
      for (std::size_t i = 1; i < end; ++i) f(at->block(i));
      end = chunk_blocks;
    }
  }

  coro_block* free_ = nullptr;  // LIFO
  coro_tag thread_ = 0;
  os::fork_mark process_;  // in which that thread became the owner
  coro_tag flags_ = 0;
  std::uint64_t sequence_ = 0;
  stack_pool stacks_;

  std::size_t max_ = 0;
  std::size_t created_ = 0;
  std::size_t inherited_ = 0;              // retired by an earlier pool, in this pool's chunks
  chunk* chunks_ = nullptr;                // newest first
  std::size_t next_fresh_ = chunk_blocks;  // within the newest; chunk_blocks: none left
  std::uint64_t swallowed_unwinds_ = 0;
  std::uint64_t abandoned_ = 0;
  std::uint64_t unhandled_ = 0;
  std::size_t visits_ = 0;
  unhandled_sink sink_;
};

/// The budget of a moved-from pool.
extern constinit stack_budget budget_of_nothing;

}  // namespace bast::inline BAST_ABI::internal
