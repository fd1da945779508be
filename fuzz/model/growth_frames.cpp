// SPDX-License-Identifier: Apache-2.0
//
// The part of growth_machine that runs on the stacks under test.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "model/growth_machine.hpp"
#include "model/other_thread.hpp"

namespace bast::model {

namespace {

/// What a command's own frames and the unwinder below them need beyond the command's own use.
constexpr std::size_t margin = 24 << 10;
/// A frame of `descend` and `throw_deep` besides its buffer, including sanitizers' red zones.
constexpr std::size_t frame_overhead = 1024;
/// The most that a signal's frame needs: AVX-512 state is 2.7 KiB, AMX about 11 KiB.
constexpr std::size_t signal_frame = 16 << 10;

/// Of this thread: its signals are its own, independent of other threads.
thread_local volatile std::sig_atomic_t signals_taken = 0;
void count_signal(int) { signals_taken = signals_taken + 1; }

/// A signal whose handler runs on the alternate stack, and one whose handler does not. Two, and
/// installed once, because dispositions belong to the process and other threads run programs too.
struct test_signals {
  int on_alternate = SIGRTMIN;
  int on_this = SIGRTMIN + 1;

  test_signals() {
    struct sigaction action{};
    action.sa_handler = count_signal;
    ::sigaction(on_this, &action, nullptr);
    action.sa_flags = SA_ONSTACK;
    ::sigaction(on_alternate, &action, nullptr);
  }
};

struct thrown_through {};

[[gnu::noinline]] void throw_deep(unsigned count) {
  volatile unsigned here = count;
#if BAST_EXCEPTIONS
  if (count == 0) throw thrown_through{};
#endif
  if (count != 0) throw_deep(count - 1);
  here = here + 1;  // Keeps the frame: prevents a tail call.
}

int zeros() {
  static const int fd = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
  return fd;
}

}  // namespace

/// G6.
class growth_machine::counted_frame {
 public:
  explicit counted_frame(fiber& f) : fiber_(f) { ++f.frames; }
  ~counted_frame() { --fiber_.frames; }
  counted_frame(const counted_frame&) = delete;
  counted_frame& operator=(const counted_frame&) = delete;

