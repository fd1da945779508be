// SPDX-License-Identifier: Apache-2.0
//
// Parses the bytes of a perf_event_open(2) ring into page faults. `fault_events` opens the events
// and maps the rings.
//
// The kernel counts bytes without wrapping; a counter modulo the ring size is a position, and a
// record may wrap around to the start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

/// The contents of each sample, as requested of the event. Samples are parsed as this and nothing
/// else.
inline constexpr std::uint64_t fault_sample_fields =  // PERF_SAMPLE_*
    1U << 1 |                                         // TID
    1U << 3 |                                         // ADDR
    1U << 12 |                                        // REGS_USER
    1U << 13;                                         // STACK_USER

/// The requested registers, in bits as numbered by asm/perf_regs.h of that CPU. The kernel writes
/// them in the order of their bits: on both CPUs frame pointer, link register if there is one,
/// stack pointer, program counter.
struct sampled_registers {
  std::uint16_t machine = 0;  // ELF's e_machine
  std::uint64_t bits = 0;
  bool has_link = false;
};
inline constexpr sampled_registers sampled_registers_of[] = {
    {.machine = 62, .bits = 1ULL << 6 | 1ULL << 7 | 1ULL << 8, .has_link = false},
    {.machine = 183, .bits = 1ULL << 29 | 1ULL << 30 | 1ULL << 31 | 1ULL << 32, .has_link = true},
};

/// The first touch of a page, and the thread's state at that time.
struct fault_sample {
  std::uint32_t pid = 0;
  std::uint32_t thread = 0;
  std::uint64_t address = 0;  // the touched address
  std::uint64_t fp = 0;
  std::uint64_t link = 0;  // 0 on CPUs without a link register
  std::uint64_t sp = 0;
  std::uint64_t pc = 0;
  std::vector<std::byte> stack;  // from sp up, to the first absent page
};

struct fault_records {
  std::vector<fault_sample> faults;
  std::uint64_t lost = 0;  // the ring had no room for them
};

/// The unread bytes, between two counters.
struct ring_part {
  std::span<const std::byte> ring;  // a power of two
  std::uint64_t tail = 0;
  std::uint64_t head = 0;
};

/// Appends the faults in it. Skips samples of kernel threads and of 32-bit code, and records of
/// other types. Errors: a record larger than the rest, or than its fields imply; earlier records
/// have been appended.
std::expected<void, problem> parse_ring(const ring_part& part, const sampled_registers& registers,
                                        fault_records& into);

}  // namespace bast_stacks
