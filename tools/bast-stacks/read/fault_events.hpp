// SPDX-License-Identifier: Apache-2.0
//
// `fault_events`: the page faults of a running process, by perf_event_open(2). The process is not
// stopped; a first touch of a page takes it somewhat longer while this lives.
//
// What is asked of the kernel, and why:
//   - PERF_COUNT_SW_PAGE_FAULTS_MIN, period 1. The event of all page faults comes before the fault
//     is answered, when the page that the stack pointer is in may not be there, and then not one
//     byte of the stack can be copied. This one comes after. First touches of a stack are all
//     minor.
//   - An event for each thread and CPU, inherited by the threads that it starts. The kernel lets
//     nobody map the ring of an inherited event that is not bound to a CPU, and without
//     inheritance a new thread would go unseen until we had looked for it. All events of a CPU
//     write into one ring, so the memory grows with CPUs and not with threads.
//   - The kernel's own faults on the program's memory, such as read(2) into a fresh buffer, where
//     we may see them. Without that right they are left out.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <expected>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "model/descriptor.hpp"
#include "read/perf_refusal.hpp"
#include "read/perf_ring.hpp"

namespace bast_stacks {

/// Bytes of the stack, from its pointer up, that come with a fault. A ring holds some hundred of
/// these, so that a stack which gets deep at once is not cut off before its end.
inline constexpr std::uint32_t fault_stack_bytes = 4096;

class fault_events {
 public:
  /// Watches all threads of a process. Errors: no right to, too many threads for our descriptors,
  /// see perf_refusal.hpp; a CPU whose registers we do not know.
  static std::expected<fault_events, problem> open(pid_t pid, std::uint16_t machine);

  /// Appends what poll(2) is to wait for, and takes what it said. It wakes us to make room in a
  /// ring, not for every fault.
  void wait_on(std::vector<pollfd>& into) const;
  void heed(std::span<const pollfd> answered);

  /// Appends what came since the last time. Never waits. Errors: a ring makes no sense.
  std::expected<void, problem> read(fault_records& into);

  bool sees_kernel() const noexcept { return sees_kernel_; }

 private:
  /// Unmaps a ring.
  struct unmap {
    std::size_t bytes;
    void operator()(std::byte* at) const noexcept;
  };
  /// What one CPU writes.
  struct ring {
    std::vector<descriptor> events;  // one a thread; the first is the ring's own
    std::size_t awake = 0;           // events before it are of threads that ended
    std::unique_ptr<std::byte, unmap> pages;
  };

  explicit fault_events(pid_t pid, const sampled_registers& registers)
      : pid_(pid), registers_(&registers) {}
  std::expected<void, problem> watch(pid_t thread);
  std::expected<void, problem> watch(pid_t thread, int cpu);
  int open_event(pid_t thread, int cpu);
  std::expected<void, problem> map(ring& into);
  problem refused(int error, perf_step step) const;

  pid_t pid_;
  const sampled_registers* registers_;
  bool sees_kernel_ = true;
  std::size_t opened_ = 0;
  std::map<int, ring> rings_;  // by CPU
};

}  // namespace bast_stacks
