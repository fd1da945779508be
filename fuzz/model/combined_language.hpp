// SPDX-License-Identifier: Apache-2.0
//
// The language of `combined` programs: coroutines of a pool that are governed by cancel sources and
// wait for processes of a simulated world (process_world.hpp). Subjects are sources, sixteen of
// them; or callbacks, coroutines and the latest process of each coroutine, eight of each.
#pragma once

#include "bast/coro.hpp"
#include "bast/process.hpp"
#include "model/program.hpp"

namespace bast::model {

enum class combined_op : std::uint8_t {
  source,    // in place who, unless one exists; value: see combined_source
  cancel,    // value: the code
  drop,      // destroys the source
  deadline,  // value: so many units of time from now; the last one: never
  shield,    // value: on or off
  listen,    // a callback in place who; value: see combined_deed
  deafen,    //
  order,     // value: the processes that coroutine who starts; see combined_order
  start,     // a coroutine in place who; value: see combined_script
  resume,    //
  take,      //
  release,   //
  abandon,   //
  peek,      // the result that resume would have had
  inside,    // who is resumed and performs another operation (value) before it yields again
  write,     // value: so many bytes by the process of who, to standard error if odd
  exit,      // value: a code; bit 8: a signal; bit 9: other code reaps it
  stubborn,  // it ignores SIGTERM from here on
  hold,      // its grandchild keeps the pipes
  let_go,    // that grandchild ends
  tick,      // value: so many units of time pass, and one
  restart,   // destroys the pool with its contents, and creates it again
  reboot,    // shuts the driver down, destroys and creates it again
  fault,     // value: which kernel call fails from here on
  mend,      //
  check,     // every invariant
};
inline constexpr std::size_t combined_op_kinds = static_cast<std::size_t>(combined_op::check) + 1;

/// See language::faults.
inline constexpr std::uint32_t combined_faults =
    mask_of(combined_op::fault) | mask_of(combined_op::mend);

extern const language combined_language;

inline constexpr std::size_t coro_places = 8;
/// Callbacks in the model of cancellation: its own, then the hooks of coroutines.
inline constexpr int hook_places = 8;
/// More processes at once would only be slow.
inline constexpr std::size_t children_max = 24;
/// The length of a unit of time.
inline constexpr std::int64_t unit_ns = 1'000'000'000;
inline constexpr std::uint16_t deadline_never = 15;

/// The value of `source`.
struct combined_source {
  std::size_t parent;
  bool has_parent;
  bool shielded;
  static combined_source of(std::uint16_t value) {
    return {.parent = value & 15U,
            .has_parent = (value >> 4 & 1) != 0,
            .shielded = (value >> 5 & 1) != 0};
  }
};

/// The value of `listen`: the source, and the callback's action.
struct combined_deed {
  enum class kind : std::uint8_t {
    nothing,
    cancel,  // a source
    deafen,  // a callback, possibly itself
    resume,  // a coroutine
    peek,    // a coroutine
    drop,    // a source
  };
  std::size_t on;
  kind what;
  std::size_t argument;  // a place
  static combined_deed of(std::uint16_t value);
};

/// The value of `order`: the options of a process.
struct combined_order {
  process_start start;  // without its descriptors
  bool errors;          // standard error is captured too
  bool own_token;       // also cancelled by a source that does not govern its coroutine
  std::size_t token;    // that source
  static combined_order of(std::uint16_t value);
};

/// The value of `start`: the actions of a coroutine. It yields, waits for a process, yields, and so
/// on.
struct combined_script {
  std::size_t source;
  bool bound;       // to that source, if it exists
  bool hooked;      // the binding has a hook
  bool self_waker;  // which resumes the coroutine
  unsigned yields;  // 0 .. 2, before, between and after its processes
  unsigned processes;
  bool cancellable;  // its yields are
  bool throws;
  enum class when_unwound : std::uint8_t { pass_on, swallow, replace } unwound;
  bool deep;
  static combined_script of(std::uint16_t value);
};

/// The operation that `inside` performs, packed into its value.
op combined_inner(std::uint16_t value);

/// The meaning of the option bits.
struct combined_choice {
  coro_pool_options pool;
  machine_timers timers;
  unsigned order;  // the order of completions
  bool slow;       // operations are handed over one at a time
};
combined_choice combined_options(std::uint16_t options);

/// The values that coroutines yield and return.
constexpr int combined_yield(std::size_t place, unsigned n) {
  return static_cast<int>(place * 100 + n);
}
inline constexpr int inner_yield = -1;
constexpr int combined_return(std::size_t place, bool stopped) {
  return static_cast<int>(place * 100 + (stopped ? 99 : 98));
}

}  // namespace bast::model
