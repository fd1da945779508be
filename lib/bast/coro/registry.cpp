// SPDX-License-Identifier: Apache-2.0
#include "bast/coro/registry.hpp"

#include <mutex>
#include <new>

#include "bast/os.hpp"

namespace bast::internal {
namespace {

constinit coro_block never_valid;

// The table is opened in steps of this many chunks: one mprotect for a thousand coroutines.
constexpr std::uint32_t chunks_per_step = 16;

struct registry {
  std::mutex lock;
  std::uint32_t capacity = 0;   // blocks reserved
  std::uint32_t opened = 0;     // blocks accessible, from the low end
  std::uint32_t used = 0;       // blocks ever given out
  std::uint32_t free_head = 0;  // chunks given back
  bool any_free = false;        // 0 is a legal chunk, so the list needs its own end
};
constinit registry the;

result<void> reserve_table() noexcept {
  // Less where the address space is limited (RLIMIT_AS): half, and half of that, but enough for one
  // step.
  for (std::uint32_t blocks = registry_blocks_max;; blocks /= 2) {
    const auto table = os::reserve(std::size_t{blocks} * sizeof(coro_block), os::page_bytes());
    if (table) {
      registry_table = reinterpret_cast<coro_block*>(*table);
      the.capacity = blocks;
      return {};
    }
    if (blocks <= chunks_per_step * chunk_blocks) return std::unexpected(table.error());
  }
}

result<void> open_step() noexcept {
  if (the.opened == the.capacity) {
    return fail(errc::limit, "coro_pool.acquire", "the process has its maximum of coroutines",
                the.capacity);
  }
  const std::uint32_t step = chunks_per_step * chunk_blocks;
  auto* const base = reinterpret_cast<std::byte*>(&block_at(the.opened));
  if (auto done = os::protect(base, step * sizeof(coro_block), os::access::read_write); !done) {
    return done;
  }
  the.opened += step;
  return {};
}

}  // namespace

constinit coro_block* registry_table = &never_valid;

result<std::uint32_t> take_chunk(pool_core* owner) noexcept {
  const std::lock_guard guard(the.lock);
  std::uint32_t head = 0;
  if (the.any_free) {
    head = the.free_head;
    const std::uint32_t next = head_of_chunk(head).next;
    the.any_free = next != head;
    the.free_head = next;
  } else {
    if (the.capacity == 0) {
      if (auto reserved = reserve_table(); !reserved) return std::unexpected(reserved.error());
    }
    if (the.used == the.opened) {
      if (auto opened = open_step(); !opened) return std::unexpected(opened.error());
    }
    head = the.used;
    the.used += chunk_blocks;
    for (std::uint32_t i = 1; i < chunk_blocks; ++i) new (&block_at(head + i)) coro_block;
  }
  new (&block_at(head)) chunk_head{.owner = owner, .next = 0};  // I2
  return head;
}

void give_chunk(std::uint32_t head) noexcept {
  const std::lock_guard guard(the.lock);
  chunk_head& chunk = head_of_chunk(head);
  chunk.owner = nullptr;
  chunk.next = the.any_free ? the.free_head : head;  // The last one points at itself.
  the.free_head = head;
  the.any_free = true;
}

}  // namespace bast::internal
