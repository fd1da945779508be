// SPDX-License-Identifier: Apache-2.0
//
// A shared object that contains the library. coro/plugin_test.cpp loads and closes it.
#include "bast/coro.hpp"

namespace {

[[gnu::noinline]] int recurse(int depth) {
  volatile char frame[1000];
  frame[0] = static_cast<char>(depth);
  const int below = depth > 0 ? recurse(depth - 1) : 0;
  return below + (frame[0] == static_cast<char>(depth) ? 1 : 0);
}

}  // namespace

/// Runs a coroutine that must grow and returns the number of its frames, or a negative number.
extern "C" [[gnu::visibility("default")]] int bast_test_plugin_run(int depth);
int bast_test_plugin_run(int depth) {
  auto pool = bast::coro_pool::create();
  if (!pool) return -1;
  auto c = pool->acquire<void, void, int>();
  if (!c) return -2;
  if (c->start("plugin", [depth] { return recurse(depth); }).failed()) return -3;
  return c->returned().value_or(-4);
}
