// SPDX-License-Identifier: Apache-2.0
//
// Recommended stack sizes, and their reasons.
//
//   need     the deepest observed use
//   reserve  what a use may need in addition at any moment, without an observation of it: a signal
//            frame, the unwinder, lazy binding, colouring
//   rounds   if the deepest stack shows a recursion: one more round of it for every eight at the
//            deepest use, at least one. The backtrace is that of the last growth, which may be half
//            as deep: the rest is taken for more of the same rounds. If the stack never grew there
//            is no backtrace, and a recursion cannot be detected: an eighth of the depth is kept
//   limit    need, reserve and rounds in whole pages; never below a sound static bound, never below
//            the library's minimum
//   window   covers the 99th percentile, so that 99 of 100 uses never fault
//
// If a stack overflowed, the deepest observation is where it was stopped. It gives no limit:
// measure with a larger one, and ask again.
//
// A limit is lowered only after enough uses for the requested confidence; it is raised whenever
// need and reserve do not fit, because one use proves that. A pool has one limit for all its sites:
// the largest decides.
//
// Enough: after n uses, at most -ln(1 - confidence) of the next n are expected to go deeper, 3 for
// 95 %, for any n. So the guarantee follows the number of uses; it begins at `least_quantile`. A
// program that continues (a coroutine is live) will go on using its sites at this pace, so without
// a quantile from the user it must have been watched for an hour: 3 an hour.
//
// Live stacks: sessions that do not end are not uses, but each needed at least its present depth.
// If too few uses have ended they count as uses, with the upper end of their depth: no limit is
// lowered below that. They raise none, because the depth may be that of another site's earlier use.
//
// Drift: if depths do not change with time, the deepest use comes in the last twentieth of the time
// with a probability of a twentieth. If it did, and the program continues, depths may be rising,
// and no rate is guaranteed. A program that has ended begins its next run from the start. Not all
// drift is detected (trust_test.cpp): a rate applies to uses like the observed ones.
//
// Why rounds: 1 - p^n bounds how rare deeper uses are, not how much deeper they are. Other calls
// differ by the size of a branch; the depth of a recursion follows the nesting of its input,
// without bound. An eighth is also the margin above the recommendation at which a limit is lowered:
// the next record of a rising depth fits, and no limit of a shallow recursion is lost to it. If
// each function of a cycle of the call graph is on the deepest stack once, one round is kept.
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
  std::uint64_t unwinding = 4096;     // throw and catch: 3.3 KiB with glibc 2.36
  std::uint64_t lazy_binding = 1536;  // the first call of a function through its PLT entry
  std::uint64_t colouring = 960;      // the most that stack_options::colour takes

  std::uint64_t sum() const noexcept;
};
stack_reserves reserves_of_this_machine() noexcept;

inline constexpr double least_quantile = 0.999;

struct recommend_options {
  double confidence = 0.95;
  /// The part of the uses that the deepest observed one must cover at this confidence. Without: at
  /// least `least_quantile`, and an hour of watching if the process continues.
  std::optional<double> quantile = std::nullopt;
  stack_reserves reserves = reserves_of_this_machine();
  /// For each site of the snapshot its sound static bound in bytes, if there is one; or empty.
  std::vector<std::optional<std::uint64_t>> static_bounds = {};
  /// The result of a code analysis; only its sound bounds count.
  code_findings code = {};
  bool exact_bytes = false;
};

enum class verdict {
  unused,  // no uses: nothing is known
  keep,    // too few runs to lower it
  fits,    // equal to the recommendation
  lower,
  raise,
  overflowed,  // a use needed more than the limit; how much is not known
};

/// The limit is too small: a line of a table begins with "!!".
inline bool is_urgent(verdict what) noexcept {
  return what == verdict::raise || what == verdict::overflowed;
}

