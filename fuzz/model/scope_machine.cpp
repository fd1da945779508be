// SPDX-License-Identifier: Apache-2.0
#include "model/scope_machine.hpp"

#include <utility>

namespace bast::model {

namespace {

/// A fiber that is ready runs after at most 256 + n switches (IO-7): with a round for each that has
/// not started.
constexpr int yields_of_a_round = 300;

}  // namespace

scope_machine::scope_machine(const program& p, bool is_rough) : is_rough_(is_rough) {
  gate_first_ = scope_language.option(p.options, "gate_first") != 0;
  for (const op& o : p.ops) parts_[o.who % scope_scripts].script.push_back(o);
  for (part& each : parts_) {
    if (auto made = cancel_source::create()) {
      each.own.emplace(std::move(*made));
      each.own_node = model_.add_node(none, true);
    }
  }
}

// M4. By the name: a stray cancellation has no number.
void scope_machine::take_unhandled(void* self, failure&& untaken) noexcept {
  auto& machine = *static_cast<scope_machine*>(self);
  for (number which = 0; which < scope_scripts; ++which) {
    if (untaken.fiber != scope_script_name(which)) continue;
    part& p = machine.parts_[which];
    ++p.unhandled;
    if (p.ends != 0) machine.expect(ending_of(untaken) == p.outcome, "M4: another failure");
  }
}

std::string scope_machine::run() {
  bast::internal::seed_choices(1);
  // Open from the start: to let one grow is a call of the kernel, which may fail here.
  const stack_options whole{.limit = bytes{512 << 10}, .growth = stack_growth::demand};
  const auto ended = bast::run(
      [this] { supervise(); },
      {.workers = 1, .stack = whole, .unhandled = {.take = take_unhandled, .context = this}});
  is_over_ = true;
  if (!ended) {
    const auto& why = ended.error().primary.why;
    expect(is_rough_ && why.has_value() && *why != errc::cancelled, "run fails");
    return complaint_;
  }
  check_end();
  return complaint_;
}

void scope_machine::check_end() {
  expect(holders_ == 0 && live_ == 0, "M9: a callable is not destroyed");
  for (const part& each : parts_) {
    expect(each.runs == each.ends && each.runs <= 1, "M1: a script runs twice, or does not end");
    if (is_rough_) continue;
    expect(each.runs == (each.is_spawned ? 1 : 0), "M1: a fiber is lost");
    const bool fails =
        each.outcome.how != ending::kind::value && each.outcome.how != ending::kind::cancelled;
    const bool is_alone = each.scope == none || model_.scope_of(each.scope).supervise;
    expect(each.unhandled == (fails && is_alone && !each.is_taken ? 1 : 0),
           "M4: a failure is lost, or handled twice");
  }
  for (number which = 0; which < model_.scopes(); ++which) {
    expect(model_.scope_of(which).at == scope_model::phase::done, "M1: a scope has no end");
  }
}

// Main only yields, so that the worker never sleeps, and notices when no fiber makes progress.
void scope_machine::supervise() {
  const cancel_binding shielded{cancel_token()};
  auto pool = coro_pool::create();
  if (pool) coroutines_.emplace(std::move(*pool));
  running mine{.who = 0, .blocks = {{.governs = scope_model::root}}};
  spawn_part(mine, 0);
  settle();
  if (gate_first_) {
    open_gate();
    settle();
  }
  cancel_until_settled();
  if (!gate_first_) {
    open_gate();
    settle();
    cancel_until_settled();
  }
  // The run would never end, and not report it.
  BAST_CHECK(live_ == 0, "M8: a fiber goes on waiting though all is cancelled");
  for (part& each : parts_) const fiber<int> gone(std::move(each.handle));
  coroutines_.reset();  // No fiber is left that could use it.
  expect(this_fiber::worker_stacks().live <= 1, "M9: a stack is in use");
}

void scope_machine::settle() {
  std::uint64_t seen = progress_;
  int rounds = 1;
  for (int idle = 0; idle < yields_of_a_round * rounds; ++idle) {
    (void)yield_now();
    if (seen == progress_) continue;
    seen = progress_;
    idle = 0;
    rounds = 1;
    for (const part& each : parts_) rounds += each.is_spawned && each.runs == 0 ? 1 : 0;
  }
  check_settled();
}

// M8
void scope_machine::check_settled() {
  if (is_rough_) return;
  see_daemons();
  for (const part& each : parts_) {
    expect(!each.is_spawned || each.runs != 0, "M8: a fiber is not started");
    if (each.now == nullptr || each.runs == each.ends) continue;
    const running& r = *each.now;
    if (r.waits != wait_for::members) {
      expect(!model_.is_cancelled(r.governs), "M8: a wait goes on though it is cancelled");
    }
    switch (r.waits) {
      case wait_for::nothing: expect(false, "M8: a fiber that does not wait is not run"); break;
      case wait_for::gate: expect(!gate_is_open_, "M8: a wait goes on though it has ended"); break;
      case wait_for::cancel: break;
      case wait_for::end_of_fiber:
        expect(parts_[r.subject].ends == 0, "M8: a join goes on though its fiber has ended");
        break;
      case wait_for::idle:
        expect(model_.scope_of(r.subject).members != 0, "M8: idle() does not see its event");
        break;
      case wait_for::fault:
        expect(model_.scope_of(r.subject).failures.empty(), "M8: fault() does not see its event");
        break;
      case wait_for::members: {
        const auto& s = model_.scope_of(r.subject);
        expect(s.members != 0 || s.daemons_left != 0, "M8: run_scope waits for no fiber");
        // M7
        expect(s.members != 0 || model_.is_cancelled(s.daemons), "M8: daemons are not cancelled");
      }
    }
  }
}

// Those that go on may open scopes that are shielded.
void scope_machine::cancel_until_settled() {
  std::uint64_t seen = 0;
  do {
    seen = progress_;
    cancel_all();
    settle();
  } while (live_ != 0 && seen != progress_);
}

void scope_machine::cancel_all() {
  (void)model_.cancel(scope_model::root);
  (void)runtime_handle::current()->cancel();
  for (part& each : parts_) {
    if (!each.own) continue;
    (void)model_.cancel(each.own_node);
    (void)each.own->cancel();
  }
  for (number which = 0; which < model_.scopes(); ++which) {
    const auto& s = model_.scope_of(which);
    if (s.at == scope_model::phase::done) continue;
    expect_exact(real_[which].handle->cancel() == model_.cancel(s.self), "M6: cancel() is wrong");
  }
}

void scope_machine::open_gate() {
  gate_.wake_all([this]() noexcept { gate_is_open_ = true; });
}

ending scope_machine::run_part(number which) {
  part& p = parts_[which];
  running r{.who = which, .blocks = {{.governs = p.governs, .scope = p.scope}}};
  p.now = &r;
  expect(!is_over_, "M1: a fiber runs after the end");
  ++p.runs;
  ++live_;
  note(which, "+");
  if (p.is_daemon && p.scope != none && !real_[p.scope].daemons.can_be_cancelled()) {
    real_[p.scope].daemons = this_coro::cancellation();
  }
  step(r);
  ending how = play(r);
  if (p.is_plain && how.how != ending::kind::value) {
    how.how = BAST_EXCEPTIONS != 0 ? ending::kind::exception : ending::kind::value;
    how.number = ++endings_;
  }
  step(r);
  p.now = nullptr;
  --live_;
  ++p.ends;
  note(which, "-");
  p.outcome = model_.fiber_ended(p.scope, which, p.is_daemon, how);
  return how;
}

// After each call of the library: what holds at any time.
void scope_machine::step(running& r) {
  ++progress_;
  see_daemons();
  const block& here = r.blocks.back();
  for (number s = here.scope; s != none; s = model_.scope_of(s).around) {
    const auto& known = model_.scope_of(s);
    expect(known.at != scope_model::phase::done, "M1: something runs after its scope");
    if (is_rough_ || known.at == scope_model::phase::done) continue;
    const scope& real = *real_[s].handle;
    expect(real.is_cancelled() == model_.is_cancelled(known.self), "M6: a scope is cancelled");
    expect(real.size() == static_cast<std::size_t>(known.members), "M1: a fiber is not counted");
  }
  expect_exact(this_coro::cancellation().is_cancelled() == model_.is_cancelled(here.governs),
               "M6: code is cancelled, or not, unlike its scope");
}

// M7. No code of the program runs between their cancellation and this.
void scope_machine::see_daemons() {
  for (number which = 0; which < model_.scopes(); ++which) {
    const auto& s = model_.scope_of(which);
    const cancel_token& daemons = real_[which].daemons;
    if (!daemons.is_cancelled() || model_.is_cancelled(s.daemons)) continue;
    expect_exact(s.at == scope_model::phase::joining && s.members == 0,
                 "M7: daemons are cancelled before the others have ended");
    expect_exact(daemons.reason()->code == cancel_code::shutdown, "M7: daemons have no reason");
    if (s.daemons != none) (void)model_.cancel(s.daemons, cancel_code::shutdown);
  }
}

result<int> end_by(const ending& how) {
  switch (how.how) {
    case ending::kind::failure: return fail(errc::invalid, "script", "it ends so", how.number);
    case ending::kind::cancelled: return fail(errc::cancelled, "script", "it ends so");
#if BAST_EXCEPTIONS
    case ending::kind::exception: throw scripted_exception{how.number};
#endif
    default: return static_cast<int>(how.number);
  }
}

}  // namespace bast::model
