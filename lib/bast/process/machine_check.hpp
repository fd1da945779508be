// SPDX-License-Identifier: Apache-2.0
//
// Everything that is true of a process machine at any moment, part by part, and a number for all
// that it knows. Pure functions of the parts: process_machine::check_invariants and
// process_machine::digest put them together.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bast/process/machine_options.hpp"
#include "bast/process/machine_slot.hpp"

namespace bast::internal {

/// The operations of a table that are in flight.
std::size_t count_in_flight(const operation_table& table) noexcept;

// Each returns the invariant of machine_slot.hpp that does not hold, in words, or null.

/// Of the operations of one slot, or of wake_slot.
const char* broken_invariant(const operation_table& table, std::uint16_t number,
                             std::uint8_t magic) noexcept;
const char* broken_invariant(const process_slot& s) noexcept;

/// What a walk over all slots has counted.
struct slot_counts {
  std::size_t used = 0;
  std::size_t free = 0;  // in the list of free ones
  std::size_t live = 0;
  std::size_t in_flight = 0;
};
const char* broken_invariant(const slot_counts& counted,
                             const process_machine_stats& stats) noexcept;

/// FNV-1a by words instead of bytes, and mixed downwards too: a product carries no difference from
/// its high bits to the low ones, where the next word could cancel it.
class hasher {
 public:
  /// Everything that may be different: no two slots that differ in a field have one hash, but for
  /// the collisions of 64 bits.
  void add(const operation_table& table) noexcept;
  void add(const process_slot& s) noexcept;
  template <class... T>
  void add_all(T... values) noexcept {
    (add_word(static_cast<std::uint64_t>(values)), ...);
  }
  std::uint64_t hash() const noexcept { return hash_; }

 private:
  void add(const captured_stream& stream) noexcept;
  void add_word(std::uint64_t word) noexcept {
    hash_ = (hash_ ^ word) * 0x100000001b3;
    hash_ ^= hash_ >> 32;
  }

  std::uint64_t hash_ = 0xcbf29ce484222325;
};

}  // namespace bast::internal
