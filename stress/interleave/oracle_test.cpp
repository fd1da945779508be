// SPDX-License-Identifier: Apache-2.0
//
// The explorer against an oracle: for small random programs, exactly the results of all
// interleavings are found. The oracle is a search of states without coroutines, turns and clocks.
// Programs here are sequentially consistent; weak_oracle_test.cpp has the others.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bast/testing/random.hpp"
#include "interleave/explore.hpp"
#include "interleave/model_atomics.hpp"

namespace bast::interleave {
namespace {

constexpr std::size_t words = 2;
constexpr unsigned awake = words;

struct instruction {
  enum { load, store, add, wait, wake_one, wake_all, kinds } what;
  unsigned word;
  std::uint32_t value;
};
using program = std::vector<std::vector<instruction>>;  // one per thread

program random_program(test::random_numbers& random) {
  program out(2 + random.below(2));
  for (auto& thread : out) {
    thread.resize(1 + random.below(out.size() == 2 ? 4 : 3));
    for (instruction& i : thread) {
      i.what = static_cast<decltype(i.what)>(random.below(instruction::kinds));
      i.word = static_cast<unsigned>(random.below(words));
      i.value = static_cast<std::uint32_t>(random.below(2));
    }
  }
  return out;
}

std::string print(const program& p) {
  static constexpr const char* names[] = {"load", "store", "add", "wait", "wake_one", "wake_all"};
  std::string out;
  for (const auto& thread : p) {
    for (const instruction& i : thread) {
      out += std::string(names[i.what]) + " " + std::to_string(i.word) + " " +
             std::to_string(i.value) + "; ";
    }
    out += "\n";
  }
  return out;
}

/// The results of a program: the words, and what each thread read. Or a deadlock.
using outcomes = std::set<std::string>;

struct state {
  std::array<std::uint32_t, words> word = {};
  std::vector<std::size_t> next;
  std::vector<unsigned> asleep_on;
  std::vector<bool> woke_spuriously;
  std::vector<std::string> saw;

  auto operator<=>(const state&) const = default;
};

class oracle {
 public:
  explicit oracle(const program& p) : program_(p) {
    visit({.next = std::vector<std::size_t>(p.size()),
           .asleep_on = std::vector<unsigned>(p.size(), awake),
           .woke_spuriously = std::vector<bool>(p.size()),
           .saw = std::vector<std::string>(p.size())});
  }
  const outcomes& found() const { return found_; }

 private:
  void visit(const state& s) {
    if (!seen_.insert(s).second) return;
    bool goes_on = false;
    bool sleeps = false;
    for (std::size_t t = 0; t < program_.size(); ++t) {
      sleeps |= s.asleep_on[t] != awake;
      if (s.asleep_on[t] != awake || s.next[t] == program_[t].size()) continue;
      goes_on = true;
      step(s, t);
    }
    if (goes_on) return;
    std::string all = sleeps ? "deadlock" : "";
    if (!sleeps) {
      for (const std::uint32_t w : s.word) all += std::to_string(w) + " ";
      for (const std::string& saw : s.saw) all += saw + "|";
    }
    found_.insert(all);
  }

  void step(state s, std::size_t t) {
    const instruction& i = program_[t][s.next[t]++];
    std::uint32_t& word = s.word[i.word];
    switch (i.what) {
      case instruction::add: s.saw[t] += std::to_string(std::exchange(word, word + i.value)); break;
      case instruction::load: s.saw[t] += std::to_string(word); break;
      case instruction::store: word = i.value; break;
      case instruction::wait: {
        const bool can_wake = !s.woke_spuriously[t] && word == i.value;
        s.woke_spuriously[t] = can_wake;
        if (can_wake) visit(s);
        s.woke_spuriously[t] = false;
        if (word == i.value) s.asleep_on[t] = i.word;
        break;
      }
      case instruction::wake_one: return wake_one(s, i.word);
      default:
        for (unsigned& on : s.asleep_on) {
          if (on == i.word) on = awake;
        }
    }
    visit(s);
  }

  void wake_one(const state& s, unsigned word) {
    bool any = false;
    for (std::size_t t = 0; t < program_.size(); ++t) {
      if (s.asleep_on[t] != word) continue;
      any = true;
      state woken = s;
      woken.asleep_on[t] = awake;
      visit(woken);
    }
    if (!any) visit(s);
  }

  const program& program_;
  std::set<state> seen_;
  outcomes found_;
};

std::string run(const std::vector<instruction>& thread,
                model_atomics::atomic<std::uint32_t>* word) {
  std::string saw;
  for (const instruction& i : thread) {
    auto& w = word[i.word];
    switch (i.what) {
      case instruction::load: saw += std::to_string(w.load()); break;
      case instruction::store: w.store(i.value); break;
      case instruction::add: saw += std::to_string(w.fetch_add(i.value)); break;
      case instruction::wait: model_atomics::wait(w, i.value); break;
      case instruction::wake_one: model_atomics::wake_one(&w); break;
      default: model_atomics::wake_all(&w);
    }
  }
  return saw;
}

TEST(Oracle, ExhaustiveSearchFindsWhatCanHappenAndNothingElse) {
  auto random = test::random_numbers::of_this_test();
  int deadlocks = 0;
  for (int n = 0; n < 1000; ++n) {
    const program p = random_program(random);
    const outcomes expected = oracle(p).found();
    outcomes found;
    const auto test = [&](world& w) {
      model_atomics::atomic<std::uint32_t> word[words];
      std::vector<std::string> saw(p.size());
      for (std::size_t t = 0; t < p.size(); ++t) {
        w.spawn([&, t] { saw[t] = run(p[t], word); });
      }
      w.run();
      std::string all;
      for (auto& value : word) all += std::to_string(value.load()) + " ";
      for (const std::string& s : saw) all += s + "|";
      found.insert(all);
    };
    const result r = explore({.bound = unbounded, .quiet = true}, test);
    if (expected.contains("deadlock")) {
      ++deadlocks;
      EXPECT_NE(r.failure.find("no thread can continue"), std::string::npos) << print(p);
      for (const std::string& one : found) EXPECT_TRUE(expected.contains(one)) << print(p) << one;
    } else {
      EXPECT_TRUE(r.exhausted) << r.failure << "\n" << print(p);
      EXPECT_EQ(found, expected) << print(p);
    }
  }
  EXPECT_GT(deadlocks, 100);
  EXPECT_LT(deadlocks, 900);
}

}  // namespace
}  // namespace bast::interleave
