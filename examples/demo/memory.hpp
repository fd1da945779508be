// SPDX-License-Identifier: Apache-2.0
//
// The cost of the stacks as the kernel counts it: finds the mappings that hold stacks in
// /proc/self/smaps by the addresses of frames on them.
#pragma once

#include <bast/base.hpp>
#include <cstddef>
#include <cstdint>
#include <unordered_set>

namespace demo {

struct memory_sample {
  std::size_t alive = 0;     // coroutines
  bast::bytes open;          // of stacks: accessible without a request
  bast::bytes resident;      // of the mappings that hold stacks
  bast::bytes page_tables;   // of the process
  std::size_t mappings = 0;  // of the process
};

class memory_meter {
 public:
  /// Call on each new stack.
  void note_stack_here() {
    const auto frame = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    places_.insert(frame / granule);
  }

  /// Call often: records the cheap peaks, and samples the kernel, which is expensive, when the open
  /// bytes have grown by a sixteenth since the last sample.
  void look(std::size_t alive, bast::bytes open);
  /// Samples the kernel.
  void sample(std::size_t alive, bast::bytes open);

  std::size_t peak_alive() const { return peak_alive_; }
  bast::bytes peak_open() const { return peak_open_; }
  /// The sample with the most resident bytes.
  const memory_sample& peak() const { return peak_; }

 private:
  static constexpr std::uintptr_t granule = 16 << 10;  // the smallest stack, so none is missed

  std::unordered_set<std::uintptr_t> places_;
  std::size_t peak_alive_ = 0;
  bast::bytes peak_open_;
  bast::bytes asked_at_;
  memory_sample peak_;
};

}  // namespace demo
