// SPDX-License-Identifier: Apache-2.0
#include "model/lives.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "bast/stack.hpp"
#include "bast/testing/baseline.hpp"
#include "bast/watch/registry.hpp"

namespace bast::model {

namespace {

/// The entries of a table that are taken.
template <class Entry>
std::size_t taken(const watch::header& all, const watch::table& of) {
  std::size_t count = 0;
  const auto* at = reinterpret_cast<const std::byte*>(&all) + of.offset;
  for (std::uint32_t i = 0; i < of.used; ++i, at += of.record_bytes) {
    if (reinterpret_cast<const Entry*>(at)->state !=
        static_cast<std::uint32_t>(watch::entry_state::free)) {
      ++count;
    }
  }
  return count;
}

std::string difference(const std::vector<std::string>& one, const std::vector<std::string>& other) {
  for (std::size_t i = 0; i < std::max(one.size(), other.size()); ++i) {
    const std::string was = i < one.size() ? one[i] : "nothing";
    const std::string is = i < other.size() ? other[i] : "nothing";
    if (was != is) return "F-13: it was: " + was + "; it is: " + is;
  }
  return {};
}

/// Unreaped children, of any kind.
bool has_children() { return ::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT) == 0; }

struct one_life {
  std::vector<std::string> seen;
  table_places after;
  std::uint64_t calls = 0;
  bool rough = false;
};

std::string run_life(const target& t, const program& p, bool counting, bool first, one_life& out) {
  const test::leak_baseline before;
  run_settings how;
  how.trace = &out.seen;
  if (counting) how.plan = os::fault_plan{};
  const run_result ran = t.run(p, how);
  out.calls = ran.calls;
  out.rough = ran.rough;
  out.after = table_places::now();
  if (!ran.complaint.empty()) return ran.complaint;
  if (has_children()) return "a child is left";
  // Called in any case: it retries what the kernel refused to unmap.
  const std::string left = before.differences();
  return first ? std::string() : left;
}

}  // namespace

table_places table_places::now() {
  table_places seen;
  seen.budget_bytes = process_stack_budget().open().count;
  const watch::header* const all = watch::registry();
  if (all == nullptr) return seen;
  seen.coros_bytes = all->coros_bytes;
  seen.pools = taken<watch::pool_entry>(*all, all->pools);
  seen.slabs = taken<watch::slab_entry>(*all, all->slabs);
  seen.sites = taken<watch::site_entry>(*all, all->sites);
  return seen;
}

std::string table_places::differences(const table_places& later) const {
  std::string out;
  const auto compare = [&](const char* what, std::uint64_t was, std::uint64_t is) {
    if (was == is) return;
    out += std::string(what) + ": " + std::to_string(was) + " before, " + std::to_string(is) +
           " now\n";
  };
  compare("bytes of the table of coroutines", coros_bytes, later.coros_bytes);
  compare("entries of pools", pools, later.pools);
  compare("entries of slabs", slabs, later.slabs);
  compare("entries of sites", sites, later.sites);
  compare("open bytes in the process's budget", budget_bytes, later.budget_bytes);
  return out;
}

std::string live(const target& t, const program& p, unsigned lives) {
  for (const bool counting : {false, true}) {
    one_life before;
    std::set<std::uint64_t> calls;
    for (unsigned n = 1; n <= lives; ++n) {
      one_life life;
      const bool first = n == 1 && !counting;
      std::string wrong = run_life(t, p, counting, first, life);
      if (n > 1 && wrong.empty()) wrong = difference(before.seen, life.seen);
      // Sites are kept for the life of the process. One that got no entry in the first life,
      // because a call failed just then, may get it in the second; until then its uses are those of
      // "(other)".
      if (n == 2 && before.rough) {
        before.after.sites = std::max(before.after.sites, life.after.sites);
      }
      if (n > 1 && wrong.empty()) wrong = before.after.differences(life.after);
      // The kernel chooses which pages of a stack are resident, and a measurement queries them: one
      // life may differ from the others by chance. An accumulating error makes each differ. Under
      // TSan, which touches pages of its own, they all may.
      calls.insert(life.calls);
      if (BAST_WITH_TSAN == 0 && n > 2 && n == lives && wrong.empty() && calls.size() == lives) {
        wrong = "each life made another number of kernel calls, " + std::to_string(before.calls) +
                " and now " + std::to_string(life.calls);
      }
      if (!wrong.empty()) {
        return "life " + std::to_string(n) + (counting ? ", counted: " : ": ") + wrong;
      }
      before = std::move(life);
    }
  }
  return {};
}

}  // namespace bast::model
