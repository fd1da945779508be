// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/tier.hpp"

#include <atomic>

#include "bast/arch.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {
namespace {

enum class finding : int { unknown, works, does_not };
constinit std::atomic<finding> known{finding::unknown};

}  // namespace

result<bool> probe_guard_markers() noexcept {
  if constexpr (protection_is_forced) return false;
  const std::size_t page = os::page_bytes();
  const auto scratch = os::map(page);
  if (!scratch) return std::unexpected(scratch.error());
  const bool accepted = os::install_guard(*scratch, page).has_value();
  const bool guarded = accepted && !os::kernel_can_write(*scratch);
  os::release(*scratch, page);
  return guarded;
}

result<stack_tier> resolve_tier(stack_tier wanted) noexcept {
  if (wanted == stack_tier::protection) return wanted;
  finding found = known.load();
  if (found == finding::unknown) {
    const auto probed = probe_guard_markers();
    if (!probed) return std::unexpected(probed.error());
    found = *probed ? finding::works : finding::does_not;
    known.store(found);
  }
  if (wanted == stack_tier::guard_markers && found == finding::does_not) {
    return fail(errc::unsupported, "stack_options",
                protection_is_forced
                    ? "tier guard_markers: this build has BAST_FORCE_PROTECTION_TIER"
                    : "tier guard_markers: MADV_GUARD_INSTALL does not guard here (Linux 6.13 has "
                      "it)");
  }
  // The leak sanitizer must scan stacks and cannot see markers; there, automatic means protection.
  if (wanted == stack_tier::automatic && (found == finding::does_not || arch::leak_roots_in_use)) {
    return stack_tier::protection;
  }
  return stack_tier::guard_markers;
}

}  // namespace bast::inline BAST_ABI
