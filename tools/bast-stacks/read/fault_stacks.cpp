// SPDX-License-Identifier: Apache-2.0
#include "read/fault_stacks.hpp"

#include <algorithm>

#include "read/record_field.hpp"
#include "read/site_reader.hpp"

namespace bast_stacks {
namespace {

using bast::watch::deepest_stack;
using bast::watch::slab_entry;
using bast::watch::slot_state;

// Of stacks, for the faults of one call; far more than a ring full of honest ones needs.
constexpr std::uint64_t bytes_max = 512 << 20;

}  // namespace

void fault_stacks::read_registries() {
  read_.clear();
  slots_.clear();
  named_.clear();
  bytes_left_ = bytes_max;
  for (const std::uint64_t address : registries_) {
    auto found = read_registry(target_, address);
    if (!found) continue;
    std::erase_if(found->slabs, [&](const auto& each) { return !is_possible(*found, each.entry); });
    std::ranges::sort(found->slabs, {}, [](const auto& each) { return each.entry.base; });
    read_.push_back(std::move(*found));
  }
}

/// The slot that holds both the touched address and the stack pointer: a thread that touches
/// another's stack, for example to store an argument there, does not deepen it.
std::optional<fault_stacks::candidate> fault_stacks::locate(const fault_sample& fault) const {
  for (const registry& all : read_) {
    const auto above = std::ranges::upper_bound(all.slabs, fault.address, {},
                                                [](const auto& each) { return each.entry.base; });
    if (above == all.slabs.begin()) continue;
    const slab_entry& slab = (above - 1)->entry;
    const std::uint64_t index = (fault.address - slab.base) / slab.stride;
    if (index >= slab.opened) continue;
    const std::uint64_t low = slab.base + index * slab.stride;
    const extent slot{.low = low + slab.guard, .high = low + slab.stride};
    if (!slot.holds(fault.address) || !slot.holds(fault.sp)) continue;
    return candidate{.fault = &fault,
                     .from = &all,
                     .slab = &slab,
                     .slot = slot,
                     .record = slab.slots + index * all.header.slots.record_bytes,
                     .reach = slot.high - fault.address};
  }
  return std::nullopt;
}

/// Read once for all faults of a call: after they happened, and before their stacks are read.
std::optional<fault_stacks::slot_view> fault_stacks::read_slot(const candidate& of) {
  const auto [known, is_new] = slots_.try_emplace(of.record);
  if (!is_new) return known->second;
  const auto& at = of.from->header.slots;
  std::vector<std::byte> bytes(at.record_bytes);
  if (!target_.read(of.record, bytes)) return std::nullopt;
  const slot_view seen{.top = field<std::uint64_t>(bytes.data(), at.top),
                       .site = field<std::uint16_t>(bytes.data(), at.site)};
  const auto state = field<slot_state>(bytes.data(), at.state);
  if (state == slot_state::unopened || state > slot_state::quarantined) return std::nullopt;
  if (seen.top <= of.slot.low || seen.top > of.slot.high) return std::nullopt;
  known->second = seen;
  return seen;
}

/// Each site takes a page to read, so only when a site is new, and then all.
void fault_stacks::learn_names(const registry& all) {
  // A program that creates pools without end gets no more memory than one with many pools.
  if (names_.size() > sites_max) names_.clear();
  std::unordered_map<std::uint32_t, std::uint64_t> ids;
  for (const auto& each : all.pools) ids.emplace(each.index, each.entry.id);
  snapshot scratch;
  site_index book(scratch);
  read_sites(target_, all, [&](const bast::watch::site_entry& entry) {
    const auto id = ids.find(entry.pool);
    if (id == ids.end() || entry.index > UINT16_MAX) return;
    book.enter(entry, id->second, 0);
    const std::size_t line = book.find(entry.pool, static_cast<std::uint16_t>(entry.index));
    names_.insert_or_assign(site_key{all.address, id->second, entry.index},
                            identity_of(scratch.sites[line]));
  });
}

const site_identity* fault_stacks::name_of(const candidate& of, std::uint16_t site) {
  const registry& all = *of.from;
  const auto home = std::ranges::find_if(
      all.pools, [&](const auto& each) { return each.index == of.slab->pool; });
  if (home == all.pools.end()) return nullptr;
  const site_key key{all.address, home->entry.id, site};
  auto known = names_.find(key);
  if (known == names_.end() && named_.insert(all.address).second) {
    learn_names(all);
    known = names_.find(key);
  }
  return known == names_.end() ? nullptr : &known->second;
}

bool fault_stacks::take(const candidate& of) {
  const fault_sample& fault = *of.fault;
  const auto slot = read_slot(of);
  if (!slot || fault.address >= slot->top) return false;
  if (fault.sp >= slot->top || slot->top - fault.sp < sizeof(std::uint64_t)) return false;
  const site_identity* const site = name_of(of, slot->site);
  if (site == nullptr) return false;
  const std::uint64_t depth = slot->top - fault.address;
  const auto known = found_.find(*site);
  if (known != found_.end() && known->second.depth >= depth) return true;
  const std::uint64_t to_read = slot->top - std::min(fault.address, fault.sp);
  if (to_read > bytes_left_ || (known == found_.end() && found_.size() >= sites_max)) return false;
  bytes_left_ -= to_read;
  fault_words words(target_, fault, {.low = of.slot.low, .high = slot->top}, code_);
  if (!words.are_still_there()) return false;
  found_.insert_or_assign(*site, words.record());
  return true;
}

void fault_stacks::add(std::span<const fault_sample> faults) {
  counts_.seen += faults.size();
  if (faults.empty()) return;
  read_registries();
  std::vector<candidate> on_stacks;
  for (const fault_sample& each : faults) {
    if (const auto found = locate(each)) on_stacks.push_back(*found);
  }
  counts_.on_stacks += on_stacks.size();
  // The deepest first: nearly all others are then known to be less deep, and are skipped.
  std::ranges::sort(on_stacks, std::greater<>{}, &candidate::reach);
  for (const candidate& each : on_stacks) {
    if (!take(each)) ++counts_.unsure;
  }
}

void fault_stacks::add_to(snapshot& into) const {
  for (site& each : into.sites) {
    const auto found = found_.find(identity_of(each));
    if (found != found_.end() && found->second.depth > each.raw.depth) each.raw = found->second;
  }
}

}  // namespace bast_stacks
