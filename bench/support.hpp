// SPDX-License-Identifier: Apache-2.0
//
// Shared by the benchmarks: loops, clocks, fresh memory, and results that must have a value.
#pragma once

#include <benchmark/benchmark.h>
#include <sys/mman.h>

#include <algorithm>
#include <bast/coro.hpp>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <type_traits>
#include <utility>
#include <vector>

namespace bench {

/// Ends the program: a benchmark that measures a failure is worse than none.
[[noreturn]] inline void give_up(const char* what) {
  std::fprintf(stderr, "bench: %s failed\n", what);
  std::exit(1);
}

inline double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// The value of a result that must have one.
template <class T>
T must(bast::result<T> given, const char* what) {
  if (!given) give_up(what);
  if constexpr (!std::is_void_v<T>) return std::move(*given);
}

/// The same of a step that must not have failed.
template <class Yield>
void must(const bast::step<Yield>& made, const char* what) {
  if (made.failed()) give_up(what);
}

/// Runs `f` in batches, so that Google Benchmark's own loop costs nothing even beside 1 ns.
template <class F>
void repeat(benchmark::State& state, F f) {
  constexpr int batch = 1000;
  while (state.KeepRunningBatch(batch)) {
    for (int i = 0; i < batch; ++i) f();
  }
}

using clock = std::chrono::steady_clock;

inline double seconds_since(clock::time_point start) {
  return std::chrono::duration<double>(clock::now() - start).count();
}

/// Processor time of this thread, which excludes other programs.
inline double processor_seconds() { return seconds_of(CLOCK_THREAD_CPUTIME_ID); }
/// The same of all threads of this process.
inline double process_seconds() { return seconds_of(CLOCK_PROCESS_CPUTIME_ID); }

/// Times `f()`, which does `operations` operations, as one iteration. For calls of 100 us and more:
/// the clock itself takes a system call.
template <class F>
void timed(benchmark::State& state, std::size_t operations, F f) {
  const double start = processor_seconds();
  f();
  state.SetIterationTime((processor_seconds() - start) / static_cast<double>(operations));
}

/// Operations timed one by one, because each needs an untimed preparation. The median excludes
/// those interrupted by another program. Reading the clock adds about 30 ns.
class stopwatch {
 public:
  explicit stopwatch(std::size_t operations) { laps_.reserve(operations); }

  template <class F>
  void lap(F f) {
    const clock::time_point start = clock::now();
    f();
    laps_.push_back(seconds_since(start));  // Within the reserved memory: allocates nothing.
  }
  double median() {
    if (laps_.empty()) give_up("timing");
    const auto middle = laps_.begin() + static_cast<std::ptrdiff_t>(laps_.size() / 2);
    std::nth_element(laps_.begin(), middle, laps_.end());
    return *middle;
  }

 private:
  std::vector<double> laps_;
};

/// Settings of a benchmark with a fixed number of iterations, whose preparation takes longer than
/// the timed part, so that calibration would not end.
inline void by_hand(benchmark::internal::Benchmark* made) { made->UseManualTime()->Iterations(8); }

/// Of one whose only iteration times many operations itself.
inline void once(benchmark::internal::Benchmark* made) { made->UseManualTime()->Iterations(1); }

/// Fresh anonymous memory, small pages only, like bast's slabs. Unmapped at the end.
class fresh_memory {
 public:
  explicit fresh_memory(std::size_t size) : size_(size) {
    void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) give_up("mmap");
    base_ = static_cast<std::byte*>(mapped);
    (void)::madvise(base_, size, MADV_NOHUGEPAGE);  // A kernel without huge pages refuses.
  }
  ~fresh_memory() { ::munmap(base_, size_); }
  fresh_memory(const fresh_memory&) = delete;
  fresh_memory& operator=(const fresh_memory&) = delete;

  std::byte* base() const { return base_; }

  /// Touches the lowest page of each stride, so that the page tables exist, as for a slot with an
  /// installed guard; later touches then cost page faults and nothing else.
  void make_page_tables(std::size_t stride) {
    for (std::size_t at = 0; at < size_; at += stride) {
      *static_cast<volatile std::byte*>(base_ + at) = std::byte{1};
    }
  }

 private:
  std::byte* base_ = nullptr;
  std::size_t size_;
};

inline constexpr std::size_t page = 4096;
inline constexpr std::size_t slot_bytes = std::size_t{256} << 10;  // default guard + limit

/// Writes one byte in each of `count` pages: that of `highest`, and those below it.
[[gnu::noinline]] inline void touch_down(std::byte* highest, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    *static_cast<volatile std::byte*>(highest - i * page) = std::byte{1};
  }
}

}  // namespace bench
