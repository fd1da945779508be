// SPDX-License-Identifier: Apache-2.0
//
// The explorer against the C++ memory model: for small random programs with all orders and fences,
// the results of the consistent executions are found and no others. The oracle knows nothing of
// schedules: it enumerates which store each load reads (rf) and the modification orders (mo), and
// keeps what the axioms of [intro.races], [atomics.order] and [atomics.fences] allow.
//
// Each result that the explorer finds is one by these axioms. The other way round, two more hold
// for executions that it must find: sequenced-before and rf have no cycle, and none together with
// the total order of seq_cst events. Of executions with such cycles (load buffering; a seq_cst load
// that comes, in the total order, before what it has read of indirectly) it finds some.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "bast/testing/random.hpp"
#include "interleave/explore.hpp"
#include "interleave/model_atomics.hpp"

namespace bast::interleave::weak {
namespace {

using std::memory_order;
using enum std::memory_order;

constexpr unsigned words = 2;

struct instruction {
  enum { load, store, exchange, fence } what;
  unsigned word;
  memory_order how;
  int value;  // distinct for each store
};
using program = std::vector<std::vector<instruction>>;  // one per thread

constexpr std::array load_orders = {relaxed, acquire, seq_cst};
constexpr std::array store_orders = {relaxed, release, seq_cst};
constexpr std::array update_orders = {relaxed, acquire, release, acq_rel, seq_cst};
constexpr std::array fence_orders = {acquire, release, acq_rel, seq_cst, seq_cst};

program random_program(test::random_numbers& random) {
  program out(2 + random.below(2));
  int value = 0;
  for (auto& thread : out) {
    thread.resize(1 + random.below(out.size() == 2 ? 4 : 2));
    for (instruction& i : thread) {
      const auto pick = [&](const auto& orders) { return orders[random.below(orders.size())]; };
      const auto kind = random.below(16);
      i.word = static_cast<unsigned>(random.below(words));
      i.what = kind < 7    ? instruction::load
               : kind < 12 ? instruction::store
               : kind < 14 ? instruction::exchange
                           : instruction::fence;
      i.how = i.what == instruction::load       ? pick(load_orders)
              : i.what == instruction::store    ? pick(store_orders)
              : i.what == instruction::exchange ? pick(update_orders)
                                                : pick(fence_orders);
      if (i.what == instruction::store || i.what == instruction::exchange) i.value = ++value;
    }
  }
  return out;
}

std::string print(const program& p) {
  static constexpr const char* kinds[] = {"load", "store", "exchange", "fence"};
  static constexpr const char* orders[] = {"relaxed", "consume", "acquire",
                                           "release", "acq_rel", "seq_cst"};
  std::string out;
  for (const auto& thread : p) {
    for (const instruction& i : thread) {
      out += kinds[i.what];
      if (i.what != instruction::fence) out += " " + std::to_string(i.word);
      if (i.value != 0) out += " = " + std::to_string(i.value);
      out += " " + std::string(orders[static_cast<int>(i.how)]) + "; ";
    }
    out += "\n";
  }
  return out;
}

// --- the axioms ----------------------------------------------------------------------------------

/// A relation between events, as a matrix.
struct relation {
  static constexpr unsigned max = 16;
  std::array<std::uint16_t, max> row = {};

  bool has(unsigned a, unsigned b) const { return (row[a] >> b & 1) != 0; }
  void add(unsigned a, unsigned b) { row[a] = static_cast<std::uint16_t>(row[a] | 1U << b); }
  relation& operator|=(const relation& other) {
    for (unsigned a = 0; a < max; ++a) row[a] = static_cast<std::uint16_t>(row[a] | other.row[a]);
    return *this;
  }
  relation closed() const {
    relation out = *this;
    for (unsigned k = 0; k < max; ++k) {
      for (unsigned a = 0; a < max; ++a) {
        if (out.has(a, k)) out.row[a] = static_cast<std::uint16_t>(out.row[a] | out.row[k]);
      }
    }
    return out;
  }
  bool is_cyclic() const {
    const relation all = closed();
    for (unsigned a = 0; a < max; ++a) {
      if (all.has(a, a)) return true;
    }
    return false;
  }
};

struct event {
  instruction does;
  bool initial = false;

