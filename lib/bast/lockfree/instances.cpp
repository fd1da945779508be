// SPDX-License-Identifier: Apache-2.0
//
// Each template of the layer, compiled whole: a program that uses one function of it compiles only
// that.
#include "bast/lockfree.hpp"

namespace bast::inline BAST_ABI {

template class basic_spsc_ring<void*, 2>;
template class basic_mpsc_ring<void*, 2>;
template class basic_mpmc_ring<void*, 2>;
template class basic_work_deque<void*>;
template class basic_tagged_stack<>;
template class basic_seqlock<void*>;

}  // namespace bast::inline BAST_ABI
