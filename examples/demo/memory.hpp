// SPDX-License-Identifier: Apache-2.0
//
// What the fibers of a search cost. Each counts itself, and notes where its stack lies: the kernel
// states the cost of stacks in /proc/self/smaps, whose mappings are found by those addresses.
#pragma once

#include <atomic>
#include <bast/base.hpp>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <source_location>
#include <unordered_set>

#include "stacks.hpp"

namespace demo {

/// Counts on all workers.
class gauge {
 public:
  void add(std::size_t n = 1) {
    total_ += n;
    raise(now_ += n);
  }
  void remove() { --now_; }
  void raise(std::size_t to) {
    std::size_t seen = peak_;
    while (seen < to && !peak_.compare_exchange_weak(seen, to)) continue;
  }
  std::size_t total() const { return total_; }
  std::size_t peak() const { return peak_; }

 private:
  std::atomic<std::size_t> total_ = 0;
  std::atomic<std::size_t> now_ = 0;
  std::atomic<std::size_t> peak_ = 0;
};

struct memory_sample {
  bast::bytes resident;      // of the mappings that hold stacks
  bast::bytes page_tables;   // of the process
  std::size_t mappings = 0;  // of the process
};

struct meters {
  gauge fibers;
  gauge with_stack;  // of those
  gauge open_bytes;  // of stacks: accessible without a request
  gauge files;
  gauge bytes_read;
  stack_report stacks;

  /// On a fiber's stack while its function runs.
  class running {
   public:
    /// Its name, and where it was spawned.
    running(meters& of, const char* name, const std::source_location& where);
    ~running();
    running(const running&) = delete;
    running& operator=(const running&) = delete;

   private:
    meters& of_;
  };

  /// Asks the kernel, which is expensive, if the open bytes have grown by a sixteenth.
  void sample();
  /// The sample with the most resident bytes.
  const memory_sample& peak() const { return peak_; }

 private:
  static constexpr std::uintptr_t granule = 16 << 10;  // the smallest stack, so none is missed

  std::mutex lock_;
  std::unordered_set<std::uintptr_t> places_;  // under the lock
  std::size_t sampled_at_ = 0;
  memory_sample peak_;
};

}  // namespace demo
