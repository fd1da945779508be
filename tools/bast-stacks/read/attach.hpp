// SPDX-License-Identifier: Apache-2.0
//
// The ways into a running process, in this order: its memory by process_vm_readv, which needs the
// right to trace it; its opt-in socket, which needs only its consent. If all fail, reports which
// one refused, and the one-line remedy.
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

/// Of /proc/PID/maps, which is read whole.
inline constexpr std::size_t maps_bytes_max = 256 << 20;

struct attached {
  std::unique_ptr<memory> target;
  std::vector<mapping> mappings;
  std::string program;                  // path of its executable
  std::optional<std::uint64_t> anchor;  // known through the socket
  std::vector<std::string> not_seen;
};

std::expected<attached, problem> attach(pid_t pid);

/// The facts that decide whether one process may read another; a type of its own for tests.
struct refused_access {
  pid_t pid = 0;
  int error = 0;               // errno of the attempt
  std::string attempted;       // "process_vm_readv", "/proc/1/maps"
  std::optional<int> scope;    // of Yama, if the kernel has it
  std::optional<uid_t> owner;  // of the process
  uid_t ours = 0;
  bool dumpable = true;
  std::string socket;  // the error of the socket
};
problem explain(const refused_access& refusal);

}  // namespace bast_stacks
