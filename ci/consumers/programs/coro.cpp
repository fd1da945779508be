// SPDX-License-Identifier: Apache-2.0
//
// The smallest program that uses layer `coro`. Each program in this folder includes the face of one
// layer only and calls into the compiled library, to show that headers, library and link fit
// together.

#include <bast/coro.hpp>
#include <cstdio>

int main() {
  auto pool = bast::coro_pool::create();
  if (!pool) {
    std::fprintf(stderr, "%s\n", pool.error().message().c_str());
    return 1;
  }
  auto numbers = pool->make([](bast::yielder<int>& out) {
    for (int i = 1; i <= 4; ++i) out.yield(i);
  });
  if (!numbers) return 1;
  int sum = 0;
  for (auto step = numbers->resume(); step.yielded(); step = numbers->resume()) sum += step.value();
  return sum == 10 ? 0 : 1;
}
