// SPDX-License-Identifier: Apache-2.0
//
// `uring_adapter`: supervises processes with a ring that the caller owns, beside the caller's own
// operations. It fills submission queue entries and handles completions; it never submits and never
// waits, so the caller keeps control of the loop:
//
//   for (;;) {
//     while (!adapter.prepare()) io_uring_submit(&ring);   // until everything has found room
//     if (!working) break;                                 // prepare may have ended the last one
//     io_uring_submit_and_wait(&ring, 1);
//     io_uring_cqe* cqe;
//     while (io_uring_peek_cqe(&ring, &cqe) == 0) {
//       if (!adapter.handle(*cqe)) handle_mine(*cqe);
//       io_uring_cqe_seen(&ring, cqe);
//     }
//   }
//
// See process_driver for `start`, `cancel` and `cancel_from_anywhere`, and for thread-safety.
// Needs liburing: part of bast::bast, not of bast::core.
#pragma once

#include <cstdint>
#include <memory>

#include "bast/os.hpp"
#include "bast/process/driver.hpp"

struct io_uring;
struct io_uring_cqe;

namespace bast::inline BAST_ABI {

struct uring_adapter_options {
  std::size_t processes_max = 256;
  /// The first byte of the user_data of our operations; the caller's must not use it.
  std::uint8_t magic = 0xBA;
};

class uring_adapter final : public process_driver {
 public:
  /// Creates an adapter for the calling thread (IO-16), on a ring that must outlive it. Allocates.
  /// Errors: `invalid`, naming the option; `limit` (descriptors); no_memory.
  [[nodiscard]] static result<std::unique_ptr<uring_adapter>> create(
      io_uring& ring, const uring_adapter_options& options = {}) noexcept;

  uring_adapter(const uring_adapter&) = delete;
  uring_adapter& operator=(const uring_adapter&) = delete;
  /// Requires that the adapter is idle (checked): otherwise the kernel may write into its buffers.
  /// Call `shut_down` and continue the loop until it is. In a forked child it is idle.
  ~uring_adapter() = default;

  /// Submits requested operations while the submission queue has room, and executes those that need
  /// no waiting. May call `finished`; resumes ready coroutines. Returns false if operations are
  /// left: submit, and call again. In a forked child there are none.
  [[nodiscard]] bool prepare() noexcept;
  /// Returns true if the completion was ours; the caller must still mark it as seen. May call
  /// `finished`. Call `prepare` before the next wait.
  bool handle(const io_uring_cqe& completion) noexcept;
  /// Cancels every process, and then the adapter's own operations. The loop continues until `idle`.
  /// An error has no effect. Errors: wrong_thread, forked.
  [[nodiscard]] result<void> shut_down() noexcept;

  /// Returns true if no operation of ours is in the ring, no process is supervised, and no
  /// coroutine waits with this loop. Only after `shut_down`: until then the ring waits for
  /// `cancel_from_anywhere`.
  bool idle() const noexcept { return machine().idle() && (is_forked() || ready().waiting() == 0); }

 private:
  uring_adapter(os::descriptor wake, std::unique_ptr<process_machine> machine,
                io_uring& ring) noexcept
      : process_driver(std::move(wake), std::move(machine)), ring_(ring) {}

  void machine_changed() noexcept override {}  // The loop calls prepare before it waits.

  bool hand_over() noexcept;

  io_uring& ring_;
};

}  // namespace bast::inline BAST_ABI
