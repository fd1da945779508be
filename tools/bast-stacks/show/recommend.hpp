// SPDX-License-Identifier: Apache-2.0
//
// What size to give to stacks, and why.
//
//   need     the deepest use that was seen
//   reserve  what a use may need on top at any moment and did not while it was watched: a signal
//            frame, the unwinder, lazy binding, colouring
//   rounds   where the deepest stack shows a recursion: one more round of it for every eight that
//            there were at the deepest use, at least one. The backtrace is of the last growth,
//            which may be half as deep: what is deeper is taken for more of the same rounds. Where
//            no backtrace was recorded, for the stack never grew, a recursion could not be seen: an
//            eighth of the depth is kept instead
//   limit    need, reserve and rounds in whole pages; never below a sound static bound, never below
//            what the library accepts
//   window   what covers the 99th percentile, so that 99 of 100 uses never fault
//
// Where a stack overflowed, the deepest that was seen is where it was stopped. No limit follows
// from that: it is measured with a larger one, and asked for again.
//
// A limit is lowered only when there were enough uses for the confidence that is asked for; it is
// raised whenever need and reserve do not fit, because one use is enough to prove that. A pool has
// one limit for all its sites: the largest decides.
//
// Enough: with n uses seen, at most -ln(1 - confidence) of n more are expected to go deeper, 3 for
// 95 %, however many n are. So what is promised follows the number of uses; `least_quantile` is
// where it begins. What goes on while it is looked at (a coroutine is live) will be used again at
// the same pace for long, so without a quantile of the user's it must have been seen for an hour: 3
// an hour.
//
// Live stacks: sessions that do not end are no uses, but each was at least as deep as it is. Where
// too few uses have ended they are counted too, at the upper end of what is known of their depth:
// no limit is lowered below that. It raises none, for it may be another site's use before.
//
// Drift: where depths do not change with time, the deepest use comes in the last twentieth of the
// time with a probability of a twentieth. When it did, and the program goes on, the depth may be
// rising, and no rate is promised. A program that has ended begins its next run from the start.
// Not all drift shows so (trust_test.cpp): a rate is of uses that are like those that were seen.
//
// Why rounds: 1 - p^n says how rare deeper uses are, not how much deeper they are. Other calls
// differ by what a branch takes; a recursion is as deep as its input is nested, which ends at no
// frame. An eighth is what a limit may lie above the recommended one before it is lowered: the next
// record of a depth that creeps up finds room, and no limit of a shallow recursion is lost to it.
// Where each function of a circle of the call graph is on the deepest stack once, one round is
// kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/site_bound.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks {

/// Bytes.
struct stack_reserves {
  std::uint64_t signal_frame = 0;     // what the kernel pushes for a handler without a stack of its
                                      // own: AT_MINSIGSTKSZ of this machine
  std::uint64_t unwinding = 4096;     // throw and catch took 3.3 KiB with glibc 2.36
  std::uint64_t lazy_binding = 1536;  // the first call of a function through its PLT entry
  std::uint64_t colouring = 960;      // what stack_options::colour may take off the top

  std::uint64_t sum() const noexcept;
};
stack_reserves reserves_of_this_machine() noexcept;

inline constexpr double least_quantile = 0.999;

struct recommend_options {
  double confidence = 0.95;
  /// Of the uses, that the deepest seen must cover at this confidence. Without: at least
  /// `least_quantile`, and the process was seen for an hour if it goes on.
  std::optional<double> quantile = std::nullopt;
  stack_reserves reserves = reserves_of_this_machine();
  /// For each site of the snapshot the sound static bound in bytes, where there is one; or empty.
  std::vector<std::optional<std::uint64_t>> static_bounds = {};
  /// What an analysis of the code says of them; of it too only sound bounds count.
  code_findings code = {};
  bool exact_bytes = false;
};

enum class verdict {
  unused,  // nothing ran there: nothing is known
  keep,    // too few runs to lower it
  fits,    // it is what would be recommended
  lower,
  raise,
  overflowed,  // a use needed more than the limit, and nobody knows how much
};

/// The limit is too small: a line of a table begins with "!!".
inline bool is_urgent(verdict what) noexcept {
  return what == verdict::raise || what == verdict::overflowed;
}

