// SPDX-License-Identifier: Apache-2.0
//
// The bodies on the stacks of a `combined` program. They own no memory while suspended, so
// abandoning them leaks only what F-12 permits.
#include <cstring>

#include "bast/process/run.hpp"
#include "model/combined_machine.hpp"

namespace bast::model {

namespace {

#if BAST_EXCEPTIONS
struct planned_end {
  std::size_t place;
};
#endif

constexpr std::size_t deep_bytes = 12 << 10;
/// Enough for the frames of a body, its records, and the unwinder below them.
constexpr std::size_t combined_frames_bytes = 24 << 10;

/// Checks the bytes between a body and its callees, which no other code may change.
[[gnu::noinline]] bool untouched(const unsigned char* mine, unsigned char pattern) {
  return mine[0] == pattern && std::memcmp(mine, mine + 1, deep_bytes - 1) == 0;
}

struct asked_process {
  combined_loop* loop;
  const combined_order* order;
  std::size_t place;
  std::deque<bool>* ran;  // see combined_memory
};

result<process_id> start_asked(void* context, process_driver&, const process_follower& follower) {
  const auto& asked = *static_cast<asked_process*>(context);
  asked.ran->push_back(true);
  return asked.loop->start(asked.place, *asked.order, follower);
}

}  // namespace

/// F-9: the outermost local.
class combined_machine::body {
 public:
  body(combined_machine& machine, std::size_t place) : machine_(machine), place_(place) {
    ++machine.bodies_;
  }
  ~body() {
    --machine_.bodies_;
    if (this_coro::unwinding()) machine_.say("unwound " + std::to_string(place_));
  }
  body(const body&) = delete;
  body& operator=(const body&) = delete;

 private:
  combined_machine& machine_;
  std::size_t place_;
};

int combined_machine::run_body(std::size_t place, const combined_script& does,
                               yielder<int, int>& out) {
  const body counted(*this, place);
#if BAST_EXCEPTIONS
  try {
    return play(place, does, out);
  } catch (const forced_unwind&) {
    if (does.unwound == combined_script::when_unwound::replace) throw planned_end{place};
    if (does.unwound == combined_script::when_unwound::pass_on) throw;
    try {
      (void)out.yield(0);
      complain("F-10: a coroutine suspended while it was unwound");
    } catch (const forced_unwind&) {
    }
    return 0;
  }
#else
  return play(place, does, out);
#endif
}

int combined_machine::play(std::size_t place, const combined_script& does, yielder<int, int>& out) {
  // Requested and not faulted if there may be too little: failed growth ends the process.
  const bool room = ensure_stack(bytes{combined_frames_bytes}).has_value();
  if (!room && !faults_.is_rough()) complain("no room where there must be some");
  const bool deep =
      does.deep && ensure_stack(bytes{deep_bytes + combined_frames_bytes}).has_value();
  auto* const mine = static_cast<unsigned char*>(__builtin_alloca(deep ? deep_bytes : 1));
  const auto pattern = static_cast<unsigned char>(place + 1);
  if (deep) std::memset(mine, pattern, deep_bytes);

  // The token that governs it, if any.
  std::optional<cancel_binding> bound;
  if (does.bound && sources_[does.source]) {
    bound.emplace(sources_[does.source]->token());
  }
  const auto heard_of_it = [this, place,
                            wakes = does.self_waker](const cancel_reason& why) noexcept {
    say(heard(hook_places + place, why));
    if (wakes) say(resume(place));
  };
  std::optional<cancel_callback<decltype(heard_of_it)>> told;
  if (bound && does.hooked) told.emplace(this_coro::cancellation(), heard_of_it);

  unsigned handed_out = 0;
  bool stopped = false;
  for (unsigned processes = 0; !stopped; ++processes) {
    for (unsigned n = 0; n < does.yields && !stopped; ++n) {
      stopped = !yield(combined_yield(place, handed_out), does.cancellable, out);
      if (!stopped) ++handed_out;
    }
    if (stopped) notes_.coros[place].emplace_back("checkpoint");
    if (stopped || processes == does.processes) break;
    run(place);
  }
  if (deep && !untouched(mine, pattern)) complain("a suspended coroutine's stack was changed");
  told.reset();
  bound.reset();
#if BAST_EXCEPTIONS
  if (does.throws) throw planned_end{place};
#endif
  return combined_return(place, stopped);
}

/// Yields until it is resumed without a request. False if the checkpoint failed.
bool combined_machine::yield(int value, bool cancellable, yielder<int, int>& out) {
  if (cancellable) {
    const auto got = cancellable_yield(out, value);
    if (!got) {
      if (got.error() != errc::cancelled) complain("C-10: a checkpoint fails otherwise");
      return false;
    }
  } else {
    (void)out.yield(value);
  }
  while (to_perform_inside_) {
    const op inner = *to_perform_inside_;
    to_perform_inside_.reset();
    perform_one(inner);
    (void)out.yield(inner_yield);
  }
  return true;
}

void combined_machine::run(std::size_t place) {
  const combined_order& order = orders_[place];
  asked_process asked{.loop = &loop_, .order = &order, .place = place, .ran = &memory_.ran[place]};
  const auto& source = sources_[order.token];
  // Not on this stack, which may be abandoned: a token is a reference to its tree.
  cancel_token& own = own_tokens_[place];
  own = order.own_token && source ? source->token() : cancel_token();
  const auto came = bast::internal::run_and_wait(loop_.driver(), own, start_asked, &asked);
  own = {};
  std::string what;
  if (came) {
    const auto* const latest = loop_.latest_of(place);
    what = loop_.describe_result(*came, *latest);
  } else {
    what = refusal(came);
    if (came.error() == errc::no_memory) {
      memory_.ran[place].push_back(!lacks(came.error()));
    }
  }
  notes_.coros[place].push_back("run: " + what);
}

std::string combined_machine::take(std::size_t place) {
#if BAST_EXCEPTIONS
  try {
    const auto taken = coros_[place].returned();
    return taken ? "returned " + std::to_string(*taken) : refusal(taken);
  } catch (const planned_end& end) {
    if (end.place != place) complain("F-6: another coroutine's exception");
    return "threw";
  }
#else
  const auto taken = coros_[place].returned();
  return taken ? "returned " + std::to_string(*taken) : refusal(taken);
#endif
}

std::string combined_machine::answer(const step<int>& came) {
  if (came.failed()) return refusal(came);
  if (came.parked()) return "parked";
  if (came.finished()) return "finished";
  return "yielded " + std::to_string(came.value());
}

}  // namespace bast::model
