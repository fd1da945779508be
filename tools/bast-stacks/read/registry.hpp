// SPDX-License-Identifier: Apache-2.0
//
// A registry's header and tables, checked: for any content of the target, these numbers are safe to
// compute with. `site_reader` reads sites, which take a page each and change all the time.
#pragma once

#include <expected>
#include <vector>

#include "bast/watch/abi.hpp"
#include "read/memory.hpp"

namespace bast_stacks {

// The maxima that are read; more is reported in not_seen.
inline constexpr std::uint32_t sites_max = 65'536;
inline constexpr std::uint32_t pools_max = 65'536;
inline constexpr std::uint32_t slabs_max = 1'048'576;
inline constexpr std::uint64_t slots_max = std::uint64_t{1} << 26;
inline constexpr std::uint64_t blocks_max = std::uint64_t{1} << 26;
inline constexpr std::uint64_t record_bytes_max = 4096;  // of a slot, a control block

/// An entry and its place in the table.
template <class T>
struct numbered {
  std::uint32_t index = 0;
  T entry{};
};

struct registry {
  std::uint64_t address = 0;
  bast::watch::header header{};
  std::vector<numbered<bast::watch::pool_entry>> pools;  // open and destroyed ones
  std::vector<numbered<bast::watch::slab_entry>> slabs;  // open ones
  std::uint64_t unread = 0;  // entries of all tables that could not be read
};

/// Errors: no registry there, another version, numbers that contradict each other; each is named.
std::expected<registry, problem> read_registry(memory& target, std::uint64_t address);

/// The address of a record; the table was checked.
inline std::uint64_t record_address(const registry& all, const bast::watch::table& table,
                                    std::uint32_t index) noexcept {
  return all.address + table.offset + std::uint64_t{index} * table.record_bytes;
}

/// Whether a slab's numbers are safe to compute with: nothing wraps around, and the 16 bits of a
/// frontier can count the pages of a slot.
inline bool is_possible(const registry& all, const bast::watch::slab_entry& slab) noexcept {
  const std::uint64_t page = all.header.page_bytes;
  const auto span = product(slab.stride, slab.opened);
  return slab.stride != 0 && slab.stride % page == 0 && slab.stride / page <= UINT16_MAX &&
         slab.guard < slab.stride && span && sum(slab.base, *span) &&
         sum(slab.slots, std::uint64_t{slab.opened} * all.header.slots.record_bytes);
}

}  // namespace bast_stacks
