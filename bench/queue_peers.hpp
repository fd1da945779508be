// SPDX-License-Identifier: Apache-2.0
//
// Shared by the benchmarks of queues: ours and their peers with one interface. push() and pop()
// return false if they did nothing. The rings and the queues of Boost.Lockfree have the same fixed
// capacity, so neither allocates.
#pragma once

#include <bast/lockfree.hpp>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>

namespace bench {

inline constexpr std::size_t capacity = 1024;
using value = std::uint64_t;
using boost_capacity = boost::lockfree::capacity<capacity>;

template <class Ring>
struct bast_ring {
  Ring ring;
  bool push(value v) { return ring.push(std::move(v)); }
  bool pop(value& v) {
    const std::optional<value> got = ring.pop();
    if (got) v = *got;
    return got.has_value();
  }
};
using bast_spsc = bast_ring<bast::spsc_ring<value, capacity>>;
using bast_mpsc = bast_ring<bast::mpsc_ring<value, capacity>>;
using bast_mpmc = bast_ring<bast::mpmc_ring<value, capacity>>;
using boost_spsc = boost::lockfree::spsc_queue<value, boost_capacity>;
using boost_queue = boost::lockfree::queue<value, boost_capacity>;

}  // namespace bench
