// SPDX-License-Identifier: Apache-2.0
#include "bast/cancel/group.hpp"

#include <utility>

#include "bast/coro.hpp"

namespace bast {

namespace internal {

struct group_core {
  explicit group_core(cancel_source from) noexcept : source(std::move(from)) {}
  cancel_source source;
  std::atomic<std::uint32_t> active{0};
};

}  // namespace internal

void ticket::done() noexcept {
  internal::group_core* const core = std::exchange(core_, nullptr);
  unmark();
  if (core == nullptr) return;
  const std::atomic<std::uint32_t>* const word = &core->active;
  // Release: pairs with the acquire in wait() and active(). After the last one the group may be
  // gone: only its address is used.
  if (core->active.fetch_sub(1, std::memory_order_release) == 1) {
    os::real_atomics::wake_all(word);
  }
}

cancel_token ticket::token() const noexcept {
  return core_ != nullptr ? core_->source.token() : cancel_token();
}

result<group> group::create() noexcept { return create_with(cancel_source::create()); }

result<group> group::create(const cancel_source& parent) noexcept {
  return create_with(parent.child());
}

result<group> group::create_with(result<cancel_source> source) noexcept {
  if (!source) return std::unexpected(source.error());
  auto* const core = os::make<internal::group_core>(std::move(*source));
  if (core == nullptr) return fail(errc::no_memory, "group.create", "no memory for a group");
  return group(core);
}

group& group::operator=(group&& other) noexcept {
  if (this != &other) {
    const group ended(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
  }
  return *this;
}

group::~group() {
  BAST_CHECK(is_idle(), "a group was destroyed while a member was at work: wait first");
  os::destroy(core_);
}

ticket group::begin() const noexcept {
  if (core_ == nullptr) return {};
  // Relaxed: whoever waits was told of the member by other means.
  const std::uint32_t before = core_->active.fetch_add(1, std::memory_order_relaxed);
  BAST_CHECK(before != UINT32_MAX, "a group of four thousand million members");
  return ticket(*core_);
}

std::size_t group::active() const noexcept {
  // Acquire: pairs with the release in ticket::done.
  return core_ != nullptr ? core_->active.load(std::memory_order_acquire) : 0;
}

bool group::cancel(const cancel_reason& why) const noexcept {
  return core_ != nullptr && core_->source.cancel(why);
}

cancel_token group::token() const noexcept {
  return core_ != nullptr ? core_->source.token() : cancel_token();
}

result<void> group::wait() const noexcept {
  if (this_coro::exists()) {
    return fail(errc::bad_state, "group.wait", "a coroutine would block its thread: yield instead");
  }
  while (const auto left = static_cast<std::uint32_t>(active())) {
    os::real_atomics::wait(core_->active, left);
  }
  return {};
}

}  // namespace bast
