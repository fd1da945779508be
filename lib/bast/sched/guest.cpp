// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/guest.hpp"

#include <cstddef>
#include <new>

#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI {

result<guest_runtime> guest_runtime::create(const run_options& options) noexcept {
  run_options wanted = options;
  if (wanted.workers == 0) wanted.workers = 1;
  auto core = internal::runtime_core::create(wanted);
  if (!core) return std::unexpected(core.error());
  return guest_runtime(std::move(*core));
}

guest_runtime::~guest_runtime() {
  if (core_ == nullptr || is_over_) return;
  if (core_->is_forked()) {
    // Its workers and their stacks are those of the parent: one reference is never dropped.
    using reference = std::shared_ptr<internal::runtime_core>;
    alignas(reference) std::byte kept[sizeof(reference)];
    ::new (static_cast<void*>(kept)) reference(core_);
    return;
  }
  const auto over = shut_down();
  BAST_CHECK(over.has_value(), "a guest_runtime was destroyed where it cannot be shut down");
}

runtime_handle guest_runtime::handle() const noexcept {
  return internal::runtime_access::handle(core_);
}

result<void> guest_runtime::check(static_string operation) noexcept {
  if (core_ == nullptr || is_over_) {
    return fail(errc::bad_state, operation, "the runtime was moved from, or shut down");
  }
  if (core_->is_forked()) {
    return fail(errc::forked, operation, "the runtime belongs to the parent process");
  }
  if (internal::this_worker != nullptr || internal::this_thread.current != nullptr) {
    return fail(errc::bad_state, operation, "a turn within a fiber, a coroutine or another turn");
  }
  if (thread_ != 0 && thread_ != internal::this_thread.tag) {
    return fail(errc::wrong_thread, operation, "the turns belong to the thread of the first one");
  }
  if (thread_ == 0) {
    if (auto begun = core_->begin(); !begun) {
      core_->fail_arrived(begun.error());
      is_over_ = true;
      return begun;
    }
    core_->first().detach_for_turns();
    thread_ = internal::this_thread.tag;
  }
  return {};
}

result<void> guest_runtime::turn(std::chrono::nanoseconds wait_max) noexcept {
  if (auto may = check("guest_runtime.turn"); !may) return may;
  std::uint64_t until_ns = 0;
  if (wait_max.count() > 0) {
    const std::uint64_t now = core_->first().events().now_ns();
    const auto wait = static_cast<std::uint64_t>(wait_max.count());
    until_ns = now + wait < now ? internal::no_deadline_ns : now + wait;
  }
  core_->first().turn(until_ns);
  return {};
}

int guest_runtime::fd() const noexcept { return thread_ != 0 ? core_->first().fd() : -1; }

time_point guest_runtime::next_deadline() const noexcept {
  const std::uint64_t at = thread_ != 0 ? core_->first().next_ns() : internal::no_deadline_ns;
  return at > INT64_MAX ? never : internal::time_of(static_cast<std::int64_t>(at));
}

bool guest_runtime::idle() const noexcept { return core_ == nullptr || core_->none_is_left(true); }

result<void> guest_runtime::shut_down() noexcept {
  if (core_ == nullptr || is_over_) return {};
  if (auto may = check("guest_runtime.shut_down"); !may) return may;
  core_->root().cancel({.code = cancel_code::shutdown, .text = "the runtime shuts down"});
  core_->main_ended(false);
  while (!core_->is_stopping()) core_->first().turn(internal::no_deadline_ns);
  core_->end();
  is_over_ = true;
  return {};
}

}  // namespace bast::inline BAST_ABI
