// SPDX-License-Identifier: Apache-2.0
//
// `child_process`: a running program and its owner.
//
//   auto bc = bast::command::argv({"bc"});
//   auto calculator = bc.in(bast::from::pipe{}).out(bast::to::pipe{}).spawn(*loop).value();
//   (void)calculator.write("6 * 7\n");          // the coroutine waits while the pipe is full
//   std::byte answer[100];
//   const auto size = calculator.read(bast::output_stream::output, answer);
//   calculator.close_input();
//   const auto ended = calculator.wait();
#pragma once

#include <span>
#include <string_view>
#include <utility>

#include "bast/cancel.hpp"
#include "bast/process/driver.hpp"

namespace bast::inline BAST_ABI {

/// What command::start gives to its caller: our non-blocking ends of the child's streams that lead
/// to pipes; the others are empty.
struct process_pipes {
  os::descriptor stdin_pipe;
  os::descriptor stdout_pipe;
  os::descriptor stderr_pipe;
};

namespace internal {
struct awaited_child;
}  // namespace internal

/// Owns a running program. If the owner ends first, in any way (F-12), the program is stopped, and
/// the loop reaps it. Movable; empty once moved from, waited for or detached. Belongs to the
/// driver's thread: ending it on another one while the program runs ends the process (checked).
class [[nodiscard]] child_process : private internal::abandonable {
 public:
  child_process() noexcept : abandonable(abandoned) {}
  child_process(child_process&& other) noexcept : abandonable(abandoned) { adopt(other.forget()); }
  child_process& operator=(child_process&& other) noexcept {
    if (this == &other) return *this;
    leave();
    adopt(other.forget());
    return *this;
  }
  child_process(const child_process&) = delete;
  child_process& operator=(const child_process&) = delete;
  ~child_process() { leave(); }

  /// The process id; -1 if this is empty. It stays reserved until the program has ended and was
  /// reaped. Use `signal`, which cannot reach another process that reuses the id.
  pid_t pid() const noexcept;
  /// The process in the functions of the driver.
  process_id id() const noexcept;
  /// Returns true if it has ended: `wait` then returns at once.
  bool has_ended() const noexcept;

  /// Sends a signal to the process itself, not to its group. Errors: `invalid`, the number;
  /// stale_handle if it has ended; wrong_thread, forked; io (EPERM).
  [[nodiscard]] result<void> signal(int number) noexcept;
  /// Stops it as a cancellation does (P-14), without waiting: the stop signal, and SIGKILL after
  /// the grace. No effect after its end. Errors: stale_handle, wrong_thread, forked.
  [[nodiscard]] result<void> stop() noexcept;

  /// Reads from a stream that is captured or leads to a pipe, at most `into`: suspends the
  /// coroutine until there is a byte. Returns 0 at the end of the stream, or when `detach` closes
  /// our end of the pipe. Each byte of a stream is read once, in order, or is in the result of
  /// `wait`; when another coroutine takes that, this fails with stale_handle. Bytes that were read
  /// no longer count for the limit of a capture. A pipe is read ahead by 64 KiB at most: beyond
  /// that the program waits. If it would suspend and the token that governs the coroutine fires,
  /// this fails with `cancelled`, and the program goes on. Throws forced_unwind if the coroutine is
  /// released. Errors: `invalid` (an empty `into`); bad_state (another kind of stream, a
  /// cancellation callback); stale_handle; not_in_fiber (outside a coroutine, with nothing to
  /// read); busy (another coroutine reads this stream); cancelled; wrong_thread, forked.
  [[nodiscard]] result<std::size_t> read(output_stream which, std::span<std::byte> into);
  /// Writes all of `bytes` to its standard input, a from::pipe: suspends the coroutine while the
  /// pipe is full. Raises no SIGPIPE. Errors, whose value is the number of bytes that were written:
  /// `closed` (`close_input`, or nobody reads the pipe) or stale_handle (the program has ended),
  /// for one that ends meanwhile either; busy (another coroutine writes); not_in_fiber, bad_state,
  /// cancelled, wrong_thread and forked as for `read`; io.
  [[nodiscard]] result<void> write(std::span<const std::byte> bytes);
  [[nodiscard]] result<void> write(std::string_view text) {
    return write(std::as_bytes(std::span(text)));
  }
  /// Closes the pipe to its standard input, where it reads the end. No effect if that is closed.
  void close_input() noexcept;

  /// Suspends the coroutine until the program has ended, and takes its result, once. If the token
  /// that governs the coroutine fires, the program is stopped; the wait ends only when it is gone
  /// (P-13, C-12). If this object ends or is detached meanwhile, the wait goes on to that end and
  /// has the result. Nobody reads a pipe meanwhile: a program that fills it waits for ever. Throws
  /// forced_unwind if the coroutine is released. Errors: stale_handle; not_in_fiber; busy (another
  /// coroutine waits for it); wrong_thread, forked; bad_state (a cancellation callback).
  [[nodiscard]] result<process_result> wait();
  /// Lets it run without an owner, with our ends of its pipes closed. The loop still reaps it, and
  /// is not idle before that; its timeout and the token of `cancelled_by` still stop it.
  void detach() noexcept;

 private:
  friend struct internal::awaited_child;
  explicit child_process(internal::awaited_child& state) noexcept : abandonable(abandoned) {
    adopt(&state);
  }
  /// Becomes the owner of `state`, or of none.
  void adopt(internal::awaited_child* state) noexcept;
  /// Is the owner of none from here on. Returns what it owned, or null.
  internal::awaited_child* forget() noexcept;
  static void abandoned(internal::abandonable& self) noexcept {
    static_cast<child_process&>(self).leave();
  }
  void leave() noexcept;

  internal::awaited_child* state_ = nullptr;
};

}  // namespace bast::inline BAST_ABI
