// SPDX-License-Identifier: Apache-2.0
#include "model/pool_machine.hpp"

#include <cstring>

#include "model/other_thread.hpp"

namespace bast::model {

namespace {

struct planned_failure {
  int id;
};

/// Enough for the frames of a body that goes no deeper, and for the unwinder below them.
constexpr std::size_t frames_bytes = 24 << 10;

/// Whether a user can act on it: it names the operation and the cause.
bool is_clear(const error& e) { return e.operation() != nullptr && e.detail() != nullptr; }

}  // namespace

/// F-9: counted from the beginning of the body to the destruction of its locals.
class pool_machine::body {
 public:
  body(pool_machine& machine, int id) : machine_(machine), id_(id) { ++machine.bodies_; }
  ~body() {
    --machine_.bodies_;
    if (!machine_.dying_) return;
    if (machine_.last_unwound_ >= 0 && id_ > machine_.last_unwound_) {
      machine_.complain("F-17: an older coroutine was unwound before a newer one");
    }
    machine_.last_unwound_ = id_;
  }
  body(const body&) = delete;
  body& operator=(const body&) = delete;

 private:
  pool_machine& machine_;
  int id_;
};

pool_machine::pool_machine(const coro_pool_options& options, fault_schedule& faults)
    : options_(options), faults_(faults) {
#if BAST_EXCEPTIONS
  options_.unhandled = {
      .take = [](void* self, std::exception_ptr,
                 const char*) noexcept { ++static_cast<pool_machine*>(self)->taken_by_sink_; },
      .context = this};
#endif
  make();
}

bool pool_machine::make() {
  auto made = coro_pool::create(options_);
  if (made) {
    pool_.emplace(std::move(*made));
  } else if (!lacks() || !is_clear(made.error())) {
    complain("create: " + made.error().message());
  }
  return made.has_value();
}

void pool_machine::end() {
  if (!pool_) return;
  dying_ = true;
  last_unwound_ = -1;
  pool_.reset();
  dying_ = false;
  for (const handle& h : handles_) {
    if (h.state() != coro_state::free) complain("F-16: a handle outlives its pool");
  }
}

void pool_machine::release_everything() {
  for (handle& h : acquired_) {
    // A stale handle is legal: the program released that coroutine itself.
    const auto released = h.release();
    if (!released && released.error().kind() != errc::stale_handle) {
      complain("release: " + released.error().message());
    }
  }
  acquired_.clear();
  handles_.fill(handle());
  ids_.fill(0);
  next_id_ = 0;
}

void pool_machine::restart() {
  end();
  acquired_.clear();
  taken_by_sink_ = 0;
  faults_.clear_up();
  // With faults from outside, the pool may be lost; the run then ends.
  make();
}

// --- operations ----------------------------------------------------------------------------------

template <class T>
reply pool_machine::describe(const result<T>& came) {
  if (came) return reply::of(no_value);
  if (!is_clear(came.error())) complain("an error that names neither operation nor cause");
  return reply::refusal(came.error().kind());
}

reply pool_machine::describe(const step<int>& came) {
  if (came.failed()) return describe<void>(std::unexpected(came.error()));
  if (came.finished()) return reply::of(finished_value);
  return reply::of(came.value());
}

answer pool_machine::perform(const op& o) {
  if (static_cast<pool_op>(o.kind) != pool_op::inside)
    return {.outer = perform_one(o), .inner = {}};
  to_perform_inside_ = inner_op(o.value);
  performed_inside_.reset();
  const reply outer = resume(o.who, o.value);
  to_perform_inside_.reset();
  return {.outer = outer, .inner = performed_inside_};
}

reply pool_machine::perform_one(const op& o) {
  handle& who = handles_[o.who];
  const reply done = reply::of(no_value);
  switch (static_cast<pool_op>(o.kind)) {
    case pool_op::acquire: return acquire(o.who);
    case pool_op::start: return start(o.who, o.value);
    case pool_op::make: return make(o.who, o.value);
    case pool_op::resume: return resume(o.who, o.value);
    case pool_op::take: return take(o.who);
    case pool_op::release: return describe(who.release());
    case pool_op::abandon: return describe(who.release(abandon));
    case pool_op::set_data:
      return describe(who.set_user_data(reinterpret_cast<void*>(std::uintptr_t{o.value})));
    case pool_op::set_name: return describe(who.set_name(static_string::promise(names[o.value])));
    case pool_op::copy:
      handles_[o.value] = who;
      ids_[o.value] = ids_[o.who];
      return done;
    case pool_op::forget: who = handle(); return done;
    case pool_op::elsewhere: return elsewhere(o.who, o.value);
    case pool_op::wrong_pool: return wrong_pool(o.who);
    case pool_op::shrink: (void)pool_->shrink(); return done;
    case pool_op::reserve: return describe(pool_->reserve(o.value));
    case pool_op::adopt: return describe(pool_->adopt());
    case pool_op::fault: faults_.spoil(o.value); return done;
    case pool_op::mend: faults_.mend(); return done;
    case pool_op::budget: faults_.tighten(pool_->budget(), o.value); return done;
    case pool_op::restart: restart(); return done;
    case pool_op::check: pool_->check_invariants(); return done;
    case pool_op::inside: break;
  }
  return done;
}

reply pool_machine::acquire(std::size_t who) {
  auto got = pool_->acquire<int, int, int>();
  if (!got) return describe(got);
  handles_[who] = got->detach();
  acquired_.push_back(handles_[who]);
  ids_[who] = next_id_++;
  return reply::of(no_value);
}

reply pool_machine::start(std::size_t who, std::uint16_t value) {
  const script does = script::of(value);
  const int id = ids_[who];
  auto run = [this, does, id](yielder<int, int>& out) { return run_body(does, id, out); };
  handle started = handles_[who];  // What runs may put another one in its place.
  return describe(does.labelled ? started.start(static_string::promise(label), run)
                                : started.start(run));
}

reply pool_machine::make(std::size_t who, std::uint16_t value) {
  const script does = script::of(value);
  const int id = next_id_;
  auto run = [this, does, id](int first, yielder<int, int>& out) {
    if (first != handed_) complain("F-2: begun with another value");
    return run_body(does, id, out);
  };
  auto made = does.labelled ? pool_->make(static_string::promise(label), run) : pool_->make(run);
  if (!made) return describe(made);
  handles_[who] = made->detach();
  acquired_.push_back(handles_[who]);
  ids_[who] = next_id_++;
  return reply::of(no_value);
}

reply pool_machine::resume(std::size_t who, int value) {
  handle resumed = handles_[who];
  handed_ = value;
  return describe(resumed.resume(value));
}

/// F-18: a taken value stays valid after the end of the coroutine.
reply pool_machine::take(std::size_t who) {
  const int id = ids_[who];
#if BAST_EXCEPTIONS
  try {
    const auto taken = handles_[who].returned();
    return taken ? reply::of(*taken) : describe(taken);
  } catch (const planned_failure& failure) {
    if (failure.id != id) complain("F-6: another coroutine's exception");
    return reply::of(thrown_value);
  }
#else
  (void)id;
  const auto taken = handles_[who].returned();
  return taken ? reply::of(*taken) : describe(taken);
#endif
}

/// F-5.
reply pool_machine::elsewhere(std::size_t who, std::uint16_t value) {
  reply came;
  model::on_other_thread([&] {
    handle& h = handles_[who];
    switch (value) {
      case 0: came = describe(h.resume(0)); break;
      case 1: came = describe(h.release()); break;
      case 2: came = describe(h.returned()); break;
      default: came = describe(h.start([](yielder<int, int>&) { return 0; })); break;
    }
  });
  return came;
}

reply pool_machine::wrong_pool(std::size_t who) {
  if (!other_pool_) {
    auto other = coro_pool::create({.max_coros = 1});
    if (!other) return reply::refusal(errc::stale_handle);  // No memory: nothing was asked.
    other_pool_.emplace(std::move(*other));
  }
  return describe(other_pool_->release(handles_[who]));
}

// --- bodies --------------------------------------------------------------------------------------

int pool_machine::run_body(const script& does, int id, yielder<int, int>& out) {
  const body counted(*this, id);
  // Requested and not faulted if there may be too little: failed growth ends the process.
  std::size_t depth = does.depth;
  if (lacks() && !ensure_stack(bytes{depth + frames_bytes})) depth = 0;
#if BAST_EXCEPTIONS
  try {
    return use_stack(does, id, out, depth);
  } catch (const forced_unwind&) {
    if (does.unwound == script::when_unwound::replace) throw planned_failure{id};
    if (does.unwound == script::when_unwound::pass_on) throw;
    try {
      (void)out.yield(0);
      complain("F-10: a coroutine suspended while it was unwound");
    } catch (const forced_unwind&) {
    }
    return 0;
  }
#else
  return use_stack(does, id, out, depth);
#endif
}

/// Uses `depth` bytes between it and its caller, which no other code may change.
[[gnu::noinline]] int pool_machine::use_stack(const script& does, int id, yielder<int, int>& out,
                                              std::size_t depth) {
  if (depth == 0) return play(does, id, out);
  auto* const mine = static_cast<unsigned char*>(__builtin_alloca(depth));
  const auto pattern = static_cast<unsigned char>(id + 1);
  std::memset(mine, pattern, depth);
  const int came = play(does, id, out);
  // Equal to itself shifted by one byte, hence one byte value throughout.
  if (mine[0] != pattern || std::memcmp(mine, mine + 1, depth - 1) != 0) {
    complain("a suspended coroutine's stack was changed");
  }
  return came;
}

int pool_machine::play(const script& does, int id, yielder<int, int>& out) {
  // Room for later needs here, if memory may be short.
  if (!lacks() && !ensure_stack(bytes{frames_bytes})) complain("no room where there must be some");
  for (unsigned n = 0; n < does.yields; ++n) yield_in_play(yielded_value(id, n), out);
#if BAST_EXCEPTIONS
  if (does.throws) throw planned_failure{id};
#endif
  return returned_value(id);
}

/// Yields until it is resumed without a request.
void pool_machine::yield_in_play(int value, yielder<int, int>& out) {
  for (;;) {
    const int got = out.yield(value);
    if (got != handed_) complain("F-2: resumed with another value");  // F-2
    if (!to_perform_inside_) return;
    const op inner = *to_perform_inside_;
    to_perform_inside_.reset();
    const reply came = perform_one(inner);
    performed_inside_ = came;
    value = inside_value;
  }
}

// --- visible state ------------------------------------------------------------------------------

void pool_machine::compare_handles(const pool_model& expected) {
  for (std::size_t i = 0; i < handles_.size(); ++i) {
    const handle& h = handles_[i];
    const std::string whose = "handle " + std::to_string(i) + ": ";
    if (h.state() != expected.state_of(i)) {
      complain(whose + "F-1: it is " + name_of(h.state()) + ", not " +
               name_of(expected.state_of(i)));
    }
    if (h.name() != expected.name_of(i)) complain(whose + "another name");
    if (h.user_data() !=
        reinterpret_cast<void*>(static_cast<std::uintptr_t>(expected.data_of(i)))) {
      complain(whose + "F-13: another user's data");
    }
  }
}

void pool_machine::compare(const pool_model& expected) {
  compare_handles(expected);
  const coro_pool_stats seen = pool_->stats();
  const auto same = [&](const char* what, std::uint64_t actual, std::uint64_t wanted) {
    if (actual == wanted) return;
    complain(std::string(what) + ": " + std::to_string(actual) + ", not " + std::to_string(wanted));
  };
  same("F-15: ready", seen.ready, expected.count(coro_state::ready));
  same("F-15: running", seen.running, 0);
  same("F-15: suspended", seen.suspended, expected.count(coro_state::suspended));
  same("F-15: finished", seen.finished, expected.count(coro_state::finished));
  same("D14: stacks", seen.stacks.live, expected.stacks());
  same("F-10: swallowed", seen.swallowed_unwinds, expected.swallowed());
  same("F-12: abandoned", seen.abandoned, expected.abandoned());
  same("F-6, F-11: unhandled", seen.unhandled, expected.unhandled());
#if BAST_EXCEPTIONS
  same("F-6: taken by the sink", taken_by_sink_, expected.unhandled());
#endif
  same("F-8, F-9: bodies", bodies_, expected.bodies());
}

}  // namespace bast::model
