// SPDX-License-Identifier: Apache-2.0
#include "bast/io/event_loop.hpp"

#include <algorithm>

namespace bast::inline BAST_ABI::internal {
namespace {

constinit thread_local event_loop* loop_of_thread = nullptr;
constexpr std::uint32_t failures_max = 1000;

}  // namespace

event_loop* event_loop::here() noexcept { return loop_of_thread; }
void event_loop::enter(event_loop* loop) noexcept { loop_of_thread = loop; }

std::size_t event_loop::turn(std::uint64_t until_ns) noexcept {
  const auto wanted = std::min(until_ns, timers_.next_ns());
  const auto got = backend_.wait(wanted);
  failures_ = got ? 0 : failures_ + 1;
  BAST_CHECK(failures_ < failures_max, "the kernel reports no events any more");
  std::size_t called = got.value_or(0);
  const std::uint64_t now = backend_.now_ns();
  while (timer* const due = timers_.advance(now)) {
    auto& mine = static_cast<loop_timer&>(*due);
    mine.expired(mine);
    ++called;
  }
  return called;
}

}  // namespace bast::inline BAST_ABI::internal
