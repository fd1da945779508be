// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "bast/os.hpp"
#include "bast/sched/options.hpp"

namespace bast::inline BAST_ABI {

// At least two of a quota: one busy worker would otherwise stop everything. Go 1.25 does the same.
std::size_t default_workers() noexcept {
  const std::size_t processors = os::usable_processors();
  const std::uint64_t quota = os::processor_quota_milli();
  if (quota == 0) return processors;
  return std::min(processors, std::max<std::size_t>(2, (quota + 999) / 1000));
}

}  // namespace bast::inline BAST_ABI
