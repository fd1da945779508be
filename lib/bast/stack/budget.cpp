// SPDX-License-Identifier: Apache-2.0
#include "bast/stack/budget.hpp"

namespace bast::inline BAST_ABI {

stack_budget& process_stack_budget() noexcept {
  static constinit stack_budget instance{unlimited_bytes};
  return instance;
}

}  // namespace bast::inline BAST_ABI
