// SPDX-License-Identifier: Apache-2.0
//
// bast_soak: ten thousand coroutines on two threads that grow, are unwound, abandoned and used
// again, for a chosen time; and whether the process's resources rise meanwhile. See `bast_soak
// --help`.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <latch>
#include <random>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "arguments.hpp"
#include "bast/coro.hpp"
#include "bast/os.hpp"
#include "bast/testing/joined_thread.hpp"
#include "frames.hpp"
#include "samples.hpp"

namespace {

using namespace bast;

constexpr const char* help = R"(usage: bast_soak [--minutes N] [--coroutines N] [--every SECONDS]
                 [--seed S]
Keeps N (10000) coroutines on two threads busy for N (10) minutes. Samples the process's resources
every 5 seconds once every coroutine has reached the maximum depth, and exits with 1 if one of the
quantities rises by more than its bound, or a coroutine finds its stack changed.
)";

struct arguments {
  double minutes = 10;
  double every = 5;
  std::size_t coroutines = 10000;
  std::uint64_t seed = 0xba57;
  std::string plant;
};

/// Shared by both threads and the sampler.
struct state {
  explicit state(const arguments& chosen) : asked(chosen) {}

  const arguments& asked;
  std::atomic<bool> over = false;
  std::latch warm{2};
  std::atomic<std::uint64_t> lives = 0;
  std::atomic<const char*> complaint = nullptr;

  void complain(const char* what) { complaint = what; }
};

/// Half of the coroutines.
class worker {
 public:
  worker(state& shared, std::uint64_t seed)
      : shared_(shared), random_(seed), all_(shared.asked.coroutines / 2) {}

  void work() {
    auto made = coro_pool::create(
        {.stack = {.limit = bytes{256 << 10}, .window = bytes{16 << 10}, .retain = bytes{32 << 10}},
         .max_coros = all_.size()});
    if (!made) return give_up("the pool could not be made");
    coro_pool pool = std::move(*made);
    // Resident memory stops rising when every stack has been used as deep as it may be kept.
    for (handle& c : all_) begin(pool, c, deepest);
    for (handle& c : all_) end(c);
    shared_.warm.arrive_and_wait();
    while (!shared_.over && shared_.complaint == nullptr) {
      for (int i = 0; i < 1000; ++i) step(pool, all_[random_() % all_.size()]);
      commit_the_planted_bug();
    }
    for (handle& c : all_) end(c);
    pool.check_invariants();
  }

 private:
  using handle = coro_ref<>;
  static constexpr unsigned deepest = 64;  // frames of 1 KiB: two growths past the window

  void give_up(const char* why) {
    shared_.complain(why);
    shared_.warm.count_down();
  }

  void step(coro_pool& pool, handle& c) {
    switch (c.state()) {
      case coro_state::suspended:
        if (random_() % 2 == 0) {
          if (c.resume().failed()) shared_.complain("resume failed");
        } else {
          end(c);
        }
        break;
      case coro_state::free:
        // One in sixteen goes deep; most stay within the open part.
        begin(pool, c, random_() % 16 == 0 ? deepest : 1 + static_cast<unsigned>(random_() % 12));
        break;
      default: end(c); break;
    }
  }

  void begin(coro_pool& pool, handle& c, unsigned frames) {
    auto got = pool.acquire();
    if (!got) return shared_.complain("acquire failed");
    c = got->detach();
    ++shared_.lives;
    const auto began = c.start([this, frames](yielder<>& out) { live(out, frames); });
    if (began.failed()) shared_.complain("start failed");
  }

  void live(yielder<>& out, unsigned frames) {
    const auto pattern = static_cast<unsigned char>(random_());
    const bool fine =
        stress::descend({.frames = frames, .frame_bytes = 1024, .pattern = pattern}, [&] {
          for (int i = 0; i < 3; ++i) out.yield();
        });
    if (!fine) shared_.complain("a coroutine's frame was changed");
  }

  /// Unwound while suspended; one in a hundred is abandoned instead.
  void end(handle& c) {
    if (c.state() == coro_state::free) return;
    const bool leave = random_() % 100 == 0 || !BAST_EXCEPTIONS;
    const auto released = leave ? c.release(abandon) : c.release();
    if (!released) shared_.complain("release failed");
  }

