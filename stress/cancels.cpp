// SPDX-License-Identifier: Apache-2.0
//
// One thread cancels while another registers, unregisters, creates children and joins tokens, round
// after round, both released at the same moment (C-7, C-8).
#include <atomic>
#include <optional>
#include <thread>

#include "bast/cancel.hpp"
#include "bast/testing/joined_thread.hpp"
#include "scenario.hpp"

namespace bast::stress {

namespace {

/// Releases two threads at once, repeatedly. Spins, because waking takes longer than a round.
class gate {
 public:
  void pass() {
    const unsigned turn = turn_.load();
    if (waiting_.fetch_add(1) == 1) {
      waiting_.store(0);
      turn_.store(turn + 1);
      return;
    }
    for (unsigned spins = 0; turn_.load() == turn; ++spins) {
      if (spins % 1000 == 999) std::this_thread::yield();
    }
  }

 private:
  std::atomic<unsigned> turn_{0};
  std::atomic<unsigned> waiting_{0};
};

struct witness {
  std::atomic<int> ran{0};
  std::atomic<bool> running{false};
};

struct testify {
  witness* seen;
  void operator()() const noexcept {
    seen->running.store(true, std::memory_order_relaxed);
    seen->ran.fetch_add(1, std::memory_order_relaxed);
    seen->running.store(false, std::memory_order_relaxed);
  }
};

class rounds {
 public:
  explicit rounds(run& r) : run_(r) {}

  std::uint64_t play() {
    test::joined_thread other([this] { cancel_every_round(); });
    auto random = run_.random(0);
    while (run_.goes_on()) {
      source_.emplace(cancel_source::create().value());
      second_.emplace(cancel_source::create().value());
      one_round(random());
      ++count_;
    }
    over_ = true;
    gate_.pass();
    return count_;
  }

 private:
  void cancel_every_round() {
    for (;;) {
      gate_.pass();
      if (over_) return;
      if (!source_->cancel()) run_.fail("C-2: the only cancel lost");
      gate_.pass();
    }
  }

  /// Waits until the cancel of this round has returned.
  void finish() { gate_.pass(); }

  void one_round(std::uint64_t choice) {
    witness seen;
    gate_.pass();
    switch (choice % 4) {
      case 0: {  // Registered until after the cancel: it runs, once.
        const cancel_callback callback(source_->token(), testify{&seen});
        finish();
        expect(seen.ran == (run_.planted("count") && count_ > 5 ? 2 : 1),
               "C-7: a registration that raced with cancel did not run exactly once");
        return;
      }
      case 1: {  // Unregistered at once: it does not run afterwards.
        {
          const cancel_callback callback(source_->token(), testify{&seen});
        }
        const int ran = seen.ran.load(std::memory_order_relaxed);
        expect(!seen.running.load(std::memory_order_relaxed),
               "C-8: unregistering returned while the callback ran");
        finish();
        expect(ran <= 1 && seen.ran == ran, "C-8: a callback ran after it was unregistered");
        return;
      }
      case 2: {  // A child is cancelled, created before or after.
        const cancel_source child = source_->child().value();
        const cancel_callback callback(child.token(), testify{&seen});
        finish();
        expect(child.is_cancelled() && seen.ran == 1, "C-16: a child of a cancelled source lives");
        return;
      }
      default: {
        auto joined = cancel_token::any_of(source_->token(), second_->token());
        if (choice % 8 >= 4) joined = cancel_token();  // Destroyed while it may be firing.
        finish();
        expect(choice % 8 >= 4 || joined->is_cancelled(), "C-19: a joined token did not fire");
      }
    }
  }

  void expect(bool holds, const char* otherwise) {
    if (!holds) run_.fail(otherwise);
  }

  run& run_;
  gate gate_;
  std::atomic<bool> over_ = false;
  std::optional<cancel_source> source_;
  std::optional<cancel_source> second_;
  std::uint64_t count_ = 0;
};

}  // namespace

std::string cancels(run& r) { return std::to_string(rounds(r).play()) + " rounds"; }

}  // namespace bast::stress
