// SPDX-License-Identifier: Apache-2.0
#include "model/sched_machine.hpp"

#include <utility>

namespace bast::model {

namespace {

constexpr int was_sent = 1;
constexpr int was_received = 2;
/// Longer than any fiber may have to wait for its turn (IO-7): a round for each unstarted one.
constexpr int yields_without_progress = 300 * static_cast<int>(sched_scripts);

bool is_about_memory(const error& why) { return why == errc::no_memory || why == errc::limit; }

}  // namespace

struct sched_machine::held {
  explicit held(int& count) noexcept : count_(&count) { ++count; }
  held(held&& other) noexcept : count_(other.count_) { ++*count_; }
  held& operator=(held&&) = delete;
  ~held() { --*count_; }
  int* count_;
};

sched_machine::sched_machine(const program& p, bool is_rough) : is_rough_(is_rough) {
  constexpr std::size_t limits[] = {1U << 20, 3, 5, 9};  // main has one
  stacks_max_ = limits[sched_language.option(p.options, "stacks")];
  const unsigned own = sched_language.option(p.options, "own");
  for (const op& o : p.ops) parts_[o.who % sched_scripts].script.push_back(o);
  for (std::size_t i = 0; i < sched_scripts; ++i) {
    if (own == 1 || (own >= 2 && i % 2 == own - 2)) {
      if (auto made = cancel_source::create()) parts_[i].own.emplace(std::move(*made));
    }
  }
}

void sched_machine::take_unhandled(void* self, failure&& untaken) noexcept {
  auto& machine = *static_cast<sched_machine*>(self);
  ++machine.unhandled_;
  if (untaken.why && is_about_memory(*untaken.why)) ++machine.not_started_;
}

std::string sched_machine::run() {
  bast::internal::seed_choices(1);
  const auto ended =
      bast::run([this] { supervise(); }, {.workers = 1,
                                          .stacks_max = stacks_max_,
                                          .unhandled = {.take = take_unhandled, .context = this}});
  is_over_ = true;
  if (!ended) {
    const auto& why = ended.error().primary.why;
    expect(is_rough_ && why.has_value() && *why != errc::cancelled, "run fails");
    return complaint_;
  }
  int runs = 0;
  int spawned = 0;
  for (part& each : parts_) {
    runs += each.runs;
    spawned += each.is_spawned ? 1 : 0;
    expect(each.runs == each.ends && each.runs <= 1, "Q1: a script runs twice, or does not end");
    expect(each.handle.operator bool() == each.has_handle, "Q3: a handle is not as it should be");
  }
  expect(runs + not_started_ == spawned, "Q1: a fiber is lost");
  expect(not_started_ == 0 || is_rough_, "Q1: a fiber is not started");
  for (const int value : values_) {
    expect(value == 0 || value == (was_sent | was_received), "Q2: a value is lost or invented");
  }
  expect(failures_ + not_started_ == taken_failures_ + unhandled_, "Q4: a failure is lost");
  expect(holders_ == 0 && live_ == 0, "Q6: a callable is not destroyed");
  for (const auto& channel : channels_) {
    expect(const_cast<test::rendezvous<number>&>(channel).waiting() == 0, "Q6: a wait is left");
  }
  return complaint_;
}

// Main only yields, so that the worker never sleeps, and notices when nobody makes progress.
void sched_machine::supervise() {
  const cancel_binding shielded{cancel_token()};
  auto pool = coro_pool::create();
  if (pool) coroutines_.emplace(std::move(*pool));
  spawn_part(0);
  const auto settle = [this] {
    std::uint64_t seen = progress_;
    for (int idle = 0; idle < yields_without_progress; ++idle) {
      (void)yield_now();
      if (seen != progress_) idle = 0;
      seen = progress_;
    }
  };
  settle();
  (void)runtime_handle::current()->cancel();
  for (part& each : parts_) {
    if (each.own) (void)each.own->cancel();
  }
  settle();
  // The run would never end, and not tell.
  BAST_CHECK(live_ == 0, "C-18: a fiber goes on waiting though it is cancelled");
  for (part& each : parts_) {
    if (!std::exchange(each.has_handle, false)) continue;
    const fiber<number> gone(std::move(each.handle));
  }
  coroutines_.reset();  // No fiber is left that could use it.
}

void sched_machine::spawn_part(std::size_t which) {
  part& p = parts_[which];
  if (p.is_spawned) return;
  const int before = holders_;
  auto made = spawn([this, which, mine = held(holders_)] { return body(which); });
  if (!made) {
    expect(is_rough_ && is_about_memory(made.error()), "a spawn fails");
    expect(holders_ == before, "Q6: a spawn that failed keeps the callable");
    return;
  }
  expect(p.runs == 0, "IO-8: a fiber runs inside spawn");
  p.is_spawned = true;
  p.has_handle = true;
  p.handle = std::move(*made);
}

result<sched_machine::number> sched_machine::body(std::size_t who) {
  part& mine = parts_[who];
  expect(!is_over_, "Q6: a fiber runs after the end");
  ++mine.runs;
  ++live_;
  note(who, "+");
  std::optional<cancel_binding> bound;
  if (mine.own) bound.emplace(mine.own->token());
  for (std::size_t i = 0; i < mine.script.size() && !mine.fails; ++i) {
    const op& o = mine.script[i];
    const bool nests = static_cast<sched_op>(o.kind) == sched_op::nest;
    if (!nests || i + 1 == mine.script.size() || !coroutines_) {
      perform_op(who, o);
      continue;
    }
    const op& inner = mine.script[++i];
    auto made = coroutines_->make([&] { perform_op(who, inner); });
    if (!made) {
      expect(is_rough_, "a coroutine cannot be made");
      continue;
    }
    expect(!made->resume().failed() || is_rough_, "a coroutine fails");
    expect(made->state() == coro_state::finished || is_rough_, "F-4: a fiber leaves its nest");
  }
  --live_;
  ++mine.ends;
  note(who, "-");
  if (!mine.fails) return static_cast<number>(who);
  ++failures_;
  return fail(errc::invalid, "script", "it ends so");
}

void sched_machine::perform_op(std::size_t who, const op& o) {
  const std::size_t which = o.value % sched_scripts;
  switch (static_cast<sched_op>(o.kind)) {
    case sched_op::spawn: return spawn_part(which);
    case sched_op::join: return join_part(who, which);
    case sched_op::drop: {
      parts_[which].has_handle = false;
      const fiber<number> gone(std::move(parts_[which].handle));
      return;
    }
    case sched_op::yield: {
      const bool fired = is_cancelled(who);
      const auto yielded = yield_now();
      expect(!fired || !yielded, "Q5: a yield of a cancelled fiber");
      expect(yielded || is_cancelled(who), "Q5: a yield is cancelled without a reason");
      return;
    }
    case sched_op::cancel:
      if (parts_[which].own) (void)parts_[which].own->cancel();
      return;
    case sched_op::stop: (void)runtime_handle::current()->cancel(); return;
    case sched_op::nest: return;
    case sched_op::fail: parts_[who].fails = true; return;
    case sched_op::send:
    case sched_op::receive:
    case sched_op::choose:
    case sched_op::poll:
    case sched_op::first: return wait(who, o);
  }
}

bool sched_machine::is_cancelled(std::size_t /*who*/) const {
  return this_coro::cancellation().is_cancelled();
}

void sched_machine::join_part(std::size_t who, std::size_t which) {
  part& p = parts_[which];
  // In use by another's join, or its op: a handle is one fiber's at a time.
  fiber<number> mine(std::move(p.handle));
  const bool was_there = std::exchange(p.has_handle, false);
  expect(was_there == static_cast<bool>(mine), "Q3: a handle is not as it should be");
  const bool fired = is_cancelled(who);
  const auto got = mine.join();
  note(who, got ? "j" : "x");
  if (got) {
    expect(!fired && *got == which && p.ends == 1 && was_there, "Q3: a join takes another outcome");
    expect(++p.outcomes == 1, "Q3: an outcome is taken twice");
    return;
  }
  const error& why = got.error();
  if (why == errc::invalid || is_about_memory(why)) {
    if (is_about_memory(why)) ++not_started_;
    ++taken_failures_;
    expect(!mine && ++p.outcomes == 1, "Q3: an outcome is taken twice");
    return;
  }
  const bool expected = why == errc::cancelled   ? is_cancelled(who)
                        : why == errc::bad_state ? !was_there
                                                 : why == errc::deadlock && which == who;
  expect(expected, "Q3: a join fails");
  expect(static_cast<bool>(mine) == was_there, "Q3: a join that fails takes the outcome");
  p.handle = std::move(mine);
  p.has_handle = was_there;
}

void sched_machine::wait(std::size_t who, const op& o) {
  const number id = static_cast<number>(values_.size());
  values_.push_back(0);
  number slot = id;
  auto& here = channels_[o.value % sched_channels];
  auto& there = channels_[(o.value >> 2) % sched_channels];
  const auto sent = [] { return was_sent; };
  number arrived = 0;
  const auto received = [&](number value) {
    arrived = value;
    return was_received;
  };
  const bool fired = is_cancelled(who);
  result<int> how = 0;
  bool waits = true;
  const auto either = choice(wrap(here.send(slot), sent), wrap(there.receive(), received));
  switch (static_cast<sched_op>(o.kind)) {
    case sched_op::send: how = perform(wrap(here.send(slot), sent)); break;
    case sched_op::receive: how = perform(wrap(here.receive(), received)); break;
    case sched_op::poll: {
      waits = false;
      how = poll(either).value_or(0);
      break;
    }
    case sched_op::first: {
      part& p = parts_[(o.value >> 2) % sched_scripts];
      if (!p.handle || &p == &parts_[who]) {
        how = perform(wrap(here.receive(), received));
        break;
      }
      // Meanwhile it is this fiber's.
      fiber<number> mine(std::move(p.handle));
      p.has_handle = false;
      how = perform(choice(wrap(mine.done(), [] { return 0; }), wrap(here.receive(), received)));
      expect(static_cast<bool>(mine), "Q3: done() takes the outcome");
      if (how && *how == 0) expect(mine.is_done(), "Q3: done() comes before the end");
      p.handle = std::move(mine);
      p.has_handle = true;
      break;
    }
    default: how = perform(either);
  }
  note(who, how ? (*how == was_sent ? "s" : "r") : "c");
  if (!how) {
    expect(waits && how.error() == errc::cancelled && is_cancelled(who), "Q5: a wait fails");
  } else if (*how != 0) {
    expect(!waits || !fired, "Q5: a wait succeeds though it was cancelled before");
    number& value = *how == was_sent ? slot : arrived;
    const std::size_t at = *how == was_sent ? id : value;
    expect(at < values_.size() && (values_[at] & *how) == 0, "Q2: a value arrives twice");
    if (at < values_.size()) values_[at] |= *how;
  }
}

}  // namespace bast::model
