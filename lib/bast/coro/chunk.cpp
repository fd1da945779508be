// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/chunk.hpp"

#include <algorithm>
#include <mutex>
#include <new>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

// The table is opened in steps: one mprotect per thousand coroutines.
constexpr std::size_t step_bytes = 16 * chunk_bytes;

struct block_table {
  std::mutex lock;
  std::byte* table = nullptr;
  std::size_t reserved = 0;  // bytes
  std::size_t opened = 0;    // bytes, from the low end
  std::size_t used = 0;      // bytes ever handed out
  chunk* free[2] = {};       // returned chunks, by kind (I3)
};
constinit block_table the;

/// Describes the control blocks to readers of the stack registry.
watch::coro_layout layout_of_blocks() noexcept {
  constexpr std::size_t context = offsetof(coro_block, context);
  watch::coro_layout layout{};
  layout.record_bytes = sizeof(coro_block);
  layout.sp = context + offsetof(arch::context, sp);
  layout.pc = context + offsetof(arch::context, pc);
  layout.fp = context + offsetof(arch::context, fp);
  layout.tag = offsetof(coro_block, tag);
  layout.stack = offsetof(coro_block, stack);
  layout.head_every = chunk_blocks;
  layout.newest = offsetof(coro_block, links) + offsetof(resumer_links, newest);
  layout.outer = offsetof(coro_block, links) + offsetof(resumer_links, outer);
  return layout;
}
static_assert(static_cast<int>(coro_state::suspended) ==
              static_cast<int>(watch::coro_state::suspended));
static_assert(flag_parked == watch::coro_flag_parked);

result<void> reserve_table() noexcept {
  // A fiber may be spawned before there is a stack.
  if (auto opened = watch::open_registry(); !opened) return opened;
  const std::size_t step = std::max(step_bytes, os::page_bytes());
  // Where the address space is limited (RLIMIT_AS), halves the size down to one step.
  for (std::size_t size = blocks_max * sizeof(coro_block);; size /= 2) {
    const auto table = os::reserve(size, step);
    if (table) {
      the.table = *table;
      the.reserved = size;
      watch::describe(layout_of_blocks());
      return {};
    }
    if (size <= step) return std::unexpected(table.error());
  }
}

result<void> open_step() noexcept {
  if (the.opened == the.reserved) {
    return fail(errc::limit, "coro_pool.acquire", "the process has its maximum of coroutines",
                static_cast<std::int64_t>(the.reserved / sizeof(coro_block)));
  }
  const std::size_t step = std::max(step_bytes, os::page_bytes());
  if (auto done = os::protect(the.table + the.opened, step, os::access::read_write); !done) {
    return done;
  }
  the.opened += step;
  return {};
}

result<chunk*> take_fresh() noexcept {
  if (the.table == nullptr) {
    if (auto reserved = reserve_table(); !reserved) return std::unexpected(reserved.error());
  }
  if (the.used == the.opened) {
    if (auto opened = open_step(); !opened) return std::unexpected(opened.error());
  }
  auto* const fresh = new (the.table + the.used) chunk{.owner = nullptr, .next = nullptr};
  the.used += chunk_bytes;
  for (std::size_t i = 1; i < chunk_blocks; ++i) new (&fresh->block(i)) coro_block;
  watch::describe_coros(the.table, the.used);
  return fresh;
}

}  // namespace

alignas(chunk_bytes) constinit coro_block never_valid;

result<chunk*> take_chunk(pool_core* owner, chunk_kind kind) noexcept {
  const std::lock_guard guard(the.lock);
  chunk*& returned = the.free[static_cast<std::size_t>(kind)];
  chunk* taken = returned;
  if (taken != nullptr) {
    returned = taken->next;
  } else {
    const auto fresh = take_fresh();
    if (!fresh) return fresh;
    taken = *fresh;
  }
  taken->owner = owner;  // I2
  taken->next = nullptr;
  return taken;
}

void give_chunk(chunk& unused, chunk_kind kind) noexcept {
  const std::lock_guard guard(the.lock);
  chunk*& returned = the.free[static_cast<std::size_t>(kind)];
  unused.owner = nullptr;
  unused.next = returned;
  returned = &unused;
}

}  // namespace bast::inline BAST_ABI::internal
