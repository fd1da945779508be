// SPDX-License-Identifier: Apache-2.0
#include "bast/os/fault_injection.hpp"

#include "bast/base.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

// Written only while unarmed, read only while armed: the store to faults_armed publishes them.
constinit fault_plan plan_in_force;
constinit std::atomic<std::uint64_t> calls_seen{0};
constinit std::atomic<std::uint64_t> faults_injected{0};

}  // namespace

const char* name_of(call kind) noexcept {
  static constexpr const char* names[] = {"mmap",
                                          "munmap",
                                          "mprotect",
                                          "madvise",
                                          "madvise(GUARD_INSTALL)",
                                          "madvise(GUARD_REMOVE)",
                                          "mincore",
                                          "sigaction",
                                          "sigaltstack",
                                          "malloc",
                                          "futex",
                                          "pipe2",
                                          "memfd_create",
                                          "eventfd",
                                          "openat",
                                          "fcntl(DUPFD)",
                                          "clone",
                                          "pidfd_open",
                                          "waitid",
                                          "pidfd_send_signal",
                                          "read",
                                          "write",
                                          "epoll",
                                          "poll",
                                          "pthread_create",
                                          "socket",
                                          "any"};
  static_assert(sizeof names / sizeof *names == call_kinds + 1);
  return names[static_cast<int>(kind)];
}

fault_scope::fault_scope(fault_plan plan) noexcept {
  BAST_CHECK(!internal::faults_armed.load(), "only one fault_scope may be alive at a time");
  plan_in_force = plan;
  calls_seen.store(0);
  faults_injected.store(0);
  internal::faults_armed.store(true);
}

fault_scope::~fault_scope() { internal::faults_armed.store(false); }

std::uint64_t fault_scope::seen() const noexcept { return calls_seen.load(); }
std::uint64_t fault_scope::injected() const noexcept { return faults_injected.load(); }

int internal::injected_errno(call kind) noexcept {
  const fault_plan& plan = plan_in_force;
  if (plan.kind != call::any && plan.kind != kind) return 0;
  const std::uint64_t ordinal = calls_seen.fetch_add(1) + 1;
  if (plan.nth == 0) return 0;
  const bool first = plan.persistent ? ordinal >= plan.nth : ordinal == plan.nth;
  const bool second = plan.also_nth != 0 && ordinal == plan.also_nth;
  if (!first && !second) return 0;
  faults_injected.fetch_add(1);
  return plan.error_number;
}

}  // namespace bast::inline BAST_ABI::os
