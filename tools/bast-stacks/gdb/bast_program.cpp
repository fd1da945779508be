// SPDX-License-Identifier: Apache-2.0
//
// What gdb looks at in the tests of the gdb commands: coroutines in every state, at functions with
// names that the tests know. Without an argument it ends with 0 when all of them were continued and
// were what they should be; with "crash" one writes where nothing is; with "idle" it makes no pool
// before the first stop.
#include <bast/coro.hpp>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <vector>

// Names that gdb finds.
extern "C" {
[[gnu::noinline, gnu::used]] void stop_before_the_first_pool();
[[gnu::noinline, gnu::used]] void stop_here();
[[gnu::noinline, gnu::used]] void stop_inside();
}

void stop_before_the_first_pool() { asm volatile("" : : : "memory"); }
void stop_here() { asm volatile("" : : : "memory"); }
void stop_inside() { asm volatile("" : : : "memory"); }

namespace {

[[gnu::noinline]] void wait_for_input(int number) {
  (void)bast::this_coro::yield();
  asm volatile("" : : "r"(number) : "memory");
}

[[gnu::noinline]] int descend(int deep) {
  volatile char frame[512];
  frame[0] = static_cast<char>(deep);
  if (deep == 0) {
    wait_for_input(7);
    return 1;
  }
  return descend(deep - 1) + (frame[0] == static_cast<char>(deep) ? 1 : -1000);
}

[[gnu::noinline]] void write_nowhere() {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;  // NOLINT(clang-analyzer-core.NullDereference): it is what the test needs
}

[[gnu::noinline]] void produce(bast::yielder<long>& out) {
  for (long value = 1; value <= 3; ++value) out.yield(value * 111);
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view mode = count > 1 ? arguments[1] : "";
  stop_before_the_first_pool();
  auto pool = bast::coro_pool::create({.stack = {.limit = {std::size_t{256} << 10}}}).value();

  auto reader = pool.acquire().value();
  reader.start("reader", [] { wait_for_input(1); }).value();
  int total = 0;
  auto walker = pool.acquire().value();
  walker.start("walker", [&] { total = descend(5); }).value();
  auto producer = pool.acquire<long>().value();
  auto step = producer.start([](bast::yielder<long>& out) { produce(out); });
  auto done = pool.acquire().value();
  done.start("done", [] {}).value();

  stop_here();

  auto outer = pool.acquire().value();
  outer
      .start("outer",
             [&] {
               auto inner = pool.acquire().value();
               inner
                   .start("inner",
                          [&] {
                            if (mode == "crash") write_nowhere();
                            stop_inside();
                          })
                   .value();
             })
      .value();

  long sum = 0;
  while (step->suspended()) {
    sum += step->value();
    step = producer.resume();
  }
  reader.resume().value();
  walker.resume().value();
  const bool right = sum == 666 && total == 6;
  std::puts(right ? "everything continued" : "something is wrong");
  return right ? 0 : 1;
}
