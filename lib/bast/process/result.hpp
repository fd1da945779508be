// SPDX-License-Identifier: Apache-2.0
//
// `process_result`: all that is left of a process that ran: who ended it, how, what it wrote and
// what it cost. A nonzero exit is data, not an error (P-19); `check()` makes one of it.
//
//   if (result.status.success()) use(result.output.bytes.text());
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>

#include "bast/base.hpp"
#include "bast/process/byte_buffer.hpp"

namespace bast::inline BAST_ABI {

/// Who ended a process (P-14). The first reason wins, and an exit that was seen before any reason
/// came is the process's own (P-15).
enum class process_ending : std::uint8_t {
  exited,     // itself, or somebody who is not us
  timed_out,  // its timeout
  cancelled,  // whoever cancelled it
  limit,      // it wrote more than its capture may hold, under on_limit::error_and_kill; or nobody
              // took it, under on_limit::backpressure
};
const char* name_of(process_ending ending) noexcept;

/// How it ended, whoever ended it.
struct exit_status {
  enum class kind : std::uint8_t {
    exited,     // `code` is its exit code, 0 to 255
    signalled,  // `code` is the signal's number
    lost,       // somebody else reaped it, or SIGCHLD is ignored here: nobody will ever know (P-12)
  };
  kind how = kind::lost;
  bool core_dumped = false;
  int code = 0;

  bool success() const noexcept { return how == kind::exited && code == 0; }
  friend bool operator==(const exit_status&, const exit_status&) = default;
};

/// Why a captured stream is not all that was written.
enum class truncation : std::uint8_t {
  none,        // it is all: the end of the stream was seen
  limit,       // the capture's limit
  grandchild,  // it was still open when drain_grace after the exit was over (P-13)
  failure,     // reading failed; `error_number` tells how
};

/// What one stream brought. Empty when it was not captured.
struct captured_output {
  byte_buffer bytes;
  std::uint64_t discarded = 0;  // bytes that were read and not kept
  int error_number = 0;         // 0, or why reading ended; ENOMEM when the buffer could not grow
  truncation truncated = truncation::none;
};

struct process_result {
  pid_t pid = -1;
  process_ending ended_by = process_ending::exited;
  exit_status status;
  captured_output output;  // standard output
  captured_output errors;  // standard error
  struct rusage usage{};   // zero when the status is lost
  int signal_error = 0;    // errno of a signal that could not be sent, as EPERM for a setuid child

  /// An error unless it ended by itself with exit code 0: timed_out, cancelled, `limit`, lost, or
  /// failed_exit, whose value is the exit code or the signal.
  [[nodiscard]] result<void> check() const noexcept;
};

}  // namespace bast::inline BAST_ABI
