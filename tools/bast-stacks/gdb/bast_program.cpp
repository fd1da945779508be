// SPDX-License-Identifier: Apache-2.0
//
// The program for the tests of the gdb commands: coroutines in every state, at functions whose
// names the tests know. Ends with 0 when all of them were continued and behaved as expected.
//
//   bast_gdb_program          stops at the functions below, where gdb has breakpoints
//   bast_gdb_program crash    writes to an unmapped address, in a nested coroutine
//   bast_gdb_program overflow overflows a coroutine's stack
//   bast_gdb_program wait     prints "ready" and waits for a line while coroutines are suspended
#include <bast/coro.hpp>
#include <bast/coro/park.hpp>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Names for gdb.
extern "C" {
[[gnu::noinline, gnu::used]] void stop_before_the_first_pool();
[[gnu::noinline, gnu::used]] void stop_here();
[[gnu::noinline, gnu::used]] void stop_inside();
}

void stop_before_the_first_pool() { asm volatile("" : : : "memory"); }
void stop_here() { asm volatile("" : : : "memory"); }
void stop_inside() { asm volatile("" : : : "memory"); }

namespace {

void require(const auto& step) {
  if (step.failed()) std::abort();
}

/// No frame of its own.
[[gnu::always_inline]] inline void stop_inlined() {
  asm volatile(
      "nop\n\t"
      "nop\n\t"
      "nop"
      :
      :
      : "memory");
}

[[gnu::noinline]] void wait_for_input(int number) {
  bast::this_coro::yield().value();
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
  *nowhere = 1;  // NOLINT(clang-analyzer-core.NullDereference): the test needs it
}

[[gnu::noinline]] void produce(bast::yielder<long>& out) {
  for (long value = 1; value <= 3; ++value) out.yield(value * 111);
}

[[gnu::noinline]] void park_here(bast::internal::coro_block*& self) {
  self = bast::internal::this_thread.current;
  bast::internal::park();
  asm volatile("" : : : "memory");  // No tail call: the tests search for this function.
}

/// One coroutine resumes another.
void nest(bast::coro_pool& pool, bool crash) {
  auto outer = pool.acquire().value();
  require(outer.start("outer", [&] {
    auto inner = pool.acquire().value();
    require(inner.start("inner", [&] {
      if (crash) write_nowhere();
      stop_inside();
    }));
  }));
}

/// Two coroutines have resumed another.
void nest_twice(bast::coro_pool& pool) {
  auto outermost = pool.acquire().value();
  require(outermost.start("outermost", [&] { nest(pool, false); }));
}

void wait_for_a_line() {
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != '\n') {
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view mode = count > 1 ? arguments[1] : "";
  stop_before_the_first_pool();
  auto pool = bast::coro_pool::create({.stack = {.limit = {std::size_t{256} << 10}}}).value();

  for (int i = 0; i < 100; ++i) {
    auto worker = pool.acquire().value();
    require(worker.start("worker", [] { stop_inside(); }));
  }
  auto reader = pool.acquire().value();
  require(reader.start("reader", [] { wait_for_input(1); }));
  int total = 0;
  auto walker = pool.acquire().value();
  require(walker.start("walker", [&] { total = descend(5); }));
  auto producer = pool.acquire<long>().value();
  auto step = producer.start([](bast::yielder<long>& out) { produce(out); });
  auto done = pool.acquire().value();
  require(done.start("done", [] {}));

  auto waiter = pool.acquire().value();
  bast::internal::coro_block* parked = nullptr;
  require(waiter.start("waiter", [&] { park_here(parked); }));

  stop_here();
  stop_inlined();
  if (mode == "wait") wait_for_a_line();
  if (mode == "overflow") {
    auto deep = pool.acquire().value();
    require(deep.start("deep", [] { descend(1'000'000); }));
  }
  nest(pool, mode == "crash");
  nest_twice(pool);

  long sum = 0;
  while (step.yielded()) {
    sum += step.value();
    step = producer.resume();
  }
  require(reader.resume());
  require(walker.resume());
  const bool woken = bast::internal::is_parked(*parked);
  if (woken) bast::internal::continue_parked(*parked);
  const bool right = sum == 666 && total == 6 && woken;
  std::puts(right ? "everything continued" : "something is wrong");
  return right ? 0 : 1;
}