  bool reads() const {
    return does.what == instruction::load || does.what == instruction::exchange;
  }
  bool writes() const {
    return does.what == instruction::store || does.what == instruction::exchange;
  }
  bool is_fence() const { return does.what == instruction::fence; }
  bool acquires() const { return does.how != relaxed && does.how != release && !initial; }
  bool releases() const {
    return (does.how == release || does.how == acq_rel || does.how == seq_cst) && !initial;
  }
  bool is_seq_cst() const { return does.how == seq_cst && !initial; }
};

class oracle {
 public:
  oracle(const program& p, bool strict) : strict_(strict) {
    for (unsigned w = 0; w < words; ++w) {
      events_.push_back({{instruction::store, w, relaxed, 0}, true});
      order_[w] = {w};
    }
    for (const auto& thread : p) {
      const std::size_t first = events_.size();
      for (const instruction& i : thread) {
        const auto e = static_cast<unsigned>(events_.size());
        events_.push_back({i});
        for (unsigned before = 0; before < e; ++before) {
          if (before < words || before >= first) sequenced_.add(before, e);
        }
        if (events_[e].writes()) writes_.push_back(e);
        if (events_[e].reads()) reads_.push_back(e);
      }
      ends_.push_back(events_.size());
    }
    from_.resize(events_.size());
    choose_order(0);
  }
  const std::set<std::string>& found() const { return found_; }

 private:
  // Inserts each store into the modification order of its word.
  void choose_order(std::size_t n) {
    if (n == writes_.size()) return choose_source(0);
    const unsigned e = writes_[n];
    std::vector<unsigned>& of_word = order_[events_[e].does.word];
    for (std::size_t at = 1; at <= of_word.size(); ++at) {
      of_word.insert(of_word.begin() + static_cast<std::ptrdiff_t>(at), e);
      choose_order(n + 1);
      of_word.erase(of_word.begin() + static_cast<std::ptrdiff_t>(at));
    }
  }

  void choose_source(std::size_t n) {
    if (n == reads_.size()) {
      if (is_consistent()) found_.insert(outcome());
      return;
    }
    for (const unsigned w : order_[events_[reads_[n]].does.word]) {
      from_[reads_[n]] = w;
      choose_source(n + 1);
    }
  }

  std::size_t place(unsigned write) const {
    const auto& of_word = order_[events_[write].does.word];
    return static_cast<std::size_t>(std::ranges::find(of_word, write) - of_word.begin());
  }

  bool is_consistent() const {
    for (const unsigned r : reads_) {
      // Atomicity: a read-modify-write reads the store before its own.
      if (events_[r].writes() && place(from_[r]) + 1 != place(r)) return false;
    }
    relation read_from = sequenced_;
    for (const unsigned r : reads_) read_from.add(from_[r], r);
    if (strict_ && read_from.is_cyclic()) return false;
    relation before = sequenced_;
    before |= synchronizes();
    before = before.closed();
    const relation coherent = coherence();
    for (unsigned a = 0; a < events_.size(); ++a) {
      for (unsigned b = 0; b < events_.size(); ++b) {
        if (before.has(a, b) && (a == b || coherent.has(b, a))) return false;
      }
    }
    return has_total_order(strict_ ? read_from : relation{}, before, coherent);
  }

  // The writes whose release sequence the read of `r` belongs to: `w`, and while it is a
  // read-modify-write, what that read.
  relation synchronizes() const {
    relation out;
    const auto n = static_cast<unsigned>(events_.size());
    for (const unsigned r : reads_) {
      unsigned w = from_[r];
      while (true) {
        for (unsigned a = 0; a < n; ++a) {
          const bool is_source =
              a == w ? events_[a].releases()
                     : events_[a].is_fence() && events_[a].releases() && sequenced_.has(a, w);
          if (!is_source) continue;
          if (events_[r].acquires()) out.add(a, r);
          for (unsigned b = 0; b < n; ++b) {
            if (events_[b].is_fence() && events_[b].acquires() && sequenced_.has(r, b)) {
              out.add(a, b);
            }
          }
        }
        if (!events_[w].reads()) break;
        w = from_[w];
      }
    }
    return out;
  }

