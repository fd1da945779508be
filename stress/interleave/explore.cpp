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

// The exceptions that no frame of an abandoned stack will ever release, so that they stay
// reachable.
std::vector<std::exception_ptr>& never_released() {
  static auto& all = *new std::vector<std::exception_ptr>;
  return all;
}

// Either the code under test throws where it must not, or it is being unwound through a noexcept
// function: in both cases the process is well, and only this stack cannot go on.
[[noreturn]] void on_terminate() {
  machine* const m = machine::current();
  if (m != nullptr && m->is_inside()) {
    never_released().push_back(std::current_exception());
    m->lose("thread " + std::to_string(m->running()) + " called std::terminate");
  }
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

void install_handlers() {
  static std::once_flag once;
  std::call_once(once, [] {
    terminate_before = std::set_terminate(on_terminate);
    violation_before = set_violation_handler(on_violation);
  });
}

}  // namespace

void world::spawn(std::function<void()> body) { machine_.spawn(std::move(body)); }
void world::run() { machine_.run(); }
void world::check(bool holds, const char* what, std::source_location where) {
  machine_.check(holds, what, where);
}
unsigned world::thread() const noexcept { return machine_.running(); }

result explore(const options& chosen, const std::function<void(world&)>& test) {
  install_handlers();
  result out;
  auto pool = coro_pool::create({.stack = {.limit = bytes{1 << 20}}});
  if (!pool) {
    out.failure = "no pool of coroutines";
    return out;
  }
  machine m(chosen, *pool);
  using clock = std::chrono::steady_clock;
  const auto end = clock::now() + std::chrono::duration_cast<clock::duration>(
                                      std::chrono::duration<double>(chosen.seconds));
  bool more = chosen.schedules > 0;
  while (more) {
    const bool passed = m.run_schedule(test);
    ++out.schedules;
    if (!passed) {
      out.failure = m.failure();
      out.choices = m.choices().print();
      out.trace = m.accesses().print();
      return out;
    }
    if (!m.choices().advance()) {
      out.failure = m.choices().complaint();
      out.exhausted = out.failure.empty() && chosen.replay.empty();
      return out;
    }
    // Asking for the time costs more than a small schedule.
    const bool look = out.schedules % 64 == 0;
    more = out.schedules < chosen.schedules && (!look || clock::now() < end);
  }
  return out;
}

}  // namespace bast::interleave
