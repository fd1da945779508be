// SPDX-License-Identifier: Apache-2.0
//
// `slot`: the record of one stack, kept far from the stack itself (decision D1), so that a frame
// that overflows upward hits a guard and never the library's own data.
//
// A slot has 32 bytes, because a million stacks need a million slots. The fault handler writes
// `frontier`, `grows` and `countdown`, on the thread that owns the slot.
#pragma once

#include <bast/config.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace bast::inline BAST_ABI {

enum class slot_state : std::uint8_t {
  unopened,     // above the slab's opened part: inaccessible
  idle,         // open, guarded, in a free list
  live,         // in use
  quarantined,  // released, sealed, waiting for reuse
};

/// Whether the pending uses are a sample.
enum class slot_sampling : std::uint8_t {
  no,    // a group of uses
  yes,   // one use, chosen at random
  told,  // a group that was read while the stack was in use: traces of earlier uses are still there
};

struct slot {
  union {
    slot* next = nullptr;  // idle, quarantined: the next in its list
    const char* name;      // live: its name in reports, or null; static lifetime
  };
  std::byte* top = nullptr;  // the stack's upper end, less the colour
  std::uint32_t index = 0;   // within its slab; leads back to the slab's head
  std::uint16_t site = 0;    // spawn site of the current and pending uses
  // Uses until the next measurement, and its initial value: the difference is pending uses.
  std::atomic<std::uint16_t> countdown{0};
  std::uint16_t period = 0;
  std::atomic<std::uint16_t> grows{0};  // since the last measurement; saturates
  // Pages between the slot's low end and its lowest open byte.
  std::atomic<std::uint16_t> frontier{0};
  slot_state state = slot_state::unopened;
  slot_sampling sampled = slot_sampling::no;
#if BAST_WITH_VALGRIND
  unsigned introduced_as = 0;  // the id for valgrind, until the slab's end
#endif
};
#if !BAST_WITH_VALGRIND
static_assert(sizeof(slot) == 32);
#endif
static_assert(std::atomic<std::uint16_t>::is_always_lock_free);

}  // namespace bast::inline BAST_ABI
