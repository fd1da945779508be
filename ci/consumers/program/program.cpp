// SPDX-License-Identifier: Apache-2.0
//
// Exceptions and identities across the borders of a program, a library and a shared bast, all built
// with hidden names.

#include <countdown.hpp>
#include <cstdio>

namespace {

int failures = 0;
void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "program: %s\n", what);
  ++failures;
}

}  // namespace

int main() {
  expect(identities{} == identities_in_library(), "a type or variable of bast exists twice");

  auto pool = bast::coro_pool::create().value();
  bool unwound = false;
  auto one = countdown(pool, 1, unwound);
  int caught = -1;
  try {
    (void)one.resume();
    (void)one.returned();
  } catch (const too_far& thrown) {
    caught = thrown.at;
  }
  expect(caught == 0, "what the library's coroutine threw was not caught by its type");

  unwound = false;
  auto two = countdown(pool, 2, unwound);
  expect(two.release().has_value() && unwound, "a coroutine of the library was not unwound");

  bool passed = false;
  auto mine = pool.acquire<int>().value();
  (void)mine.start([&passed](bast::yielder<int>& out) {
    try {
      out.yield(1);
    } catch (const bast::forced_unwind&) {
      passed = true;
      throw;
    }
  });
  expect(mine.release().has_value() && passed, "forced_unwind was not caught by its type");
  return failures == 0 ? 0 : 1;
}
