// SPDX-License-Identifier: Apache-2.0
#include "bast/cancel/wait_group.hpp"

#include <utility>

#include "bast/cancel/binding.hpp"
#include "bast/cancel/wait_list.hpp"
#include "bast/coro.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

using wait_list = basic_wait_list<os::real_atomics, executor>;

/// Reference-counted: held by the group and by each waiter, which may return after the group is
/// destroyed.
struct wait_group_core {
  explicit wait_group_core(cancel_source from) noexcept : source(std::move(from)) {}
  void drop() noexcept {
    // Acquire and release: pairs with the other drops; the last one comes after all of them.
    if (holders.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    if (!is_forked()) members.settle();
    os::destroy(this);
  }
  /// In a forked child there are no members, and a thread of the parent may have held the lock.
  bool is_forked() const noexcept { return process.is_forked(); }

  cancel_source source;
  wait_list members;
  std::atomic<std::uint32_t> holders{1};
  os::fork_mark process = os::fork_mark::here();
};

namespace {

constexpr const char* wait_operation = "wait_group.wait";

/// One wait of a coroutine or thread. On an abandoned stack it ends as in its destructor.
class group_wait : private abandonable {
 public:
  explicit group_wait(wait_group_core& core) noexcept
      : abandonable(abandoned), core_(core), stop_(*this), token_(this_coro::cancellation()) {
    // Relaxed: the caller's group holds it meanwhile.
    core_.holders.fetch_add(1, std::memory_order_relaxed);
    mark();
  }
  ~group_wait() {
    unmark();
    leave();
  }
  group_wait(const group_wait&) = delete;
  group_wait& operator=(const group_wait&) = delete;

  result<void> wait() {
    if (auto goes_on = token_.check(wait_operation); !goes_on) return goes_on;
    node_.who = &waiter_;
    node_.armed = waiter_.arm();
    enlisted_ = core_.members.enlist(node_);
    if (!enlisted_) return {};
    stop_.begin(token_);
    enlisted_ = waiter_.wait() != arm_first;
    if (!enlisted_) return {};
    return token_.check(wait_operation);
  }

 private:
  /// Runs on the cancelling thread and ends the wait.
  struct cancellation : cancel_registration {
    explicit cancellation(group_wait& ends) noexcept : cancel_registration(fired), wait(ends) {}
    static void fired(real_record& record, const cancel_reason&) noexcept {
      auto& self = registration_of<cancellation>(record);
      waiter& who = self.wait.waiter_;
      if (BAST_MUTANT(wait_not_cancelled)) return;
      if (who.commit(self.wait.node_.armed, arm_cancelled)) who.wake();
    }
    group_wait& wait;
  };

  static void abandoned(abandonable& self) noexcept {
    auto& mine = static_cast<group_wait&>(self);
    mine.leave();
    mine.token_ = {};
  }
  void leave() noexcept {
    stop_.end();
    const std::uint16_t arm = waiter_.withdraw();
    if (enlisted_ && arm != arm_first && !core_.is_forked()) core_.members.delist(node_);
    core_.drop();
  }

  wait_group_core& core_;
  waiter waiter_;
  wait_list::node node_;
  bool enlisted_ = false;  // and not released
  cancellation stop_;
  cancel_token token_;
};

}  // namespace
}  // namespace internal

void ticket::done() noexcept {
  internal::wait_group_core* const core = std::exchange(core_, nullptr);
  unmark();
  if (core != nullptr && !core->is_forked()) core->members.done();
}

cancel_token ticket::token() const noexcept {
  return core_ != nullptr ? core_->source.token() : cancel_token();
}

result<wait_group> wait_group::create() noexcept { return create_with(cancel_source::create()); }

result<wait_group> wait_group::create(const cancel_source& parent) noexcept {
  return create_with(parent.child());
}

result<wait_group> wait_group::create_with(result<cancel_source> source) noexcept {
  if (!source) return std::unexpected(source.error());
  auto* const core = os::make<internal::wait_group_core>(std::move(*source));
  if (core == nullptr) {
    return fail(errc::no_memory, "wait_group.create", "no memory for a wait_group");
  }
  return wait_group(core);
}

wait_group& wait_group::operator=(wait_group&& other) noexcept {
  if (this != &other) {
    const wait_group ended(std::move(*this));
    core_ = std::exchange(other.core_, nullptr);
  }
  return *this;
}

wait_group::~wait_group() {
  BAST_CHECK(is_idle(), "a wait_group was destroyed with an active member: wait first");
  if (core_ != nullptr) core_->drop();
}

ticket wait_group::begin() const noexcept {
  if (core_ == nullptr || core_->is_forked()) return {};
  BAST_CHECK(core_->members.begin() != UINT32_MAX, "a wait_group has 2^32 - 1 members");
  return ticket(*core_);
}

std::size_t wait_group::active() const noexcept {
  return core_ != nullptr && !core_->is_forked() ? core_->members.active() : 0;
}

bool wait_group::cancel(const cancel_reason& why) const noexcept {
  return core_ != nullptr && core_->source.cancel(why);
}

cancel_token wait_group::token() const noexcept {
  return core_ != nullptr ? core_->source.token() : cancel_token();
}

result<void> wait_group::wait() const {
  if (auto may = internal::waiter::check(internal::wait_operation); !may) return may;
  if (core_ == nullptr) return this_coro::cancellation().check(internal::wait_operation);
  if (core_->is_forked()) {
    return fail(errc::forked, internal::wait_operation, "the members belong to the parent process");
  }
  return internal::group_wait(*core_).wait();
}

}  // namespace bast::inline BAST_ABI
