// SPDX-License-Identifier: Apache-2.0
//
// The cost of a look at a live stack from outside: a thousand stacks of 256 KiB with 6 KiB used
// each, in this process, which is read like a foreign one.
#include <sys/uio.h>
#include <unistd.h>

#include <vector>

#include "read/open.hpp"
#include "support.hpp"

namespace {

using namespace bast::literals;

constexpr std::size_t stacks = 1000;

[[gnu::noinline]] void use(std::size_t bytes) {
  volatile char frame[1024];
  frame[0] = 1;
  if (bytes > sizeof frame) use(bytes - sizeof frame);
  frame[1] = 1;
}

struct crowd {
  bast::coro_pool pool = bench::must(
      bast::coro_pool::create({.stack = {.limit = 256_KiB}, .max_coros = stacks}), "create");
  std::vector<bast::coro<>> all;

  crowd() {
    for (std::size_t i = 0; i < stacks; ++i) {
      all.push_back(bench::must(pool.acquire(), "acquire"));
      (void)all.back().start("crowd", [] {
        use(5 << 10);
        (void)bast::this_coro::yield();
      });
    }
  }
};

/// The whole snapshot, divided by the stacks in it.
void look(benchmark::State& state, bool live_stacks) {
  const crowd held;
  const bast_stacks::open_options options{.live_stacks = live_stacks};
  for (auto _ : state) {
    const auto seen = bast_stacks::open_process(::getpid(), options);
    if (!seen || seen->stacks.size() != stacks) state.SkipWithError("the process was not read");
  }
}
void with_depths(benchmark::State& state) { look(state, true); }
void without_depths(benchmark::State& state) { look(state, false); }
BENCHMARK(with_depths);
BENCHMARK(without_depths);

/// The floor of a depth: reading the two used pages, a thousand stacks in one call.
void two_pages_each(benchmark::State& state) {
  crowd held;
  std::vector<char> into(stacks * 8192);
  std::vector<iovec> local;
  std::vector<iovec> remote;
  held.pool.for_each_stack([&](const bast::stack_view& view) {
    if (view.record->state != bast::slot_state::live) return;
    const auto top = reinterpret_cast<std::uintptr_t>(view.top) & ~std::uintptr_t{4095};
    local.push_back({into.data() + local.size() * 8192, 8192});
    remote.push_back({reinterpret_cast<void*>(top - 8192), 8192});
  });
  for (auto _ : state) {
    const ssize_t read =
        ::process_vm_readv(::getpid(), local.data(), local.size(), remote.data(), remote.size(), 0);
    if (read != static_cast<ssize_t>(into.size())) state.SkipWithError("not all was read");
  }
}
BENCHMARK(two_pages_each);

}  // namespace

BENCHMARK_MAIN();
