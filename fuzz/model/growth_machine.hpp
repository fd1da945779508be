// SPDX-License-Identifier: Apache-2.0
//
// `growth_machine`: coroutines that grow on command, and the invariants of their stacks after every
// command:
//
//   G1  What a coroutine wrote is unchanged when it checks, whatever the others did meanwhile.
//   G2  The open part reaches from the top down without a hole, past the deepest byte in use.
//   G3  Nothing below it is accessible; the guard never is.
//   G4  The open part of a live stack never shrinks.
//   G5  A fault preserves errno, and the kernel can write to any buffer that a function received.
//   G6  Locals are destroyed exactly once, unless they were abandoned.
//   G7  A measurement is at least as deep as the observation, and each use that ended is counted
//       once, even if another use has its stack by now.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "bast/coro.hpp"
#include "model/fault_schedule.hpp"
#include "model/growth_language.hpp"

namespace bast::model {

class growth_machine {
 public:
  growth_machine(const coro_pool_options& options, fault_schedule& faults);
  ~growth_machine() { end(); }
  growth_machine(const growth_machine&) = delete;
  growth_machine& operator=(const growth_machine&) = delete;

  /// False if the pool could not be created.
  bool ready() const { return pool_.has_value(); }
  void perform(const op& o);
  void end();
  const std::string& complaint() const { return complaint_; }
  /// The visible state, without addresses: see lives.hpp.
  std::string seen();

 private:
  struct command {
    growth_op kind;
    std::uint16_t value;
  };
  using handle = coro_ref<int, command, int>;
  using commands = yielder<int, command>;

  struct fiber {
    std::size_t number = 0;
    handle coroutine = {};
    unsigned recursions = 0;  // held
    std::size_t frames = 0;   // alive on its stack
    slot* stack = nullptr;
    const std::byte* deepest = nullptr;   // lowest byte known to be written
    const std::byte* open_low = nullptr;  // as last seen
  };
  class counted_frame;

  void complain(const char* what) {
    if (complaint_.empty()) complaint_ = what;
  }
  bool lacks() const { return faults_.is_rough(); }
  void forget(fiber& f);
  void make();
  void restart();
  void spawn(fiber& f);
  void command_to(fiber& f, const op& o);
  void release(fiber& f, bool unwinding);
  void look_at(fiber& f);
  void probe(const fiber& f);
  void check();
  void hop(unsigned count);

  // On a coroutine's stack.
  int body(fiber& f, commands& out);
  void obey(fiber& f, commands& out);
  bool has_room(std::size_t wanted) const;
  void wrote(fiber& f, const void* lowest);
  void descend(fiber& f, commands& out, unsigned count, std::size_t size);
  void touch(fiber& f, std::size_t depth, bool all);
  void read(fiber& f, std::size_t size);
  void throw_through(fiber& f, unsigned count);
  void take_signal(bool on_this_stack);

  coro_pool_options options_;
  fault_schedule& faults_;
  std::optional<coro_pool> pool_;
  std::array<fiber, subjects_max> fibers_;
  // Of the uses that ended since the pool was created.
  std::size_t known_depth_ = 0;
  std::uint64_t known_uses_ = 0;
  std::string complaint_;
};

}  // namespace bast::model
