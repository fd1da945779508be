// SPDX-License-Identifier: Apache-2.0
#include "bast/op/perform.hpp"

#include <memory>

namespace bast::inline BAST_ABI::internal {

namespace {

constexpr const char* operation_name = "perform";
/// The arms whose order is drawn on the stack; for more, memory is allocated.
constexpr std::size_t few = 64;

// SplitMix64: Steele, Lea, Flood, OOPSLA 2014.
constinit thread_local std::uint64_t random_state = 0;
constinit thread_local bool is_seeded = false;

std::uint64_t next_random() noexcept {
  if (!is_seeded) {
    seed_choices(static_cast<std::uint64_t>(os::monotonic_ns()) ^ os::real_atomics::self());
  }
  random_state += 0x9e3779b97f4a7c15;
  std::uint64_t z = random_state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

void seed_choices(std::uint64_t seed) noexcept {
  random_state = seed;
  is_seeded = true;
}

// The bias of the remainder is below 2^-48 for 65,534 arms.
std::uint64_t random_below(std::uint64_t count) noexcept { return next_random() % count; }

// Uniformly among the ready (O-13): those that are not would be tried in vain. Last resorts come
// after them (O-14): they are put at the end.
progress performance::attempt() {
  branch* on_stack[few];
  branch** ready = on_stack;
  std::unique_ptr<void, void (*)(void*)> memory(nullptr, os::deallocate);
  if (all_.size() > few) {
    memory.reset(os::allocate(all_.size() * sizeof(branch*)));
    if (memory == nullptr) {
      performer_.fail_with({errc::no_memory, operation_name, "no memory to order its arms"});
      return progress::failed;
    }
    ready = static_cast<branch**>(memory.get());
  }
  std::size_t count = 0;
  std::size_t last_resorts = all_.size();
  for (branch* b = all_.first(); b != nullptr; b = b->next) {
    if (!b->looks_ready()) continue;
    const bool is_last = b->is_last_resort && !BAST_MUTANT(limit_beats_the_op);
    ready[is_last ? --last_resorts : count++] = b;
  }
  for (std::size_t i = count; i > 1; --i) {
    std::swap(ready[i - 1], ready[random_below(i)]);
  }
  const progress got = performer_.attempt({ready, count});
  if (got != progress::none) return got;
  return performer_.attempt({ready + last_resorts, all_.size() - last_resorts});
}

result<const leaf*> performance::poll() {
  if (attempt() == progress::failed) return std::unexpected(performer_.failure());
  return performer_.chosen();
}

result<const leaf*> performance::perform() {
  if (auto may = waiter::check(operation_name); !may) return std::unexpected(may.error());
  const coro_attachment* const governed = governing_attachment();
  if (governed != nullptr) {
    if (auto goes_on = governed->token.check(operation_name); !goes_on) {
      return std::unexpected(goes_on.error());
    }
  }
  progress got = attempt();
  if (got == progress::none) got = performer_.enlist(all_);
  if (got == progress::failed) {
    leave();
    // Unless a peer has committed an arm that was linked before the one that failed.
    if (performer_.chosen() == nullptr) return std::unexpected(performer_.failure());
  }
  if (got == progress::none) {
    if (governed != nullptr && governed->by_executor) {
      waiter_.let_executor_cancel();
    } else if (governed != nullptr) {
      is_registered_ = true;
      stop_.begin(governed->token);
    }
    has_waited_ = true;
    if (!performer_.wait(all_)) {
      auto cancelled = governed->token.check(operation_name);
      BAST_ASSERT(!cancelled);
      return std::unexpected(cancelled.error());
    }
  }
  return performer_.chosen();
}

}  // namespace bast::inline BAST_ABI::internal
