// SPDX-License-Identifier: Apache-2.0
//
// The child's half of a start: from its first instruction to the program's first.
//
// It runs in the parent's memory while the parent's thread sleeps (CLONE_VM, CLONE_VFORK) and the
// parent's other threads run. So the parent decides everything in advance, in a `child_plan`, and
// the child only makes raw kernel calls: no allocation, no lock, no function that a sanitizer
// intercepts (law P-7). This source is compiled without instrumentation, so it calls no function of
// bast.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>
#include <bast/config.hpp>

#include <cstddef>
#include <cstdint>

namespace bast::inline BAST_ABI::internal {

/// The child's descriptor `target` is a copy of `source`.
struct descriptor_move {
  int source = -1;
  int target = -1;
};

struct child_limit {
  int resource = 0;
  rlimit64 value = {};
};

enum class child_group : std::uint8_t {
  same,                   // the parent's
  own,                    // it leads a group
  session,                // it leads a session
  session_with_terminal,  // the same, and stdin is its controlling terminal
  foreground,             // its own group, in the foreground of the terminal at stdin
};

/// The child's work, decided by the parent. Pointers refer to the parent's memory.
struct child_plan {
  const char* program = nullptr;  // the path to execute
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;  // or null

  // Invariant I1: targets ascend strictly, and begin with 0, 1, 2. The child overwrites sources.
  descriptor_move* moves = nullptr;
  std::size_t move_count = 0;
  bool keep_foreign_fds = false;

  child_group group = child_group::own;
  int parent_death_signal = 0;
  pid_t parent = 0;
  bool has_umask = false;
  mode_t umask = 0;
  const child_limit* limits = nullptr;
  std::size_t limit_count = 0;
  bool has_user = false;
  bool has_primary_group = false;
  bool has_groups = false;
  uid_t user = 0;
  gid_t primary_group = 0;
  const gid_t* groups = nullptr;
  std::size_t group_count = 0;

  int report = -1;               // for a failure report; closed on exec
  int gate[2] = {-1, -1};        // or a pipe: the child waits for a byte first
  volatile bool shared = false;  // set by the child; visible to the parent if memory is shared
};

/// The child's message to `report` when it cannot become the program: fewer than PIPE_BUF bytes, so
/// it arrives whole or not at all.
struct child_report {
  std::int32_t stage = 0;  // a spawn_stage
  std::int32_t error_number = 0;
};

/// The `os::process_entry` of the child; `plan` is a child_plan. Never returns.
int child_main(void* plan) noexcept;

/// Three ways to mark all descriptors except the plan's targets as closed on exec, best first.
/// Return false if the kernel does not support them. For tests.
bool mark_by_range(const child_plan& plan) noexcept;
bool mark_by_listing(const child_plan& plan) noexcept;
bool mark_by_trying(const child_plan& plan) noexcept;

}  // namespace bast::inline BAST_ABI::internal