/// The reserve for a recursion that may go deeper than observed, or that could not be detected.
struct recursion_reserve {
  bool blind = false;        // no backtrace was recorded: only `bytes` is set
  std::string words;         // "recursion json_value x37"; empty: there is none
  std::string function;      // the recursive function
  std::uint64_t times = 0;   // on the deepest stack
  std::uint64_t rounds = 0;  // kept rounds
  std::uint64_t bytes = 0;   // their bytes
};

struct site_advice {
  verdict what = verdict::unused;
  std::uint64_t need = 0;          // bytes; of live stacks the most that they may have used
  std::uint64_t limit = 0;         // bytes: the limit to set; the old one for keep
  std::uint64_t window = 0;        // bytes
  std::uint64_t runs_missing = 0;  // for keep
  std::uint64_t missing_ns = 0;    // for keep: missing time
  double covered = 0;              // the quantile that `need` covers at the confidence
  bool bound_decides = false;      // the static bound is larger than need and reserves
  std::uint64_t running = 0;       // live stacks that count as uses, since too few have ended
  bool late = false;               // the deepest came late: the depth may be rising
  recursion_reserve recursion = {};

  /// The recommendation may be too small for the stacks that are still live.
  bool so_far() const noexcept {
    return (what == verdict::lower || what == verdict::fits) && (running != 0 || late);
  }
};

/// "25 runs", or "50 min" if only time is missing.
std::string missing_text(const site_advice& advice);

/// Pools created at one place with the same limit and window; or those known only through their
/// sites.
struct pool_advice {
  std::vector<std::size_t> pools;  // indices in snapshot::pools; empty: known through sites only
  std::uint64_t count = 0;         // of pools, including destroyed ones
  std::string where;               // empty: not known
  std::uint64_t old_limit = 0;     // bytes, like all below
  std::uint64_t old_window = 0;
  verdict what = verdict::unused;
  std::uint64_t limit = 0;  // the limit to set
  std::uint64_t window = 0;
  std::optional<std::size_t> decides;  // index in snapshot::sites of the site with the largest need
  std::vector<std::size_t> sites;      // their sites
  std::vector<std::size_t> blocking;   // of them: with separate pools, this one could have
  std::uint64_t rest_limit = 0;        //   this limit, lower by more than an eighth; 0: none does
  std::uint64_t rest_window = 0;
  std::uint64_t stacks = 0;  // of destroyed pools: the most that one of them had
  std::uint64_t saved = 0;   // address space
};

struct advice {
  std::string refused;             // why there is no recommendation; then the rest is empty
  std::vector<site_advice> sites;  // as snapshot::sites
  std::vector<pool_advice> pools;  // by place, then limit and window
};

/// The process continued after it was read: it has live stacks.
bool goes_on(const snapshot& of) noexcept;

advice recommend(const snapshot& of, const recommend_options& options = {});

/// "bast::stack_options{.limit = 16_KiB, .window = 8_KiB}"
std::string code_of(std::uint64_t limit, std::uint64_t window);
/// For each site that shares its pool the code for a separate pool, one line each.
std::vector<std::string> own_pools(const snapshot& of, const advice& all);
/// "render.cpp:14 and 2 others": the sites that block a pool.
std::string blocking_text(const snapshot& of, const pool_advice& advice);
/// ".limit = 1024_KiB": to measure with after an overflow. Address space is cheap.
std::string roomy(std::uint64_t old_limit);
/// "server.cpp:20", "server.cpp:20 (8 pools)", "pools of 8 MiB" if known through sites only.
std::string place_of(const pool_advice& advice);
/// "16 KiB", "16 KiB so far", "keep: 2,783 runs more": for a column of a table.
std::string verdict_text(const site_advice& advice);
/// "static bound 11 KiB", "no sound bound: 12 reasons".
std::string bound_text(const site_bound& bound, bool exact_bytes);

std::string recommend_text(const snapshot& of, const recommend_options& options = {});
std::string recommend_json(const snapshot& of, const recommend_options& options = {});

}  // namespace bast_stacks
