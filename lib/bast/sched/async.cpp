// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/async.hpp"

#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI::internal {

void report_untaken_here(failure&& untaken) noexcept {
  if (this_worker != nullptr && !this_worker->is_forked()) {
    return this_worker->core().report(std::move(untaken));
  }
  write_untaken(nullptr, std::move(untaken));
}

}  // namespace bast::inline BAST_ABI::internal
