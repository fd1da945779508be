// SPDX-License-Identifier: Apache-2.0
//
// `fault_events`: the page faults of a running process, by perf_event_open(2). The process is not
// stopped; the first touch of a page takes somewhat longer while this exists.
//
// The requests to the kernel, and their reasons:
//   - PERF_COUNT_SW_PAGE_FAULTS_MIN, period 1. The event of all page faults is sampled before the
//     fault is handled: the page under the stack pointer may be absent, and then no byte of the
//     stack can be copied. This one is sampled after it. First touches of a stack are always minor
//     faults.
//   - An event per thread and CPU, inherited by new threads. The kernel does not allow mapping the
//     ring of an inherited event that is not bound to a CPU, and without inheritance a new thread
//     would be missed until we search for it. All events of a CPU write into one ring, so the
//     memory grows with the CPUs and not with the threads.
//   - The kernel's own faults on the program's memory, such as read(2) into a fresh buffer, if we
//     may see them. Without that right they are left out.
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

/// Bytes of the stack, from its pointer up, that are sampled with a fault. A ring holds some
/// hundred samples, so that a stack that grows deep at once is recorded to its end.
inline constexpr std::uint32_t fault_stack_bytes = 4096;

class fault_events {
 public:
  /// Watches all threads of a process. Errors: no permission, or too many threads for our
  /// descriptors, see perf_refusal.hpp; a CPU with unknown registers.
  static std::expected<fault_events, problem> open(pid_t pid, std::uint16_t machine);

  /// Appends the descriptors for poll(2), and takes its result. It wakes us to make room in a ring,
  /// not for every fault.
  void wait_on(std::vector<pollfd>& into) const;
  void heed(std::span<const pollfd> answered);

  /// Appends the faults since the last call. Never waits. Errors: an inconsistent ring.
  std::expected<void, problem> read(fault_records& into);

  bool sees_kernel() const noexcept { return sees_kernel_; }

 private:
  /// Unmaps a ring.
  struct unmap {
    std::size_t bytes;
    void operator()(std::byte* at) const noexcept;
  };
  /// The ring of one CPU.
  struct ring {
    std::vector<descriptor> events;  // one per thread; the first owns the ring
    std::size_t awake = 0;           // the events before it belong to ended threads
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
