// SPDX-License-Identifier: Apache-2.0
//
// The ways into a running process, in the order in which they are tried: its memory by
// process_vm_readv, which takes the right to trace it; its opt-in socket, which takes only its
// consent. When all are closed, which one was, and the one line that opens it.
#pragma once

#include <sys/types.h>

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "read/memory.hpp"
#include "read/modules.hpp"

namespace bast_stacks {

/// Of a /proc/PID/maps that is read whole.
inline constexpr std::size_t maps_bytes_max = 256 << 20;

struct attached {
  std::unique_ptr<memory> target;
  std::vector<mapping> mappings;
  std::string program;                  // path of its executable
  std::optional<std::uint64_t> anchor;  // known without looking for it, through the socket
  std::vector<std::string> not_seen;
};

std::expected<attached, problem> attach(pid_t pid);

/// What decides whether one process may read another; split off to be tested.
struct refused_access {
  pid_t pid = 0;
  int error = 0;               // errno of the attempt
  std::string attempted;       // "process_vm_readv", "/proc/1/maps"
  std::optional<int> scope;    // of Yama, where the kernel has it
  std::optional<uid_t> owner;  // of the process
  uid_t ours = 0;
  bool dumpable = true;
  std::string socket;  // what the socket said
};
problem explain(const refused_access& refusal);

}  // namespace bast_stacks
