// SPDX-License-Identifier: Apache-2.0
//
// `ring_writer`: a ring of page faults as the kernel writes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "read/perf_ring.hpp"

namespace bast_stacks::testing {

class ring_writer {
 public:
  explicit ring_writer(std::size_t bytes,
                       const sampled_registers& registers = sampled_registers_of[0],
                       std::uint64_t start = 0)
      : ring_(bytes), registers_(registers), tail_(start), head_(start) {}

  /// A sample with `reserved` bytes for the stack: a multiple of 8.
  void add(const fault_sample& what, std::size_t reserved) {
    std::vector<std::uint64_t> words = {std::uint64_t{what.thread} << 32 | what.pid, what.address,
                                        2, what.fp};
    if (registers_.has_link) words.push_back(what.link);
    words.insert(words.end(), {what.sp, what.pc, reserved});
    const std::size_t stack_at = words.size();
    if (reserved != 0) {
      words.resize(stack_at + reserved / 8);
      std::ranges::copy(what.stack, std::as_writable_bytes(std::span(words)).data() + stack_at * 8);
      words.push_back(what.stack.size());
    }
    add_record(9, words);
  }
  void add_lost(std::uint64_t number) { add_record(2, std::vector<std::uint64_t>{1, number}); }

  void add_record(std::uint32_t type, std::span<const std::uint64_t> words) {
    put(type | std::uint64_t{8 + words.size() * 8} << 48);
    for (const std::uint64_t word : words) put(word);
  }

  ring_part part() const { return {.ring = ring_, .tail = tail_, .head = head_}; }

  /// The input format of fuzz_perf_ring.
  std::vector<std::byte> fuzzer_input() const {
    const std::uint64_t counters[] = {tail_, head_};
    const auto raw = std::as_bytes(std::span(counters));
    std::vector<std::byte> all(raw.begin(), raw.end());
    all.insert(all.end(), ring_.begin(), ring_.end());
    return all;
  }

 private:
  void put(std::uint64_t word) {
    std::memcpy(ring_.data() + head_ % ring_.size(), &word, sizeof word);
    head_ += sizeof word;
  }

  std::vector<std::byte> ring_;
  const sampled_registers& registers_;
  std::uint64_t tail_;
  std::uint64_t head_;
};

/// A fault of a thread with so many bytes of its stack.
inline fault_sample example_sample(std::size_t stack_bytes) {
  fault_sample made{.pid = 7,
                    .thread = 8,
                    .address = 0x7000'0ff8,
                    .fp = 0x7000'2000,
                    .sp = 0x7000'1000,
                    .pc = 0x40'1234,
                    .stack = {}};
  for (std::size_t i = 0; i < stack_bytes; ++i)
    made.stack.push_back(static_cast<std::byte>(i * 31 + 1));
  return made;
}

}  // namespace bast_stacks::testing
