// SPDX-License-Identifier: Apache-2.0
//
// `stack_geometry`: stack_options after validation, in whole pages of this machine.
//
//   I1  guard + limit = stride;  window <= retain <= limit;  all multiples of the page.
//   I2  16 bits can count the pages of a slot, see slot::frontier.
#pragma once

#include <cstddef>

#include "bast/stack/options.hpp"
#include "bast/watch.hpp"

namespace bast::inline BAST_ABI {

struct stack_geometry {
  std::size_t page = 0;    // bytes of a page
  std::size_t stride = 0;  // bytes of a slot: guard + limit
  std::size_t guard = 0;   // bytes
  std::size_t window = 0;  // bytes open in a fresh slot
  std::size_t retain = 0;  // bytes open in a released slot, at most
  bool colour = false;

  std::size_t limit() const noexcept { return stride - guard; }
  std::size_t pages() const noexcept { return stride / page; }
  std::size_t guard_pages() const noexcept { return guard / page; }

  /// Bytes left unused at the top of slot `index`. The tops of neighbouring slots are a multiple of
  /// a power of two apart; colouring keeps them from competing for the same cache sets.
  std::size_t colour_of(std::size_t index) const noexcept {
    return colour ? index % colours * cache_line : 0;
  }
  static constexpr std::size_t cache_line = 64;
  static constexpr std::size_t colours = 16;

  /// Rounds and validates. Errors: `invalid`, with the option's name.
  [[nodiscard]] static result<stack_geometry> make(const stack_options& options) noexcept;
};

}  // namespace bast::inline BAST_ABI
