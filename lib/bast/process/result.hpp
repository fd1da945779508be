// SPDX-License-Identifier: Apache-2.0
//
// `process_result`: the end of a process: why and how it ended, its output and its cost. A nonzero
// exit is data, not an error (P-19); `check()` turns it into one.
//
//   if (result.status.success()) use(result.output.bytes.text());
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>

#include "bast/base.hpp"
#include "bast/process/byte_buffer.hpp"

namespace bast::inline BAST_ABI {

/// What ended a process (P-14). The first reason wins; an exit that was observed before any reason
/// arose is the process's own (P-15).
enum class process_ending : std::uint8_t {
  exited,     // the process itself, or something other than us
  timed_out,  // its timeout
  cancelled,  // a cancellation
  limit,      // it wrote more than its capture may hold, under on_limit::error_and_kill; or its
              // output was not taken, under on_limit::backpressure
};
const char* name_of(process_ending ending) noexcept;

/// How it ended, whatever ended it.
struct exit_status {
  enum class kind : std::uint8_t {
    exited,     // `code` is its exit code, 0 to 255
    signalled,  // `code` is the signal's number
    lost,       // reaped by other code, or SIGCHLD is ignored here: unknown permanently (P-12)
  };
  kind how = kind::lost;
  bool core_dumped = false;
  int code = 0;

  bool success() const noexcept { return how == kind::exited && code == 0; }
  friend bool operator==(const exit_status&, const exit_status&) = default;
};

/// Why a captured stream is incomplete.
enum class truncation : std::uint8_t {
  none,        // complete: the end of the stream was seen
  limit,       // the capture's limit
  grandchild,  // it was still open at the end of drain_grace after the exit (P-13)
  failure,     // reading failed; see `error_number`
};

/// The captured data of one stream. Empty if it was not captured.
struct captured_output {
  byte_buffer bytes;
  std::uint64_t discarded = 0;  // bytes that were read and not kept
  int error_number = 0;         // 0, or why reading ended; ENOMEM if the buffer could not grow
  truncation truncated = truncation::none;
};

struct process_result {
  pid_t pid = -1;
  process_ending ended_by = process_ending::exited;
  exit_status status;
  captured_output output;  // standard output
  captured_output errors;  // standard error
  struct rusage usage{};   // zero if the status is lost
  int signal_error = 0;    // errno of a failed signal, for example EPERM for a setuid child

  /// Fails unless it ended by itself with exit code 0: timed_out, cancelled, `limit`, lost, or
  /// failed_exit, whose value is the exit code or the signal.
  [[nodiscard]] result<void> check() const noexcept;
};

}  // namespace bast::inline BAST_ABI
