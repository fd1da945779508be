// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/slab.hpp"

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr std::size_t places_per_record = sizeof(fiber_record) / sizeof(coro_block);
constexpr std::size_t records_per_chunk = (chunk_blocks - 1) / places_per_record;

}  // namespace

result<record_slab*> record_slab::create(const void* core,
                                         std::weak_ptr<runtime_core> runtime) noexcept {
  void* const memory = os::allocate(sizeof(record_slab));
  if (memory == nullptr) return fail(errc::no_memory, "run", "no memory for a worker's records");
  return ::new (memory) record_slab(core, std::move(runtime));
}

void record_slab::destroy(record_slab* slab) noexcept {
  for (chunk* next = nullptr; slab->chunks_ != nullptr; slab->chunks_ = next) {
    next = slab->chunks_->next;
    give_chunk(*slab->chunks_, chunk_kind::fibers);
  }
  slab->~record_slab();
  os::deallocate(slab);
}

void record_slab::end(record_slab* slab) noexcept {
  slab->lock_.lock();
  const std::size_t left = slab->in_use();
  slab->has_ended_ = true;
  slab->outstanding_ = left;
  slab->core_.store(nullptr, std::memory_order_relaxed);
  slab->lock_.unlock();
  if (left == 0) destroy(slab);
}

std::size_t record_slab::in_use() noexcept {
  collect();
  std::size_t free = 0;
  for (const fiber_record* at = free_; at != nullptr; at = at->next) ++free;
  return records_ - free;
}

// The generation ends with the use, so that an id of it is stale from here on.
void record_slab::renew(fiber_record& unused) noexcept {
  const std::uint32_t next = generation_of(unused.block.tag) + 1;
  unused.block.tag = make_tag(next & generation_max, 0, coro_state::free);
}

void record_slab::collect() noexcept {
  for (fiber_record* at = arriving_.take(); at != nullptr;) {
    fiber_record* const next = at->next;
    give(*at);
    at = next;
  }
}

void record_slab::give_from_elsewhere(fiber_record& unused) noexcept {
  lock_.lock();
  if (!has_ended_) {
    (void)arriving_.push(unused);
    lock_.unlock();
    return;
  }
  renew(unused);
  const bool was_last = --outstanding_ == 0;
  lock_.unlock();
  if (was_last) destroy(this);
}

fiber_record* record_slab::take_slowly() noexcept {
  collect();
  if (free_ == nullptr) {
    const auto taken = take_chunk(nullptr, chunk_kind::fibers);
    if (!taken) {
      why_ = taken.error();
      return nullptr;
    }
    chunk& fresh = **taken;
    fresh.next = chunks_;
    chunks_ = &fresh;
    for (std::size_t i = records_per_chunk; i-- > 0;) {
      // The generations of an earlier use of the chunk go on (F-3).
      coro_block& place = fresh.block(1 + i * places_per_record);
      const coro_tag tag = place.tag;
      auto* const made = ::new (static_cast<void*>(&place)) fiber_record;
      made->block.tag = make_tag(generation_of(tag), 0, coro_state::free);
      made->home = this;
      made->next = free_;
      free_ = made;
    }
    records_ += records_per_chunk;
  }
  fiber_record* const first = free_;
  free_ = first->next;
  return first;
}

}  // namespace bast::inline BAST_ABI::internal
