// SPDX-License-Identifier: Apache-2.0
//
// How much memory is a fiber? Ten million that were spawned and have not started, and a million
// that wait in sleep_for; beside them the least that either can be: the record alone, and one page.
// The figures are bytes of one fiber: resident memory and page tables. Each case runs in a process
// of its own. The output is the subset of Google Benchmark's that bench/run reads; its options are
// ignored.
#include <sys/wait.h>
#include <unistd.h>

#include <bast/sched.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>

#include "support.hpp"

namespace {

constexpr std::size_t unstarted_count = 10'000'000;
constexpr std::size_t parked_count = 1'000'000;
constexpr std::size_t record_bytes = 192;

/// Resident memory and page tables of this process.
double used_bytes() {
  std::ifstream status("/proc/self/status");
  double kib = 0;
  for (std::string line; std::getline(status, line);) {
    for (const char* const key : {"VmRSS:", "VmPTE:"}) {
      if (line.starts_with(key)) kib += std::strtod(line.c_str() + std::strlen(key), nullptr);
    }
  }
  if (kib == 0) bench::give_up("reading /proc/self/status");
  return kib * 1024;
}

/// Ends the process, with everything that it holds: unwinding a million fibers is not measured.
[[noreturn]] void report(const char* name, double bytes) {
  std::printf("{\"name\": \"%s\", \"real_time\": %.3f, \"cpu_time\": %.3f}", name, bytes, bytes);
  std::fflush(stdout);
  std::_Exit(0);
}

void unstarted() {
  const double before = used_bytes();
  for (std::size_t i = 0; i < unstarted_count; ++i) (void)bench::must(bast::spawn([] {}), "spawn");
  report("bast_unstarted", (used_bytes() - before) / unstarted_count);
}

void parked() {
  using namespace std::chrono_literals;
  std::size_t started = 0;
  const double before = used_bytes();
  for (std::size_t i = 0; i < parked_count; ++i) {
    (void)bench::must(bast::spawn([&started] {
                        ++started;
                        (void)bast::perform(bast::sleep_for(24h));
                      }),
                      "spawn");
  }
  while (started != parked_count) bench::must(bast::perform(bast::sleep_for(1ms)), "sleep_for");
  report("bast_parked", (used_bytes() - before) / parked_count);
}

void plain(const char* name, std::size_t count, std::size_t bytes) {
  const double before = used_bytes();
  const bench::fresh_memory memory(count * bytes);
  bench::touch_down(memory.base() + count * bytes - 1, count * bytes / bench::page);
  report(name, (used_bytes() - before) / static_cast<double>(count));
}

/// In a runtime with default options but one worker: all of the fibers are that one's.
template <class F>
void in_runtime(F body) {
  if (!bast::run(body, {.workers = 1})) bench::give_up("run");
}

template <class F>
void in_child(F body) {
  std::fflush(stdout);
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    bench::give_up("reporting");
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) bench::give_up("a case");
}

}  // namespace

int main() {
  std::printf("{\"benchmarks\": [");
  in_child([] { in_runtime(unstarted); });
  std::printf(",\n");
  in_child([] { in_runtime(parked); });
  std::printf(",\n");
  in_child([] { plain("plain_records", unstarted_count, record_bytes); });
  std::printf(",\n");
  in_child([] { plain("plain_pages", parked_count, bench::page); });
  std::printf("]}\n");
}