  // Coherence-ordered before: rf, mo, from-read and what follows from them.
  relation coherence() const {
    relation out;
    for (const auto& of_word : order_) {
      for (std::size_t i = 0; i < of_word.size(); ++i) {
        for (std::size_t j = i + 1; j < of_word.size(); ++j) out.add(of_word[i], of_word[j]);
      }
    }
    for (const unsigned r : reads_) {
      out.add(from_[r], r);
      const auto& of_word = order_[events_[r].does.word];
      for (std::size_t j = place(from_[r]) + 1; j < of_word.size(); ++j) {
        if (of_word[j] != r) out.add(r, of_word[j]);
      }
    }
    return out.closed();
  }

  // [atomics.order]/4: A coherence-ordered before B puts A, or a fence before it, before B, or a
  // fence behind it.
  bool has_total_order(const relation& so_far, const relation& before,
                       const relation& coherent) const {
    relation total = so_far;
    const auto n = static_cast<unsigned>(events_.size());
    const auto orders = [&](unsigned x, unsigned a, bool behind) {
      if (!events_[x].is_seq_cst()) return false;
      if (x == a) return true;
      return events_[x].is_fence() && (behind ? before.has(a, x) : before.has(x, a));
    };
    for (unsigned x = 0; x < n; ++x) {
      for (unsigned y = 0; y < n; ++y) {
        if (events_[x].is_seq_cst() && events_[y].is_seq_cst() && before.has(x, y)) {
          total.add(x, y);
        }
        for (unsigned a = 0; a < n; ++a) {
          if (!orders(x, a, false)) continue;
          for (unsigned b = 0; b < n; ++b) {
            if (a != b && coherent.has(a, b) && orders(y, b, true)) total.add(x, y);
          }
        }
      }
    }
    return !total.is_cyclic();
  }

  std::string outcome() const {
    std::string out;
    for (const auto& of_word : order_) {
      out += std::to_string(events_[of_word.back()].does.value) + " ";
    }
    std::size_t e = words;
    for (const std::size_t end : ends_) {
      for (; e < end; ++e) {
        if (events_[e].reads()) out += std::to_string(events_[from_[e]].does.value) + ",";
      }
      out += "|";
    }
    return out;
  }

  bool strict_;
  std::vector<event> events_;
  std::vector<std::size_t> ends_;  // of the threads' events
  std::vector<unsigned> writes_, reads_;
  relation sequenced_;
  std::array<std::vector<unsigned>, words> order_;
  std::vector<unsigned> from_;
  std::set<std::string> found_;
};

// --- the explorer --------------------------------------------------------------------------------

std::string run(const std::vector<instruction>& thread, model_atomics::atomic<int>* word) {
  std::string saw;
  for (const instruction& i : thread) {
    auto& w = word[i.word];
    switch (i.what) {
      case instruction::load: saw += std::to_string(w.load(i.how)) + ","; break;
      case instruction::store: w.store(i.value, i.how); break;
      case instruction::exchange: saw += std::to_string(w.exchange(i.value, i.how)) + ","; break;
      case instruction::fence: model_atomics::fence(i.how); break;
    }
  }
  return saw;
}

TEST(WeakOracle, ExhaustiveSearchFindsTheConsistentExecutionsAndNoOther) {
  auto random = test::random_numbers::of_this_test();
  std::size_t cyclic = 0;
  for (int n = 0; n < 1000; ++n) {
    const program p = random_program(random);
    std::set<std::string> found;
    const auto test = [&](world& w) {
      model_atomics::atomic<int> word[words];
      std::vector<std::string> saw(p.size());
      for (std::size_t t = 0; t < p.size(); ++t) {
        w.spawn([&, t] { saw[t] = run(p[t], word); });
      }
      w.run();
      if (!w.is_possible()) return;
      std::string all;
      for (auto& value : word) all += std::to_string(value.load(relaxed)) + " ";
      for (const std::string& s : saw) all += s + "|";
      found.insert(all);
    };
    const result r = explore({.bound = unbounded, .schedules = 10'000'000}, test);
    ASSERT_TRUE(r.exhausted) << r.failure << print(p);
    const std::set<std::string> required = oracle(p, true).found();
    const std::set<std::string> allowed = oracle(p, false).found();
    ASSERT_TRUE(std::ranges::includes(found, required)) << print(p);
    ASSERT_TRUE(std::ranges::includes(allowed, found)) << print(p);
    cyclic += found.size() - required.size();
  }
  EXPECT_GT(cyclic, 0U);
}

}  // namespace
}  // namespace bast::interleave::weak
