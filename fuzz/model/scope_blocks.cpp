// SPDX-License-Identifier: Apache-2.0
//
// What the code of a script is in: scopes and their defers, limits, shields, bindings.
#include <utility>

#include "model/scope_machine.hpp"

namespace bast::model {

namespace {

/// Blocks within each other, so that a script fits on its stack.
constexpr std::size_t blocks_max = 6;

bool begins_block(const op& o) {
  switch (static_cast<scope_op>(o.kind)) {
    case scope_op::open:
    case scope_op::limit:
    case scope_op::shield:
    case scope_op::bind: return true;
    default: return false;
  }
}

bool ends_block(const op& o) { return static_cast<scope_op>(o.kind) == scope_op::end; }

}  // namespace

ending scope_machine::play(running& r) {
  const auto& script = parts_[r.who].script;
  while (r.at < script.size()) {
    const op& o = script[r.at++];
    if (ends_block(o)) return scripted(r, static_cast<end_value>(o.value % 4));
    if (begins_block(o) && r.blocks.size() >= blocks_max) {
      skip_block(r);
      continue;
    }
    perform_op(r, o);
    step(r);
  }
  return {ending::kind::value, ++endings_};
}

ending scope_machine::play_within(running& r, const block& within) {
  r.blocks.push_back(within);
  step(r);
  const ending how = play(r);
  step(r);
  r.blocks.pop_back();
  return how;
}

void scope_machine::nest(running& r) {
  const auto& script = parts_[r.who].script;
  if (r.at == script.size() || begins_block(script[r.at]) || ends_block(script[r.at])) return;
  if (!coroutines_) return;
  const op& inner = script[r.at];
  if (static_cast<scope_op>(inner.kind) == scope_op::nest) return;
  ++r.at;
  auto made = coroutines_->make([&] { perform_op(r, inner); });
  if (!made) return expect(is_rough_, "a coroutine cannot be made");
  expect(!made->resume().failed() || is_rough_, "a coroutine fails");
  expect(made->state() == coro_state::finished || is_rough_, "F-4: a fiber leaves its nest");
}

void scope_machine::skip_block(running& r) {
  const auto& script = parts_[r.who].script;
  for (std::size_t depth = 1; r.at < script.size() && depth != 0; ++r.at) {
    if (begins_block(script[r.at])) ++depth;
    if (ends_block(script[r.at])) --depth;
  }
}

ending scope_machine::scripted(const running& r, end_value how) {
  note(r.who, ".");
  switch (how) {
    case end_value::value: break;
    case end_value::failure: return {ending::kind::failure, ++endings_};
    case end_value::cancelled: return {ending::kind::cancelled};
    case end_value::exception:
      if constexpr (BAST_EXCEPTIONS != 0) return {ending::kind::exception, ++endings_};
      return {ending::kind::failure, ++endings_};
  }
  return {ending::kind::value, ++endings_};
}

// --- scopes --------------------------------------------------------------------------------------

scope_options scope_machine::options_of(unsigned value, scope_report* report) const {
  const bool has_grace = (value & open_value::no_grace) == 0;
  return {.name = "scope",
          .deadline = time_of(static_cast<deadline_value>(value >> open_value::deadline_shift)),
          .shielded = (value & open_value::shielded) != 0,
          .supervise = (value & open_value::supervise) != 0,
          .grace = has_grace ? std::chrono::nanoseconds::max() : std::chrono::nanoseconds(0),
          .report = (value & open_value::report) != 0 ? report : nullptr};
}

void scope_machine::open_scope(running& r, unsigned value) {
  const block around = r.blocks.back();
  const bool may = model_.may_open(around.scope);
  scope_report report;
  number mine = none;
  ending body;
  const auto got = run_scope(
      [&](scope& s) -> result<int> {
        expect(may, "M2: a scope is not refused");
        mine = model_.open(r.who, around.scope, around.governs, value);
        real_.push_back({.handle = &s, .daemons = {}});
        ids_.push_back(s.id());
        const number governs = model_.scope_of(mine).self;
        if (time_of(static_cast<deadline_value>(value >> open_value::deadline_shift)) <
            std::chrono::steady_clock::now()) {
          (void)model_.cancel(governs, cancel_code::deadline);
        }
        note(r.who, "{");
        body = play_within(r, {.governs = governs, .scope = mine});
        model_.body_ended(mine, body);
        r.waits = wait_for::members;
        r.subject = mine;
        return end_by(body);
      },
      options_of(value, &report));
  r.waits = wait_for::nothing;
  if (mine == none) {
    const bool is_closed = !got && got.error().primary.why == errc::closed;
    expect_exact(is_closed && !may, "M2: a scope is refused");
    note(r.who, "!");
    return skip_block(r);
  }
  note(r.who, "}");
  check_closed(mine, got, body);
  if ((value & open_value::report) == 0 || is_rough_) return;
  if (const auto wrong = model_.compare(mine, report, ids_); !wrong.empty()) {
    expect(false, ("M3: " + wrong).c_str());
  }
}

void scope_machine::check_closed(number which, const std::expected<int, scope_failure>& got,
                                 const ending& body) {
  see_daemons();
  model_.close(which);
  real_[which].handle = nullptr;
  const auto& s = model_.scope_of(which);
  expect(s.defers.empty(), "M5: a defer has not run");
  if (is_rough_) return;
  expect(s.members == 0 && s.daemons_left == 0, "M1: a scope returns before its fibers");
  if (model_.status(which) == scope_status::ok) {
    expect(got && *got == static_cast<int>(body.number), "M3: a scope has another value");
    return;
  }
  expect(!got, "M3: a scope that has failed has a value");
  if (got) return;
  const auto wrong = model_.compare(which, got.error(), ids_);
  if (!wrong.empty()) expect(false, ("M3: " + wrong).c_str());
}

// M5
result<void> scope_machine::run_defer(number which, number id, bool plays, const scope_end& how) {
  auto& s = model_.scope_of(which);
  running& r = *parts_[s.owner].now;
  see_daemons();
  r.waits = wait_for::nothing;
  expect(s.at >= scope_model::phase::joining && s.at != scope_model::phase::done,
         "M5: a defer runs before the end of the body, or after its scope");
  expect(!s.defers.empty() && s.defers.back() == id,
         "M5: a defer is not the latest, or runs twice");
  if (!s.defers.empty()) s.defers.pop_back();
  expect_exact(s.members == 0 && s.daemons_left == 0, "M5: a defer runs before a fiber has ended");
  expect_exact(how.status == model_.status(which), "M5: a defer is told another status");
  expect(how.why == nullptr || how.status == scope_status::failed, "M5: a defer is told a failure");
  if (how.why != nullptr && !is_rough_ && !s.failures.empty()) {
    expect(ending_of(how.why->primary) == s.failures[0].how, "M5: a defer is told another failure");
  }
  note(r.who, "~");
  const block within{.governs = model_.finalize(which), .scope = which};
  if (!plays) {
    r.blocks.push_back(within);
    step(r);
    r.blocks.pop_back();
    return {};
  }
  const ending done = play_within(r, within);
  model_.defer_ended(which, done);
  if (auto ended = end_by(done); !ended) return std::unexpected(ended.error());
  return {};
}

// --- within a fiber ------------------------------------------------------------------------------

void scope_machine::limit(running& r, unsigned value) {
  const auto when = time_of(static_cast<deadline_value>(value % 4));
  const bool moves_on = value >= 4;
  const block around = r.blocks.back();
  number mine = none;
  ending body;
  bool is_late = false;
  const auto code = [&]() -> result<int> {
    mine = model_.add_node(around.governs, model_.ends_with_all(around.governs));
    if (when < std::chrono::steady_clock::now()) {
      (void)model_.cancel(mine, cancel_code::deadline);
    }
    body = play_within(r, {.governs = mine, .scope = around.scope});
    is_late = body.how == ending::kind::cancelled && model_.has_cancelled_itself(mine);
    return end_by(body);
  };
  bool moved_on = false;
  const ending got = ending_of_call([&]() -> result<int> {
    if (!moves_on) return fail_at(when, code);
    const auto within = move_on_at(when, code);
    if (!within) return std::unexpected(within.error());
    moved_on = !within->has_value();
    return within->value_or(0);
  });
  if (mine == none) {
    expect_exact(false, "a limit is refused");
    return skip_block(r);
  }
  if (is_rough_) return;
  // C-15
  expect(moved_on == (is_late && moves_on), "M3: a limit passes for another");
  if (moved_on) return;
  const ending late{ending::kind::timed_out};
  expect(got == (is_late ? late : body), "M3: a limit has another outcome");
}

void scope_machine::shield_block(running& r) {
  const block around = r.blocks.back();
  ending body;
  const ending got = ending_of_call([&] {
    return shield([&] {
      body = play_within(r, {.governs = none, .scope = around.scope});
      return end_by(body);
    });
  });
  expect(got == body, "M3: a shield has another outcome");
}

void scope_machine::bind(running& r) {
  part& mine = parts_[r.who];
  if (!mine.own) return skip_block(r);
  const block around = r.blocks.back();
  (void)ending_of_call([&] {
    const cancel_binding bound(mine.own->token());
    return end_by(play_within(r, {.governs = mine.own_node, .scope = around.scope}));
  });
}

}  // namespace bast::model
