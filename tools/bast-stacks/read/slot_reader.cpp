// SPDX-License-Identifier: Apache-2.0
#include "read/slot_reader.hpp"

#include <algorithm>
#include <unordered_map>

#include "model/mutant.hpp"
#include "read/record_field.hpp"

namespace bast_stacks {
namespace {

using bast::watch::slab_entry;
using bast::watch::slot_layout;
using bast::watch::slot_sampling;
using bast::watch::slot_state;

/// A slot's record, nearly as of one moment.
struct slot_record {
  std::uint64_t name;
  std::uint64_t top;
  std::uint16_t site;
  std::uint16_t countdown;
  std::uint16_t period;
  std::uint16_t grows;
  std::uint16_t frontier;
  slot_state state;
  slot_sampling sampled;

  slot_record(const std::byte* from, const slot_layout& at)
      : name(field<std::uint64_t>(from, at.name)),
        top(field<std::uint64_t>(from, at.top)),
        site(field<std::uint16_t>(from, at.site)),
        countdown(field<std::uint16_t>(from, at.countdown)),
        period(field<std::uint16_t>(from, at.period)),
        grows(field<std::uint16_t>(from, at.grows)),
        frontier(field<std::uint16_t>(from, at.frontier)),
        state(field<slot_state>(from, at.state)),
        sampled(field<slot_sampling>(from, at.sampled)) {}

  /// Differs for each use of the slot, up to 65,536 uses.
  std::uint64_t use() const {
    return site | std::uint64_t{countdown} << 16 | std::uint64_t{period} << 32 |
           static_cast<std::uint64_t>(state) << 48;
  }

  /// True if earlier uses left their bytes, counted or not.
  bool is_shared() const { return pending() != 0 || sampled == slot_sampling::told; }

  /// Uses since it was measured. The words are read separately: a measurement in between shows as a
  /// countdown above the period.
  std::uint64_t pending() const {
    return countdown <= period ? static_cast<std::uint64_t>(period - countdown) : 0;
  }
};

class slot_table_reader {
 public:
  slot_table_reader(memory& target, const registry& all, std::size_t first_pool, snapshot& into,
                    site_index& sites, std::vector<slot_place>& places)
      : target_(target), all_(all), into_(into), sites_(sites), places_(places) {
    for (std::size_t i = 0; i < all.pools.size(); ++i)
      pools_.emplace(all.pools[i].index,
                     pool_place{.pool = first_pool + i, .poisoned = all.pools[i].entry.scrub == 2});
  }

  slot_losses run() {
    for (const auto& slab : all_.slabs) {
      if (target_.broken()) break;
      read_slab(slab.entry);
    }
    return losses_;
  }

 private:
  struct pool_place {
    std::size_t pool = 0;  // in snapshot::pools
    bool poisoned = false;
  };

  void read_slab(const slab_entry& slab) {
    const auto home = pools_.find(slab.pool);
    if (home == pools_.end() || !is_possible(all_, slab)) {
      ++losses_.bad_slabs;
      return;
    }
    pool& owner = into_.pools[home->second.pool];
    owner.stacks += slab.opened;
    const std::size_t record_bytes = all_.header.slots.record_bytes;
    const std::uint64_t in_chunk = chunk_bytes / record_bytes;
    for (std::uint64_t first = 0; first < slab.opened;) {
      const std::uint64_t count = std::min(in_chunk, slab.opened - first);
      slots_ += count;
      buffer_.resize(count * record_bytes);
      if (slots_ > slots_max || !target_.read(slab.slots + first * record_bytes, buffer_)) {
        losses_.unread += count;
      } else {
        for (std::uint64_t i = 0; i < count; ++i)
          enter(slab, first + i, buffer_.data() + i * record_bytes, home->second);
      }
      first += count;
      if (target_.broken() || slots_ > slots_max) {
        losses_.unread += slab.opened - first;
        return;
      }
    }
  }

