// SPDX-License-Identifier: Apache-2.0
//
// Runs every call of costs.hpp in coroutines. Prints only failures: `bast-stacks run` reads the
// measurements, and ci/run cost-table writes them to docs/what-calls-cost.md.
#include "costs.hpp"

#include <bast/coro.hpp>
#include <csignal>
#include <cstdio>
#include <exception>

namespace {

using namespace bast::literals;

/// True when the call returned without an exception.
bool measure(bast::coro_pool& pool, const char* label, void (*run)()) {
  auto one = pool.acquire();
  if (!one) return false;
  const auto ended = one->start(label, run);
  if (!ended) return false;
  try {
    const auto taken = one->returned();
    return taken.has_value();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bast_costs: %s: %s\n", label, e.what());
  }
  return false;
}

}  // namespace

int main() {
  std::signal(SIGPIPE, SIG_IGN);  // A TLS peer may close first.
  // Each stack is measured and zeroed at release, so each use is a sample, exact to the byte.
  auto pool =
      bast::coro_pool::create({.stack = {.limit = 16_MiB, .scrub = bast::stack_scrub::zero_used}});
  if (!pool) {
    std::fprintf(stderr, "bast_costs: %s\n", pool.error().message().c_str());
    return 1;
  }
  bool fine = true;
  for (int i = 0; i < 20; ++i) fine = measure(*pool, "(nothing)", [] {}) && fine;
  for (const auto group :
       {costs::c_library(), costs::standard_library(), costs::sqlite(), costs::pcre(), costs::lua(),
        costs::xml(), costs::json(), costs::tls()}) {
    for (const costs::call& one : group) {
      bool returned = measure(*pool, one.first, one.run);
      for (int i = 1; returned && i < one.times; ++i) returned = measure(*pool, one.again, one.run);
      fine = fine && returned;
    }
  }
  return fine ? 0 : 1;
}
