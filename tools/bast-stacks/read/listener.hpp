// SPDX-License-Identifier: Apache-2.0
//
// The opt-in socket of a process that called bast::watch::listen(): a unix stream socket at
// $XDG_RUNTIME_DIR/bast-stacks/PID.sock, else /tmp/bast-stacks-UID/PID.sock. On connecting it sends
// the eight bytes "BASTWTCH" and with them the descriptor of a sealed file, a capsule. It also
// allows the other end to trace it, as far as Yama is concerned.
#pragma once

#include <sys/types.h>

#include <expected>
#include <memory>
#include <string>

#include "read/capsule.hpp"

namespace bast_stacks {

/// Errors: nobody listens, somebody else's socket, no answer within five seconds, no capsule.
std::expected<capsule, problem> ask_listener(pid_t pid);

/// The same at a given path; the socket must belong to `pid` or, when that is 0, to anybody.
std::expected<capsule, problem> ask_listener_at(const std::string& path, pid_t pid);

/// What a capsule holds comes from it; everything else from the process, when it is readable.
class layered_memory final : public memory {
 public:
  layered_memory(std::unique_ptr<memory> capsule, std::unique_ptr<memory> process,
                 bool process_is_readable);
  bool residency(extent where, std::vector<resident_extent>& found) override;

 private:
  void read_pieces(std::span<piece> pieces) override;

  std::unique_ptr<memory> capsule_;
  std::unique_ptr<memory> process_;
  bool readable_;
};

}  // namespace bast_stacks
