// SPDX-License-Identifier: Apache-2.0
//
// The opt-in socket of a process that called bast::watch::listener::create(): a unix stream socket
// at $XDG_RUNTIME_DIR/bast-stacks/PID.sock, else /tmp/bast-stacks-UID/PID.sock. On connecting it
// sends the eight bytes "BASTWTCH" and with them the descriptor of a sealed file, a memory
// image. It also allows the other end to trace it, as far as Yama is concerned.
#pragma once

#include <sys/types.h>

#include <expected>
#include <memory>
#include <string>

#include "read/memory_image.hpp"

namespace bast_stacks {

/// Errors: no listener, a socket of another process, no answer within five seconds, no
/// memory_image.
std::expected<memory_image, problem> ask_listener(pid_t pid);

/// The same at a given path; the socket must belong to `pid` or, if that is 0, to any process.
std::expected<memory_image, problem> ask_listener_at(const std::string& path, pid_t pid);

}  // namespace bast_stacks
