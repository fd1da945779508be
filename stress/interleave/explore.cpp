// SPDX-License-Identifier: Apache-2.0
#include "interleave/explore.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>
#include <utility>
#include <vector>

#include "interleave/machine.hpp"

namespace bast::interleave {

namespace {

using internal::machine;

std::terminate_handler terminate_before = nullptr;
violation_handler violation_before = nullptr;

// The code under test throws where it must not, or it is being unwound through a noexcept function:
// in both cases the process is intact, and only this stack cannot continue.
[[noreturn]] void on_terminate() {
  machine* const m = machine::current();
  if (m != nullptr && m->is_inside()) m->lose("std::terminate was called");
  if (terminate_before != nullptr) terminate_before();
  std::abort();
}

// A failed BAST_CHECK of the code under test is a failure of the schedule.
void on_violation(const char* diagnostic) noexcept {
  machine* const m = machine::current();
  if (m != nullptr && m->is_inside()) m->lose(diagnostic);
  if (violation_before != nullptr) return violation_before(diagnostic);
  (void)!::write(STDERR_FILENO, diagnostic, std::strlen(diagnostic));
}

// Abandoned stacks keep their objects permanently: nothing may destroy them, and they are not
// leaks.
void keep(coro_pool pool) {
  static std::mutex one_at_a_time;
  static auto& kept = *new std::vector<coro_pool>;
  const std::lock_guard guard(one_at_a_time);
  kept.push_back(std::move(pool));
}

void install_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    terminate_before = std::set_terminate(on_terminate);
    violation_before = set_violation_handler(on_violation);
  });
}

result search(machine& m, const options& chosen, const std::function<void(world&)>& test) {
  using clock = std::chrono::steady_clock;
  const auto budget = std::chrono::duration<double>(chosen.seconds);
  const auto end = clock::now() + std::chrono::duration_cast<clock::duration>(budget);
  result out;
  while (out.schedules < chosen.schedules) {
    const bool passed = m.run_schedule(test);
    ++out.schedules;
    if (!passed) {
      out.failure = m.failure();
      out.choices = m.choices().print();
      out.trace = m.accesses().print();
      break;
    }
    if (!m.choices().advance()) {
      out.failure = m.choices().complaint();
      out.exhausted = out.failure.empty() && chosen.replay.empty();
      break;
    }
    // Reading the clock costs more than a small schedule.
    if (out.schedules % 64 == 0 && clock::now() >= end) break;
  }
  return out;
}

}  // namespace

void world::spawn(std::function<void()> body) { machine_.spawn(std::move(body)); }
void world::run() { machine_.run(); }
void world::check(bool holds, const char* what, std::source_location where) {
  machine_.check(holds, what, where);
}
unsigned world::thread() const noexcept { return machine_.running(); }
bool world::is_possible() const noexcept { return machine_.is_possible(); }
std::uint64_t world::accesses() const noexcept { return machine_.accesses_of_mine(); }

result explore(const options& chosen, const std::function<void(world&)>& test) {
  install_handlers();
  auto pool = coro_pool::create({.stack = {.limit = bytes{1 << 20}}});
  BAST_CHECK(pool.has_value(), "no memory for virtual threads");
  result out;
  bool lost = false;
  {
    machine m(chosen, *pool);
    out = search(m, chosen, test);
    lost = m.lost_a_thread();
  }
  if (lost) keep(std::move(*pool));
  return out;
}

}  // namespace bast::interleave
