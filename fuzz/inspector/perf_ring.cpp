// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include <bit>
#include <cstdlib>
#include <cstring>

#include "inspector/require.hpp"
#include "read/perf_ring.hpp"

namespace bast_stacks {
int fuzz_perf_ring(const std::uint8_t* data, std::size_t size) {
  ring_part part;
  constexpr std::size_t counters = sizeof part.tail + sizeof part.head;
  if (size <= counters) return 0;
  std::memcpy(&part.tail, data, sizeof part.tail);
  std::memcpy(&part.head, data + sizeof part.tail, sizeof part.head);
  part.ring = std::as_bytes(std::span(data + counters, std::bit_floor(size - counters)));
  for (const sampled_registers& registers : sampled_registers_of) {
    fault_records found;
    const auto parsed = parse_ring(part, registers, found);
    require(parsed || !parsed.error().what.empty());
    // A sample takes its place in the ring, with its stack.
    std::size_t bytes = 0;
    for (const fault_sample& each : found.faults)
      bytes += sizeof(std::uint64_t) + each.stack.size();
    require(bytes <= part.ring.size());
  }
  return 0;
}

}  // namespace bast_stacks
