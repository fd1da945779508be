// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/domain.hpp"

#include <utility>

#include "bast/sched/core.hpp"

namespace bast::inline BAST_ABI::internal {

cancel_domain::cancel_domain(fiber_scope* members, worker& home) noexcept
    : where_(home), registration_(*this), timer_(*this), home_(&home) {
  by_executor = true;
  scope = members;
}

cancel_domain::~cancel_domain() { BAST_ASSERT(!is_open()); }

// --- its life ------------------------------------------------------------------------------------

result<void> cancel_domain::begin(result<cancel_source> made) noexcept {
  if (!made) return std::unexpected(made.error());
  source_.emplace(std::move(*made));
  token = source_->token();
  registration_.begin(token);
  return {};
}

result<void> cancel_domain::open(const cancel_source_options& options) noexcept {
  const coro_attachment& governs = *attachment_of(*where_.chosen());
  result<void> begun;
  cancel_source_options wanted = options;
  wanted.deadline = never;
  if (governs.by_executor) {
    begun = begin(where_.source_below(governs).child(wanted));
  } else {
    begun = begin(cancel_source::create(wanted));
    if (begun && !options.shielded) binding_link_.emplace(*this).begin(governs.token);
  }
  if (begun && options.deadline != never) set_deadline(options.deadline);
  return begun;
}

result<void> cancel_domain::open_below(const cancel_domain* above) noexcept {
  return begin(above != nullptr ? above->cancels().child() : cancel_source::create());
}

// I3
void cancel_domain::close() noexcept {
  BAST_ASSERT(home_.newest == nullptr);
  if (binding_link_) binding_link_->end();
  registration_.end();
  if (wheel::armed(timer_)) where_.events().disarm(timer_);
  for (domain_fibers* at = others_.first(); at != nullptr;) {
    domain_fibers& list = *at;
    at = at->other;
    if (list.message.disown()) os::destroy(&list);
  }
  if (home_.message.is_on_its_way()) where_.take_messages();
  home_.branch.reset();
  token = {};
  source_.reset();
}

bool cancel_domain::is_at_home() const noexcept { return this_worker == &where_; }

void cancel_domain::enter() noexcept {
  fiber_record& mine = *where_.running();
  coro_attachment*& governs = attachment_of(mine.block);
  outer = governs;
  governs = this;
  unlink(mine);
  link(mine, home_.newest);
}

void cancel_domain::leave() noexcept {
  worker& here = where_;
  fiber_record& mine = *here.running();
  coro_attachment*& governs = attachment_of(mine.block);
  BAST_CHECK(governs == this, "scopes and cancel_bindings must end innermost first");
  governs = outer;
  unlink(mine);
  link(mine, here.list_of(outer));
}

// --- its fibers ----------------------------------------------------------------------------------

domain_fibers* cancel_domain::find(const worker& w) noexcept {
  if (&where_ == &w) return &home_;
  domain_fibers* at = others_.first();
  while (at != nullptr && at->where != &w) at = at->other;
  return at;
}

domain_fibers& cancel_domain::fibers_on(const worker& w) noexcept {
  domain_fibers* const found = find(w);
  BAST_ASSERT(found != nullptr);
  return *found;
}

const cancel_source& cancel_domain::branch_on(const worker& w) noexcept {
  domain_fibers& here = fibers_on(w);
  if (!here.branch && others_.first() != nullptr) {
    if (auto made = cancels().child()) here.branch.emplace(std::move(*made));
  }
  return here.branch ? *here.branch : cancels();
}

// I2
bool cancel_domain::reserve(worker& w) noexcept {
  if (find(w) != nullptr) return true;
  auto made_below = cancels().child();
  auto* const made = made_below ? os::make<domain_fibers>(&w) : nullptr;
  if (made == nullptr) return false;
  made->branch.emplace(std::move(*made_below));
  others_.announce(*made);
  return true;
}

// --- cancellation --------------------------------------------------------------------------------

void cancel_domain::registration::fired(real_record& record, const cancel_reason&) noexcept {
  cancel_domain& d = registration_of<registration>(record).domain;
  if (d.where_.is_forked()) return;  // IO-15
  for (auto* at = d.others_.first_after_mark(); at != nullptr; at = at->other) {
    if (!BAST_MUTANT(other_workers_not_told)) send(*at);
  }
  send(d.home_);
}

void cancel_domain::send(domain_fibers& to) noexcept {
  worker& w = *to.where;
  // C-18. The message follows all the same: the caller may be a guard of a perform that waits
  // afterwards.
  if (this_worker == &w) end_waits(to.newest, w);
  to.message.send();
  w.send(to);
}

// Of many fibers each record, stack and block is a miss: those of the next ones are fetched
// meanwhile.
void cancel_domain::end_waits(fiber_record* newest, worker& of) noexcept {
  constexpr int distance = 4;
  fiber_record* ahead = newest;
  for (int i = 0; i < distance && ahead != nullptr; ++i) ahead = ahead->next;
  for (fiber_record* f = newest; f != nullptr; f = f->next) {
    if (ahead != nullptr) {
      __builtin_prefetch(ahead->started.wait);
      __builtin_prefetch(&ahead->block.next);
      ahead = ahead->next;
      __builtin_prefetch(ahead);
    }
    ready_link* const wait = f->started.wait;
    if (wait == nullptr || !wait->cancellable) continue;
    if (wait->is_plain && BAST_MUTANT(lone_wait_not_cancelled)) continue;
    if (waiter::cancel(*wait)) of.make_ready(*wait);
  }
}

void cancel_domain::handle(domain_fibers& sent, worker& here) noexcept {
  end_waits(sent.newest, here);
  if (sent.message.handle()) os::destroy(&sent);
}

void cancel_domain::binding_link::fired(real_record& record, const cancel_reason& why) noexcept {
  const cancel_domain& d = registration_of<binding_link>(record).domain;
  cancel_reason from_outside = why;
  from_outside.code = cancel_code::parent;
  d.cancels().cancel(from_outside);
}

bool cancel_domain::has_cancelled_itself() const noexcept {
  const auto why = token.reason();
  return why && (why->code != cancel_code::parent || BAST_MUTANT(any_cancel_absorbed));
}

// --- time ----------------------------------------------------------------------------------------

void cancel_domain::cancel_overdue() noexcept {
  cancels().cancel({.code = overdue_, .error = make_error_code(errc::timed_out)});
}

void cancel_domain::deadline_timer::expire(loop_timer& self) noexcept {
  static_cast<deadline_timer&>(self).domain.cancel_overdue();
}

void cancel_domain::set_deadline(time_point at, cancel_code code) noexcept {
  BAST_ASSERT(is_at_home());
  overdue_ = code;
  event_loop& loop = where_.events();
  if (wheel::armed(timer_)) loop.disarm(timer_);
  cancels().set_deadline(at);
  if (at == never || token.is_cancelled()) return;
  const std::int64_t at_ns = nanoseconds_of(at);
  if (at_ns <= static_cast<std::int64_t>(loop.now_ns())) return cancel_overdue();
  loop.arm(timer_, static_cast<std::uint64_t>(at_ns));
}

// --- a domain that comes late --------------------------------------------------------------------

result<void> late_domain::reserve(const cancel_domain* above, static_string operation) noexcept {
  if (get() != nullptr) return {};
  result<void> opened;
  lock_.lock();
  if (get() == nullptr) {
    auto* const made = os::make<cancel_domain>(&members_, home_);
    opened = made != nullptr
                 ? made->open_below(above)
                 : fail(errc::no_memory, operation, "no memory for what the scope needs for it");
    if (opened) {
      // Release: pairs with the acquire in get().
      made_.store(made, std::memory_order_release);
    } else {
      os::destroy(made);
    }
  }
  lock_.unlock();
  return opened;
}

late_domain::~late_domain() {
  cancel_domain* const made = get();
  if (made == nullptr) return;
  made->close();
  os::destroy(made);
}

// --- of a worker ---------------------------------------------------------------------------------

void worker::take_messages() noexcept {
  for (domain_fibers* at = messages_.take(); at != nullptr;) {
    domain_fibers& sent = *at;
    at = at->next;
    cancel_domain::handle(sent, *this);
  }
}

fiber_record*& worker::list_of(const coro_attachment* governs) noexcept {
  while (!governs->by_executor) governs = governs->outer;
  if (governs == &root_) return fibers_;
  auto& domain = const_cast<cancel_domain&>(static_cast<const cancel_domain&>(*governs));
  return domain.fibers_on(*this).newest;
}

const cancel_source& worker::source_below(const coro_attachment& governs) noexcept {
  if (&governs == &root_) return *root_branch_;  // NOLINT: since open()
  auto& domain = const_cast<cancel_domain&>(static_cast<const cancel_domain&>(governs));
  return domain.branch_on(*this);
}

fiber_scope* worker::scope_governing(const coro_attachment* governs) noexcept {
  for (; governs != nullptr; governs = governs->outer) {
    if (!governs->by_executor) continue;
    fiber_scope* const found = static_cast<const domain_attachment*>(governs)->scope;
    if (found != nullptr) return found;
  }
  return nullptr;
}

}  // namespace bast::inline BAST_ABI::internal
