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

struct recommend_options {
  double confidence = 0.95;
  double quantile = 0.999;  // of the uses, that the deepest seen must cover at this confidence
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
  std::uint64_t need = 0;          // bytes
  std::uint64_t limit = 0;         // bytes: what to set; the old one for keep
  std::uint64_t window = 0;        // bytes
  std::uint64_t runs_missing = 0;  // for keep
  double covered = 0;              // the quantile that `need` covers at the confidence
  bool bound_decides = false;      // the static bound is larger than need and reserves
  recursion_reserve recursion = {};
};

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
  std::uint64_t others = 0;            // for keep: what the sites with enough runs need
  std::uint64_t stacks = 0;            // of pools that are gone: the most that one of them had
  std::uint64_t saved = 0;             // address space
};

struct advice {
  std::string refused;             // why nothing is recommended; then the rest is empty
  std::vector<site_advice> sites;  // as snapshot::sites
  std::vector<pool_advice> pools;  // by place, then limit and window
};

advice recommend(const snapshot& of, const recommend_options& options = {});

/// "bast::stack_options{.limit = 16_KiB, .window = 8_KiB}"
std::string code_of(const pool_advice& advice);
/// ".limit = 1024_KiB": to measure with where stacks overflowed. Address space costs little.
std::string roomy(const pool_advice& advice);
/// "server.cpp:20", "server.cpp:20 (8 pools)", "pools of 8 MiB" where only sites tell of them.
std::string place_of(const pool_advice& advice);
/// "16 KiB", "keep: 2,783 runs more": for a column of a table.
std::string verdict_text(const site_advice& advice);
/// "static bound 11 KiB", "no sound bound: 12 reasons".
std::string bound_text(const site_bound& bound, bool exact_bytes);

std::string recommend_text(const snapshot& of, const recommend_options& options = {});
std::string recommend_json(const snapshot& of, const recommend_options& options = {});

}  // namespace bast_stacks
