// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/geometry.hpp"

#include <algorithm>
#include <limits>

#include "bast/os.hpp"

namespace bast::inline BAST_ABI {
namespace {

constexpr std::size_t limit_min = 16 << 10;
// Keeps the number of a slot's pages within slot::frontier (I2).
constexpr std::size_t limit_max = 64 << 20;
// See stack_options::guard; docs/stacks.md measures the effect of a skipped guard.
constexpr std::size_t guard_min = 64 << 10;

std::unexpected<error> refuse(static_string detail, bytes given) noexcept {
  return fail(errc::invalid, "stack_options", detail, static_cast<std::int64_t>(given.count));
}

}  // namespace

result<stack_geometry> stack_geometry::make(const stack_options& options) noexcept {
  if (options.limit.count < limit_min)
    return refuse("limit must be at least 16 KiB", options.limit);
  if (options.limit.count > limit_max) return refuse("limit must be at most 64 MiB", options.limit);
  if (options.guard.count < guard_min)
    return refuse("guard must be at least 64 KiB", options.guard);
  if (options.guard.count > limit_max) return refuse("guard must be at most 64 MiB", options.guard);
  if (options.window.count == 0) return refuse("window must be at least one byte", options.window);

  stack_geometry g;
  g.page = os::page_bytes();
  const auto in_pages = [&](bytes size) { return internal::round_up(size.count, g.page); };
  const std::size_t limit = in_pages(options.limit);
  g.guard = in_pages(options.guard);
  g.stride = g.guard + limit;
  g.window = options.growth == stack_growth::demand
                 ? limit
                 : std::min(in_pages(std::min(options.window, options.limit)), limit);
  g.retain = std::clamp(in_pages(std::min(options.retain, options.limit)), g.window, limit);
  if (watch::every_page_is_a_growth() && options.growth == stack_growth::fault) {
    g.window = g.retain = g.page;
  }
  g.colour = options.colour;
  BAST_ASSERT(g.window <= g.retain);
  BAST_ASSERT(g.retain <= g.limit());                                   // I1
  BAST_ASSERT(g.pages() <= std::numeric_limits<std::uint16_t>::max());  // I2
  return g;
}

}  // namespace bast::inline BAST_ABI
