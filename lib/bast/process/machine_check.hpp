// SPDX-License-Identifier: Apache-2.0
//
// The invariants of a process machine, part by part, and a hash of its state. Pure functions of the
// parts; process_machine::check_invariants and process_machine::digest combine them.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bast/process/machine_options.hpp"
#include "bast/process/machine_slot.hpp"

namespace bast::inline BAST_ABI::internal {

/// The number of operations in flight.
std::size_t count_in_flight(const operation_table& table) noexcept;

// Each returns a description of the invariant of machine_slot.hpp that does not hold, or null.

/// Checks the operations of one slot, or of wake_slot.
const char* broken_invariant(const operation_table& table, std::uint16_t number,
                             std::uint8_t magic) noexcept;
const char* broken_invariant(const process_slot& s) noexcept;

/// The counts from a walk over all slots.
struct slot_counts {
  std::size_t used = 0;
  std::size_t free = 0;  // in the free list
  std::size_t live = 0;
  std::size_t in_flight = 0;
};
const char* broken_invariant(const slot_counts& counted,
                             const process_machine_stats& stats) noexcept;

/// FNV-1a by words instead of bytes, also mixed downwards: a product does not carry differences
/// from high bits to low ones, where the next word could cancel them.
class hasher {
 public:
  /// Adds all variable state: two slots that differ in a field have different hashes, apart from
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

}  // namespace bast::inline BAST_ABI::internal