/// What is kept for a recursion that goes deeper than it was seen to, or that could not be seen.
struct recursion_reserve {
  bool blind = false;        // no backtrace was recorded: then only `bytes` says more
  std::string words;         // "recursion json_value x37"; empty: there is none
  std::string function;      // that recurs
  std::uint64_t times = 0;   // on the deepest stack
  std::uint64_t rounds = 0;  // that are kept
  std::uint64_t bytes = 0;   // that they take
};

struct site_advice {
  verdict what = verdict::unused;
  std::uint64_t need = 0;          // bytes; of live stacks what they may have used
  std::uint64_t limit = 0;         // bytes: what to set; the old one for keep
  std::uint64_t window = 0;        // bytes
  std::uint64_t runs_missing = 0;  // for keep
  std::uint64_t missing_ns = 0;    // for keep: of time to be seen
  double covered = 0;              // the quantile that `need` covers at the confidence
  bool bound_decides = false;      // the static bound is larger than need and reserves
  std::uint64_t running = 0;       // live stacks that count as uses, for too few uses have ended
  bool late = false;               // the deepest came late: the depth may be rising
  recursion_reserve recursion = {};

  /// What is recommended may be too little for what is still running.
  bool so_far() const noexcept {
    return (what == verdict::lower || what == verdict::fits) && (running != 0 || late);
  }
};

/// "25 runs", or where only time is missing "50 min".
std::string missing_text(const site_advice& advice);

/// Pools that were made at one place with the same limit and window; or those of which only the
/// sites still tell.
struct pool_advice {
  std::vector<std::size_t> pools;  // indices in snapshot::pools; empty: only sites tell of them
  std::uint64_t count = 0;         // of pools, those that are gone with them
  std::string where;               // empty when nobody said
  std::uint64_t old_limit = 0;     // bytes, like all below
  std::uint64_t old_window = 0;
  verdict what = verdict::unused;
  std::uint64_t limit = 0;  // what to set
  std::uint64_t window = 0;
  std::optional<std::size_t> decides;  // index in snapshot::sites of the site that needs most
  std::vector<std::size_t> sites;      // that ran on them
  std::vector<std::size_t> blocking;   // of them: with pools of their own, this one could have
  std::uint64_t rest_limit = 0;        //   this limit, lower by more than an eighth; 0: none does
  std::uint64_t rest_window = 0;
  std::uint64_t stacks = 0;  // of pools that are gone: the most that one of them had
  std::uint64_t saved = 0;   // address space
};

struct advice {
  std::string refused;             // why nothing is recommended; then the rest is empty
  std::vector<site_advice> sites;  // as snapshot::sites
  std::vector<pool_advice> pools;  // by place, then limit and window
};

/// The process was seen while it went on: it has live stacks.
bool goes_on(const snapshot& of) noexcept;

advice recommend(const snapshot& of, const recommend_options& options = {});

/// "bast::stack_options{.limit = 16_KiB, .window = 8_KiB}"
std::string code_of(std::uint64_t limit, std::uint64_t window);
/// Of each site that shares its pool the code for a pool of its own, a line each.
std::vector<std::string> own_pools(const snapshot& of, const advice& all);
/// "render.cpp:14 and 2 others": what blocks a pool.
std::string blocking_text(const snapshot& of, const pool_advice& advice);
/// ".limit = 1024_KiB": to measure with where stacks overflowed. Address space costs little.
std::string roomy(std::uint64_t old_limit);
/// "server.cpp:20", "server.cpp:20 (8 pools)", "pools of 8 MiB" where only sites tell of them.
std::string place_of(const pool_advice& advice);
/// "16 KiB", "16 KiB so far", "keep: 2,783 runs more": for a column of a table.
std::string verdict_text(const site_advice& advice);
/// "static bound 11 KiB", "no sound bound: 12 reasons".
std::string bound_text(const site_bound& bound, bool exact_bytes);

std::string recommend_text(const snapshot& of, const recommend_options& options = {});
std::string recommend_json(const snapshot& of, const recommend_options& options = {});

}  // namespace bast_stacks
