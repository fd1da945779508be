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

// By a store, as not every CPU's call writes to the stack.
void touch_stack() noexcept {
  char lowest = 0;                  // NOLINT(misc-const-correctness): the statement may write it
  asm volatile("" : "+m"(lowest));  // The compiler keeps the store.
}

void seed_choices(std::uint64_t seed) noexcept {
  random_state = seed;
  is_seeded = true;
}

// As Lemire, "Fast Random Integer Generation in an Interval", 2019, without its rejection: the bias
// is below 2^-16 for 65,534 arms, and a division would cost as much as an arm.
std::uint64_t random_below(std::uint64_t count) noexcept {
  BAST_ASSERT(count <= UINT32_MAX);
  return (next_random() >> 32) * count >> 32;
}

namespace {

// In an order that is drawn as it is needed, so that of the ready ones each comes first with the
// same probability (O-13).
progress attempt_any(performer& who, std::span<branch*> arms) {
  for (std::size_t left = arms.size(); left != 0; --left) {
    std::swap(arms[random_below(left)], arms[left - 1]);
    if (!arms[left - 1]->looks_ready()) continue;
    if (const progress got = arms[left - 1]->attempt(who); got != progress::none) return got;
  }
  return progress::none;
}

}  // namespace

// Last resorts come after the others (O-14): they are put at the end. Many arms are tried `again`
// in the order of the program, as nothing is allocated once it has waited (O-17).
progress performance::attempt(bool again) {
  branch* on_stack[few];
  branch** arms = on_stack;
  std::unique_ptr<void, void (*)(void*)> memory(nullptr, os::deallocate);
  if (again && all_.size() > few) {
    progress got = progress::none;
    for (const bool last : {false, true}) {
      for (branch* b = all_.first(); b != nullptr && got == progress::none; b = b->next) {
        if (b->is_last_resort == last) got = b->attempt(performer_);
      }
    }
    return got;
  }
  if (all_.size() > few) {
    memory.reset(os::allocate(all_.size() * sizeof(branch*)));
    if (memory == nullptr) {
      performer_.fail_with({errc::no_memory, operation_name, "no memory to order its arms"});
      return progress::failed;
    }
    arms = static_cast<branch**>(memory.get());
  }
  std::size_t count = 0;
  std::size_t last_resorts = all_.size();
  for (branch* b = all_.first(); b != nullptr; b = b->next) {
    const bool is_last = b->is_last_resort && !BAST_MUTANT(limit_beats_the_op);
    if (is_last && !b->looks_ready()) continue;
    arms[is_last ? --last_resorts : count++] = b;
  }
  const progress got = attempt_any(performer_, {arms, count});
  if (got != progress::none) return got;
  return performer_.attempt({arms + last_resorts, all_.size() - last_resorts});
}

result<const leaf*> performance::poll() {
  if (attempt(false) == progress::failed) return std::unexpected(performer_.failure());
  return performer_.chosen();
}

// `none`: cancelled.
progress performance::pass(const coro_attachment* governed, bool again) {
  progress got = attempt(again);
  if (got == progress::none) got = performer_.enlist(all_);
  if (got != progress::none) return got;
  if (governed != nullptr && governed->by_executor) {
    waiter_.let_executor_cancel();
  } else if (governed != nullptr) {
    is_registered_ = true;
    stop_.begin(governed->token);
  }
  has_waited_ = true;
  if (!performer_.wait(all_)) return progress::none;
  if (performer_.chosen() != nullptr) return progress::committed;
  // Before the waiter is armed anew: the callback reads how it is armed.
  if (std::exchange(is_registered_, false)) stop_.end();
  return progress::again;
}

result<const leaf*> performance::perform() {
  if (auto may = waiter::check(operation_name); !may) return std::unexpected(may.error());
  const coro_attachment* const governed = governing_attachment();
  progress got = progress::again;
  for (bool again = false; got == progress::again; again = true) {
    if (governed != nullptr && !BAST_MUTANT(cancelled_perform_tries)) {
      if (auto goes_on = governed->token.check(operation_name); !goes_on) {
        return std::unexpected(goes_on.error());
      }
    }
    got = pass(governed, again);
    if (got == progress::again && performer_.restart(all_)) got = progress::committed;
  }
  if (got == progress::failed) {
    leave();
    // Unless a peer has committed an arm that was linked before the one that failed.
    if (performer_.chosen() == nullptr) return std::unexpected(performer_.failure());
  }
  if (got == progress::none) {
    auto cancelled = governed->token.check(operation_name);
    BAST_ASSERT(!cancelled);
    return std::unexpected(cancelled.error());
  }
  return performer_.chosen();
}

}  // namespace bast::inline BAST_ABI::internal