  void commit_the_planted_bug() {
    const std::string& plant = shared_.asked.plant;
    if (plant == "pages") {
      if (const auto leaked = os::map(16 * os::page_bytes())) {
        for (std::size_t i = 0; i < 16; ++i) (*leaked)[i * os::page_bytes()] = std::byte{1};
      }
    } else if (plant == "mappings") {
      const auto leaked = os::map(2 * os::page_bytes());
      if (leaked) (void)os::protect(*leaked, os::page_bytes(), os::access::none);
    } else if (plant == "descriptors" && std::chrono::steady_clock::now() >= next_leak_) {
      // Equally many a second on fast and slow machines, and fewer than possible.
      next_leak_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
      [[maybe_unused]] const int lost = ::dup(STDOUT_FILENO);
    } else if (plant == "threads" && ++threads_leaked_ <= 100) {
      std::thread(::pause).detach();
    }
  }

  state& shared_;
  std::mt19937_64 random_;
  std::vector<handle> all_;
  int threads_leaked_ = 0;
  std::chrono::steady_clock::time_point next_leak_;
};

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bast_soak: %s; see --help\n", why.c_str());
  std::exit(2);
}

arguments read_arguments(int count, char** values) {
  arguments out;
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    if (word == "--help") {
      std::fputs(help, stdout);
      std::exit(0);
    }
    if (++i == count) die(word + " needs a value");
    const char* const value = values[i];
    const auto read = [&](auto& into) {
      const auto parsed = stress::number<std::remove_reference_t<decltype(into)>>(value);
      if (!parsed) die(word + " needs a number that is not negative, not '" + value + "'");
      into = *parsed;
    };
    if (word == "--minutes") {
      read(out.minutes);
    } else if (word == "--every") {
      read(out.every);
    } else if (word == "--coroutines") {
      read(out.coroutines);
    } else if (word == "--seed") {
      read(out.seed);
    } else if (word == "--plant") {
      // For the tests of this program: the rise that it must detect.
      out.plant = value;
    } else {
      die("unknown option '" + word + "'");
    }
  }
  if (out.coroutines < 2) die("at least two coroutines");
  return out;
}

std::vector<stress::sample> observe(state& shared) {
  using clock = std::chrono::steady_clock;
  std::vector<stress::sample> samples;
  std::printf("%10s %12s %10s %12s %8s %12s\n", "seconds", "pages", "mappings", "descriptors",
              "threads", "lives");
  const auto begin = clock::now();
  const auto seconds = [&] { return std::chrono::duration<double>(clock::now() - begin).count(); };
  while (seconds() < shared.asked.minutes * 60 && shared.complaint == nullptr) {
    std::this_thread::sleep_for(std::chrono::duration<double>(shared.asked.every));
    const auto s = stress::sample::now(seconds());
    std::printf("%10.1f %12.0f %10.0f %12.0f %8.0f %12llu\n", s.seconds, s.pages, s.mappings,
                s.descriptors, s.threads, static_cast<unsigned long long>(shared.lives.load()));
    std::fflush(stdout);
    samples.push_back(s);
  }
  return samples;
}

}  // namespace

int main(int count, char** values) {
  const arguments asked = read_arguments(count, values);
  char repeat[200];
  std::snprintf(
      repeat, sizeof repeat, "bast_soak --seed %llu --minutes %g --coroutines %zu --every %g",
      static_cast<unsigned long long>(asked.seed), asked.minutes, asked.coroutines, asked.every);
  std::printf("%s\n", repeat);
  state shared(asked);
  std::vector<stress::sample> samples;
  {
    std::vector<test::joined_thread> threads;
    for (const unsigned n : {1U, 2U}) {
      threads.emplace_back([&shared, seed = asked.seed + n] { worker(shared, seed).work(); });
    }
    shared.warm.wait();
    samples = observe(shared);
    shared.over = true;
  }
  std::string complaints = stress::judge(samples);
  if (const char* const what = shared.complaint) complaints += std::string(what) + "\n";
  if (complaints.empty()) return 0;
  std::printf("%sFAILED; reproduce with: %s\n", complaints.c_str(), repeat);
  return 1;
}