  void enter(const slab_entry& slab, std::uint64_t index, const std::byte* bytes,
             const pool_place& home) {
    const slot_record record(bytes, all_.header.slots);
    if (record.state == slot_state::unopened) return;
    if (record.state > slot_state::quarantined) {
      ++losses_.damaged;
      return;
    }
    site& used_by = into_.sites[sites_.find(slab.pool, record.site)];
    const std::uint64_t pending = record.pending();
    used_by.pending += pending;
    used_by.uses += pending;
    used_by.grows += record.grows;
    const bool live = record.state == slot_state::live;
    // A fresh stack is kept for no site: it stays at record 0, which means "(other)".
    if (live || record.site != 0 || pending != 0) ++used_by.held;
    if (!live) return;
    ++used_by.live;
    ++into_.pools[home.pool].live;
    keep(slab, index, record, home);
  }

  void keep(const slab_entry& slab, std::uint64_t index, const slot_record& record,
            const pool_place& home) {
    const extent slot{.low = slab.base + index * slab.stride,
                      .high = slab.base + (index + 1) * slab.stride};
    const std::uint64_t low = slot.low + slab.guard;
    const std::uint64_t open_low =
        std::max(low, slot.low + std::uint64_t{record.frontier} * all_.header.page_bytes);
    if (record.top <= low || record.top > slot.high || open_low > slot.high) {
      ++losses_.damaged;
      return;
    }
    if (into_.stacks.size() >= stacks_max) {
      ++losses_.not_kept;
      return;
    }
    live_stack stack;
    stack.pool = into_.pools[home.pool].id;
    stack.site = sites_.find(slab.pool, record.site);
    stack.top = record.top;
    stack.low = low;
    stack.open_low = std::min(open_low, record.top);
    stack.shared_with_earlier = record.is_shared();
    into_.stacks.push_back(std::move(stack));
    places_.push_back({.record = slab.slots + index * all_.header.slots.record_bytes,
                       .slot = slot,
                       .name = record.name,
                       .poisoned = home.poisoned,
                       .use = record.use()});
  }

  memory& target_;
  const registry& all_;
  snapshot& into_;
  site_index& sites_;
  std::vector<slot_place>& places_;
  std::unordered_map<std::uint32_t, pool_place> pools_;
  std::vector<std::byte> buffer_;
  std::uint64_t slots_ = 0;
  slot_losses losses_;
};

}  // namespace

std::uint64_t forget_reused(memory& target, const slot_layout& layout, std::span<live_stack> stacks,
                            std::span<const slot_place> places) {
  constexpr std::size_t reads_at_once = 4096;
  std::vector<piece> pieces;
  std::vector<std::byte> buffer;
  std::uint64_t forgotten = 0;
  for (std::size_t first = 0; first < places.size(); first += reads_at_once) {
    const auto some = places.subspan(first, std::min(reads_at_once, places.size() - first));
    buffer.resize(some.size() * layout.record_bytes);
    pieces.clear();
    for (std::size_t i = 0; i < some.size(); ++i) {
      const auto into = std::span(buffer).subspan(i * layout.record_bytes, layout.record_bytes);
      pieces.push_back({.address = some[i].record, .into = into});
    }
    target.read(pieces);
    for (std::size_t i = 0; i < some.size(); ++i) {
      if (pieces[i].present && slot_record(pieces[i].into.data(), layout).use() == some[i].use)
        continue;
      if (BAST_STACKS_MUTANT(reused_slot_believed)) continue;
      live_stack& stack = stacks[first + i];
      stack.depth = stack.depth_at_most = stack.resident = 0;
      stack.scanned = false;
      ++forgotten;
    }
  }
  return forgotten;
}

slot_losses read_slots(memory& target, const registry& all, std::size_t first_pool, snapshot& into,
                       site_index& sites, std::vector<slot_place>& places) {
  return slot_table_reader(target, all, first_pool, into, sites, places).run();
}

}  // namespace bast_stacks
