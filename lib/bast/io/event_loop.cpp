// SPDX-License-Identifier: Apache-2.0
#include "bast/io/event_loop.hpp"

#include <utility>

namespace bast::inline BAST_ABI::internal {
namespace {

constinit thread_local event_loop* loop_of_thread = nullptr;
constexpr std::uint32_t failures_max = 1000;

}  // namespace

event_loop* event_loop::here() noexcept {
  event_loop* const here = loop_of_thread;
  return here == nullptr || here->process_.is_forked() ? nullptr : here;
}
void event_loop::enter(event_loop* loop) noexcept { loop_of_thread = loop; }

event_loop::~event_loop() {
  BAST_CHECK(loop_of_thread != this, "an event loop ends while its thread is in it");
  BAST_CHECK(!turning_ || process_.is_forked(), "an event loop ends within its turn");
}

std::size_t event_loop::turn(std::uint64_t until_ns) noexcept {
  if (process_.is_forked()) return 0;
  BAST_CHECK(!turning_, "an event loop is turned by what it calls");
  turning_ = true;
  const std::uint64_t due_ns = timers_.next_ns();
  const auto reported = backend_.wait(due_ns < until_ns ? due_ns : until_ns);
  failures_ = reported ? 0 : failures_ + 1;
  BAST_CHECK(failures_ < failures_max, "the kernel reports no events any more");
  std::size_t called = reported.value_or(0);
  // A reading after the wait: I2, and what expired meanwhile is not left for another turn.
  const std::uint64_t now_ns = backend_.now_ns();
  while (timer* const due = timers_.advance(now_ns)) {
    auto& mine = static_cast<loop_timer&>(*due);
    mine.expired(mine);
    ++called;
  }
  turning_ = false;
  return called;
}

}  // namespace bast::inline BAST_ABI::internal
