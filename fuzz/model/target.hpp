// SPDX-License-Identifier: Apache-2.0
//
// `target`: runs programs. The fuzzers, the replay of corpora, the fault loops, the properties and
// the stress tests differ only in the source of the programs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "model/program.hpp"

namespace bast::model {

struct run_settings {
  /// Makes the kernel fail, by this plan alone: the program's own `fault` is ignored.
  std::optional<os::fault_plan> plan;
  /// No other code in the process uses bast meanwhile, so its totals must be unchanged.
  bool alone = true;
  /// Gets the visible state after each operation, without addresses: see lives.hpp.
  std::vector<std::string>* trace = nullptr;
};

struct run_result {
  std::string complaint;       // empty: all results and invariants were right
  std::uint64_t calls = 0;     // kernel calls, if there was a plan
  std::uint64_t injected = 0;  // of them, the number that failed by plan
  bool rough = false;          // calls failed, or room was short, by plan or by the program
};

/// Runs a program from a fresh start to an empty end, and leaves nothing behind. Thread-safe for
/// programs without `fault` and settings without a plan, as one plan applies to the process.
using runner = run_result (*)(const program& p, const run_settings& how);

run_result run_pool(const program& p, const run_settings& how);
run_result run_growth(const program& p, const run_settings& how);
run_result run_process_driver(const program& p, const run_settings& how);
run_result run_cancel_order(const program& p, const run_settings& how);
/// Not thread-safe: the environment belongs to the process.
run_result run_command_argv_env(const program& p, const run_settings& how);
run_result run_choice(const program& p, const run_settings& how);
run_result run_sched(const program& p, const run_settings& how);
/// Not run_scope, which is the library's.
run_result run_scope_program(const program& p, const run_settings& how);
run_result run_timers(const program& p, const run_settings& how);
run_result run_combined(const program& p, const run_settings& how);
/// The same as run_pool with canary_law.
run_result run_canary(const program& p, const run_settings& how);

struct target {
  const char* name;
  const language& words;
  runner run;
};
std::span<const target> targets();
/// Null if there is none of that name.
const target* find_target(std::string_view name);

/// Creates everything that exists once per process: handlers, a thread's arena, descriptors. Call
/// it before the first leak baseline.
void warm_up();

/// All public data of a pool, without addresses.
std::string describe_pool(coro_pool& pool);

/// "operation 3 (release): what"
std::string at_operation(std::size_t at, const op& o, const language& words, std::string_view what);

}  // namespace bast::model
