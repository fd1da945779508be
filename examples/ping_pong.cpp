// SPDX-License-Identifier: Apache-2.0
//
// Values in both directions: coro<Yield, Resume, Return> yields one type, is resumed with another,
// and returns a third. Here a player guesses numbers, receives a hint for each, and returns how
// many guesses it took. The first resume passes the function's first argument: here, nothing yet.

#include <bast/coro.hpp>
#include <cstdio>

namespace {

enum class hint { none, lower, higher, right };

int play(hint, bast::yielder<int, hint>& guess) {
  int low = 1;
  int high = 100;
  for (int guesses = 1;; ++guesses) {
    const int middle = (low + high) / 2;
    // yield() hands the guess to the caller of resume() and returns what that passes.
    switch (guess.yield(middle)) {
      case hint::lower: high = middle - 1; break;
      case hint::higher: low = middle + 1; break;
      case hint::right: return guesses;
      case hint::none: break;
    }
  }
}

}  // namespace

int main() {
  constexpr int secret = 42;
  auto pool = bast::coro_pool::create().value();
  auto player = pool.make("player", play).value();

  for (auto step = player.resume(hint::none); step.yielded();) {
    const int guess = step.value();
    std::printf("guess %d\n", guess);
    step = player.resume(guess == secret  ? hint::right
                         : guess < secret ? hint::higher
                                          : hint::lower);
  }
  std::printf("found after %d guesses\n", player.returned().value());
}