 private:
  fiber& fiber_;
};

int growth_machine::body(fiber& f, commands& out) {
  const counted_frame counted(f);
  // Frame addresses and alloca are on the stack itself; a local may be on a sanitizer's fake one.
  f.stack = find_stack(__builtin_frame_address(0)).record;
  f.deepest = static_cast<const std::byte*>(__builtin_frame_address(0));
  obey(f, out);
  return 0;
}

/// Obeys until told to return. Suspends only here, with room for later needs: if memory is short,
/// failed growth ends the process.
void growth_machine::obey(fiber& f, commands& out) {
  if (!lacks() && !ensure_stack(bytes{margin})) complain("no room where there must be some");
  for (;;) {
    const command c = out.yield(0);
    const std::size_t size = std::size_t{c.value} * 64;
    switch (c.kind) {
      case growth_op::back: return;
      case growth_op::recurse: {
        const auto [count, each] = frames_of(c.value);
        if (has_room(count * (each + frame_overhead))) descend(f, out, count, each);
        break;
      }
      case growth_op::touch:
      case growth_op::fill:
        if (size != 0 && has_room(size)) touch(f, size, c.kind == growth_op::fill);
        break;
      case growth_op::read:
        if (size != 0 && has_room(size)) read(f, size);
        break;
      case growth_op::throw_through:
        if (has_room(c.value * frame_overhead)) throw_through(f, c.value);
        break;
      case growth_op::signal:
        if (has_room(signal_frame)) take_signal(c.value != 0);
        break;
      case growth_op::ask:
        if (!ensure_stack(bytes{size}) && !lacks() && this_coro::stack_left().count > size) {
          complain("ensure_stack refused what there is");
        }
        break;
      default: break;
    }
  }
}

/// True if `wanted` bytes and the margin fit. If memory is short they are opened ahead.
bool growth_machine::has_room(std::size_t wanted) const {
  if (this_coro::stack_left().count < wanted + 2 * margin) return false;
  return !lacks() || ensure_stack(bytes{wanted + margin}).has_value();
}

void growth_machine::wrote(fiber& f, const void* lowest) {
  f.deepest = std::min(f.deepest, static_cast<const std::byte*>(lowest));
}

/// G1: each frame writes its own pattern and checks it when it is the innermost again.
[[gnu::noinline]] void growth_machine::descend(fiber& f, commands& out, unsigned count,
                                               std::size_t size) {
  const counted_frame counted(f);
  auto* const mine = static_cast<unsigned char*>(__builtin_alloca(size));
  const auto pattern = static_cast<unsigned char>(1 + (f.frames * 7 + f.number) % 255);
  std::memset(mine, pattern, size);
  wrote(f, mine);
  if (count > 1) {
    descend(f, out, count - 1, size);
  } else {
    obey(f, out);
  }
  // Equal to itself shifted by one byte, hence one byte value throughout.
  if (mine[0] != pattern || std::memcmp(mine, mine + 1, size - 1) != 0) {
    complain("G1: a frame was changed");
  }
}

/// G5: errno survives the fault.
[[gnu::noinline]] void growth_machine::touch(fiber& f, std::size_t depth, bool all) {
  auto* const mine = static_cast<volatile unsigned char*>(__builtin_alloca(depth));
  errno = EXDEV;
  mine[0] = 0x5a;
  if (errno != EXDEV) complain("G5: a fault changed errno");
  for (std::size_t i = 0; all && i < depth; ++i) mine[i] = 0x5a;
  wrote(f, const_cast<const unsigned char*>(mine));
}

/// G5: the kernel gets no EFAULT, because the function that called it pushed something below the
/// buffer.
[[gnu::noinline]] void growth_machine::read(fiber& f, std::size_t size) {
  auto* const mine = static_cast<unsigned char*>(__builtin_alloca(size));
  std::size_t filled = 0;
  ssize_t got = 1;
  // In parts, if a signal arrives meanwhile.
  for (; filled < size && got > 0; filled += static_cast<std::size_t>(std::max<ssize_t>(got, 0))) {
    got = ::read(zeros(), mine + filled, size - filled);
  }
  if (filled != size) complain("G5: the kernel refused a buffer on the stack");
  mine[0] = 1;
  wrote(f, mine);
}

void growth_machine::throw_through(fiber& f, unsigned count) {
  const counted_frame counted(f);
#if BAST_EXCEPTIONS
  try {
    throw_deep(count);
    complain("an exception went missing");
  } catch (const thrown_through&) {
  }
#else
  throw_deep(count);
#endif
}

void growth_machine::take_signal(bool on_this_stack) {
  // The kernel writes a signal's frame onto this stack, and the kernel does not grow stacks.
  if (on_this_stack && !ensure_stack(bytes{signal_frame + margin})) return;
  static const test_signals signals;
  const auto taken = signals_taken;
  ::raise(on_this_stack ? signals.on_this : signals.on_alternate);
  if (signals_taken == taken) complain("a signal was lost");
}

/// F-5: another thread has its own pool and shares nothing with this one.
void growth_machine::hop(unsigned count) {
  bool fine = false;
  on_other_thread([&] {
    fault_schedule calm{{}};
    growth_machine there(options_, calm);
    if (!there.ready()) return;
    const auto perform = [&](growth_op kind, std::uint16_t value) {
      there.perform({.kind = static_cast<std::uint8_t>(kind), .who = 0, .value = value});
    };
    perform(growth_op::spawn, 0);
    perform(growth_op::recurse, static_cast<std::uint16_t>(count | 5 << 6));
    perform(growth_op::touch, 512);
    perform(growth_op::back, 0);
    there.end();
    fine = there.complaint().empty();
  });
  if (!fine) complain("another thread's coroutine failed");
}

}  // namespace bast::model
