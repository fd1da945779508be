// SPDX-License-Identifier: Apache-2.0
//
//   bast_bench_density COUNT
//
// How much memory and how many mappings COUNT suspended coroutines take, each with one page of its
// stack touched, under the default options; and whether making the last of them is as cheap as
// making the first. A process of its own: it prints one JSON object and leaves without cleaning up.
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

double seconds_for(bast::coro_pool& pool, std::size_t count) {
  const double start = bench::processor_seconds();
  for (std::size_t i = 0; i < count; ++i) suspend_one(pool);
  return bench::processor_seconds() - start;
}

/// What the kernel alone takes for one page of plain fresh memory, a slot apart. Measured beside
/// both samples: under a hypervisor a page that this machine has not used lately costs several
/// times as much as any other, and then everything looks slower towards its end.
double plain_seconds_for(std::size_t count) {
  const bench::fresh_memory memory(count * bench::slot_bytes);
  const double start = bench::processor_seconds();
  for (std::size_t i = 1; i <= count; ++i) {
    bench::touch_down(memory.base() + i * bench::slot_bytes - 1, 1);
  }
  return bench::processor_seconds() - start;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr std::size_t sample = 100'000;
  const std::size_t count = argc == 2 ? std::strtoul(argv[1], nullptr, 10) : 0;
  if (count < 2 * sample) bench::give_up("usage: bast_bench_density COUNT, at least 200000;");
  const usage before;
  auto pool = bench::must(bast::coro_pool::create(), "create");
  const double first = seconds_for(pool, sample);
  const double plain_first = plain_seconds_for(sample);
  const double middle = seconds_for(pool, count - 2 * sample);
  const double last = seconds_for(pool, sample);
  const double plain_last = plain_seconds_for(sample);
  const usage after;
  const bast::coro_pool_stats stats = pool.stats();
  if (stats.suspended != count) bench::give_up("counting the suspended coroutines");
  std::printf(
      "{\"count\": %zu, \"resident_kib\": %ld, \"tables_kib\": %ld, \"maps_before\": %ld, "
      "\"maps_after\": %ld, \"slabs\": %zu, \"first_ns\": %.1f, \"last_ns\": %.1f, "
      "\"plain_first_ns\": %.1f, \"plain_last_ns\": %.1f, "
      "\"total_s\": %.2f}\n",
      count, after.resident_kib - before.resident_kib, after.tables_kib - before.tables_kib,
      before.maps, after.maps, stats.stacks.slabs, first / sample * 1e9, last / sample * 1e9,
      plain_first / sample * 1e9, plain_last / sample * 1e9, first + middle + last);
  std::fflush(stdout);
  std::_Exit(0);  // Unwinding a million coroutines is not what is measured.
}
