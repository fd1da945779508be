// SPDX-License-Identifier: Apache-2.0
//
//   bast_bench_density COUNT
//
// The memory and mappings of COUNT suspended coroutines, each with one page of its stack touched,
// under the default options; and whether creating the last of them is as cheap as creating the
// first. A separate process: it prints one JSON object and exits without cleanup.
#include <cinttypes>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "support.hpp"

namespace {

/// A value of /proc/self/status in KiB.
long status_kib(const char* key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::strtol(line.c_str() + std::strlen(key), nullptr, 10);
  }
  bench::give_up(key);
}

long mappings() {
  std::ifstream maps("/proc/self/maps");
  long count = 0;
  for (std::string line; std::getline(maps, line);) ++count;
  return count;
}

struct usage {
  long resident_kib = status_kib("VmRSS:");
  long tables_kib = status_kib("VmPTE:");
  long maps = mappings();
};

void suspend_one(bast::coro_pool& pool) {
  auto one = bench::must(pool.acquire(), "acquire");
  bench::must(one.start([](bast::yielder<>& out) { out.yield(); }), "start");
  (void)one.detach();  // The pool keeps it.
}

void suspend_many(bast::coro_pool& pool, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) suspend_one(pool);
}

/// Processor time of `sample` coroutines, and of as many pages of plain fresh memory, a slot apart.
/// The two alternate in small portions, so that both draw pages from the same supply: under a
/// hypervisor a page that this machine has not used lately costs several times as much as any
/// other, and then everything, including plain memory, gets slower towards its end.
struct creation {
  static constexpr std::size_t sample = 100'000;
  double coroutines = 0;
  double plain = 0;

  explicit creation(bast::coro_pool& pool) {
    constexpr std::size_t portion = 1000;
    bench::fresh_memory memory(sample * bench::slot_bytes);
    std::byte* next = memory.base() + bench::slot_bytes - 1;
    for (std::size_t done = 0; done < sample; done += portion) {
      const double start = bench::processor_seconds();
      suspend_many(pool, portion);
      const double middle = bench::processor_seconds();
      for (std::size_t i = 0; i < portion; ++i, next += bench::slot_bytes) {
        bench::touch_down(next, 1);
      }
      coroutines += middle - start;
      plain += bench::processor_seconds() - middle;
    }
  }
};

}  // namespace

int main(int argc, char** argv) {
  constexpr std::size_t sample = creation::sample;
  const std::size_t count = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (count < 2 * sample) bench::give_up("usage: bast_bench_density COUNT, at least 200000;");
  const usage before;
  auto pool = bench::must(bast::coro_pool::create(), "create");
  const creation first(pool);
  suspend_many(pool, count - 2 * sample);
  const creation last(pool);
  const usage after;
  const bast::coro_pool_stats stats = pool.stats();
  if (stats.suspended != count) bench::give_up("counting the suspended coroutines");
  std::printf(
      "{\"count\": %zu, \"resident_kib\": %ld, \"tables_kib\": %ld, \"maps_before\": %ld, "
      "\"maps_after\": %ld, \"slabs\": %zu, \"first_ns\": %.1f, \"last_ns\": %.1f, "
      "\"plain_first_ns\": %.1f, \"plain_last_ns\": %.1f}\n",
      count, after.resident_kib - before.resident_kib, after.tables_kib - before.tables_kib,
      before.maps, after.maps, stats.stacks.slabs, first.coroutines / sample * 1e9,
      last.coroutines / sample * 1e9, first.plain / sample * 1e9, last.plain / sample * 1e9);
  std::fflush(stdout);
  std::_Exit(0);  // Unwinding a million coroutines is not measured.
}
