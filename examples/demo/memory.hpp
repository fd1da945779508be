// SPDX-License-Identifier: Apache-2.0
//
// What the stacks cost, as the kernel counts it: the mappings that hold stacks are found in
// /proc/self/smaps by the addresses of frames that lived on them.
#pragma once

#include <bast/base.hpp>
#include <cstddef>
#include <cstdint>
#include <unordered_set>

namespace demo {

struct memory_sample {
  std::size_t alive = 0;     // coroutines
  bast::bytes open;          // of stacks: what the program may touch without asking
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

  /// Call often: keeps the peaks of what is cheap to know, and asks the kernel, which is not, when
  /// the open bytes have risen by a sixteenth since it last did.
  void look(std::size_t alive, bast::bytes open);
  /// Asks the kernel.
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
