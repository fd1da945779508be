// SPDX-License-Identifier: Apache-2.0
//
// The smallest program that uses bast. The three consumers in this folder all build it, and each of
// them finds the library in another way. A coroutine that runs proves that the headers, the
// compiled library and the link belong together.

#include <bast/config.hpp>
#include <bast/coro.hpp>
#include <cstdio>

int main() {
  auto pool = bast::coro_pool::create();
  if (!pool) {
    std::fprintf(stderr, "%s\n", pool.error().message().c_str());
    return 1;
  }
  auto counter = pool->acquire<int>().value();
  auto step = counter.start([](bast::yielder<int>& out) {
    for (int i = 1; i <= 4; ++i) out.yield(i);
  });
  int sum = 0;
  for (; step->suspended(); step = counter.resume()) sum += step->value();
  std::printf("bast %d.%d.%d, the coroutine yielded %d\n", BAST_VERSION_MAJOR, BAST_VERSION_MINOR,
              BAST_VERSION_PATCH, sum);
  return sum == 10 ? 0 : 1;
}
