// SPDX-License-Identifier: Apache-2.0
//
// The bytes that perf_event_open(2) leaves in a ring, as page faults. Only bytes: what opens events
// and maps rings is `fault_events`.
//
// The kernel counts bytes for ever; a counter modulo the size of the ring is a place in it, and a
// record may go on at its start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// What an event asks to have in each of its samples. A sample is parsed as this and nothing else.
inline constexpr std::uint64_t fault_sample_fields =  // PERF_SAMPLE_*
    1U << 1 |                                         // TID
    1U << 3 |                                         // ADDR
    1U << 12 |                                        // REGS_USER
    1U << 13;                                         // STACK_USER

/// The registers that it asks for, in bits as asm/perf_regs.h of that CPU numbers them. The kernel
/// writes them in the order of their bits: on both CPUs frame pointer, link register if there is
/// one, stack pointer, program counter.
struct sampled_registers {
  std::uint16_t machine = 0;  // ELF's e_machine
  std::uint64_t bits = 0;
  bool has_link = false;
};
inline constexpr sampled_registers sampled_registers_of[] = {
    {.machine = 62, .bits = 1ULL << 6 | 1ULL << 7 | 1ULL << 8, .has_link = false},
    {.machine = 183, .bits = 1ULL << 29 | 1ULL << 30 | 1ULL << 31 | 1ULL << 32, .has_link = true},
};

/// A page that was touched for the first time, and the thread as it was then.
struct fault_sample {
  std::uint32_t pid = 0;
  std::uint32_t thread = 0;
  std::uint64_t address = 0;  // what was touched
  std::uint64_t fp = 0;
  std::uint64_t link = 0;  // 0 on CPUs without a link register
  std::uint64_t sp = 0;
  std::uint64_t pc = 0;
  std::vector<std::byte> stack;  // from sp up, to the first page that was not there
};

struct fault_records {
  std::vector<fault_sample> faults;
  std::uint64_t lost = 0;  // for which the ring had no room
};

/// The bytes between two counters are to be read.
struct ring_part {
  std::span<const std::byte> ring;  // a power of two
  std::uint64_t tail = 0;
  std::uint64_t head = 0;
};

/// Appends what is there. Samples of kernel threads and of 32-bit code are left out, as are records
/// of other types. Errors: a record that is larger than what is left, or than its fields say; what
/// came before it has been appended.
std::expected<void, problem> parse_ring(const ring_part& part, const sampled_registers& registers,
                                        fault_records& into);

}  // namespace bast_stacks
