// SPDX-License-Identifier: Apache-2.0
//
// Comparing: two snapshots, a snapshot and its budgets, a name and a pattern.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <tuple>

#include "inspector_samples.hpp"
#include "show/check.hpp"
#include "show/diff.hpp"
#include "show/glob.hpp"

namespace bast_stacks::test {
namespace {

// --- diff ----------------------------------------------------------------------------------------

RC_GTEST_PROP(InspectorDiff, OfASnapshotWithItselfSaysNothing, (const likely_snapshot& s)) {
  const difference none = compare(s.it, s.it);
  RC_ASSERT(none.sites.size() == s.it.sites.size());
  RC_ASSERT(none.incomparable.empty());
  for (const site_change& each : none.sites) {
    RC_ASSERT(each.what == change::same);
    RC_ASSERT(each.before == each.after);
  }
}

using row = std::tuple<std::optional<std::size_t>, std::optional<std::size_t>, change>;

change mirrored(change what) {
  switch (what) {
    case change::appeared: return change::vanished;
    case change::vanished: return change::appeared;
    case change::grew: return change::shrank;
    case change::shrank: return change::grew;
    case change::same: return change::same;
  }
  return what;
}

RC_GTEST_PROP(InspectorDiff, BackwardsSaysTheOpposite,
              (const likely_snapshot& a, const likely_snapshot& b)) {
  std::vector<row> there;
  std::vector<row> back;
  for (const site_change& each : compare(a.it, b.it).sites)
    there.emplace_back(each.before, each.after, each.what);
  for (const site_change& each : compare(b.it, a.it).sites)
    back.emplace_back(each.after, each.before, mirrored(each.what));
  std::ranges::sort(there);
  std::ranges::sort(back);
  RC_ASSERT(there == back);
  RC_CLASSIFY(std::ranges::any_of(there,
                                  [](const row& each) {
                                    return std::get<0>(each).has_value() &&
                                           std::get<1>(each).has_value();
                                  }),
              "has sites in common");
}

// Oracle: the buckets themselves. Changes within the buckets of a site's numbers do not count.
RC_GTEST_PROP(InspectorDiff, AChangeWithinABucketIsNone, (const likely_snapshot& s)) {
  snapshot after = s.it;
  for (site& each : after.sites) {
    const std::uint32_t index = bast::watch::bucket_of(each.max);
    each.max = std::min(bast::watch::bucket_high(index), each.max + *below(64));
  }
  for (const site_change& each : compare(s.it, after).sites) RC_ASSERT(each.what == change::same);
}

// --- check ---------------------------------------------------------------------------------------

RC_GTEST_PROP(InspectorCheck, AnUpdatedBudgetIsKeptAndOneByteLessIsNot,
              (const likely_snapshot& s)) {
  budget_file budgets = updated(s.it, {}, *rc::gen::element(0.0, 0.1, 2.0));
  const auto text = parse_budgets(budgets_text(budgets), "stack.toml");
  RC_ASSERT(text.has_value());
  const auto kept = check(s.it, *text);
  for (const verdict_of_budget& each : kept) RC_ASSERT(each.kept);
  if (budgets.budgets.empty()) return;

  // The deepest value with a budget, less one byte: that one, and nothing else, is found.
  const std::size_t chosen = *below(budgets.budgets.size());
  std::uint64_t deepest = 0;
  for (const verdict_of_budget& each : kept)
    if (each.budget == chosen) deepest = std::max(deepest, each.seen);
  if (deepest == 0) return;
  budgets.budgets[chosen].max = deepest - 1;
  const auto broken = check(s.it, budgets);
  for (const verdict_of_budget& each : broken)
    RC_ASSERT(each.kept == (each.budget != chosen || each.seen < deepest));
}

RC_GTEST_PROP(InspectorCheck, EverySiteThatRanHasABudgetAfterAnUpdate, (const likely_snapshot& s)) {
  const budget_file budgets = updated(s.it, {}, 0.1);
  for (const site& each : s.it.sites) {
    if (each.uses == 0) continue;
    RC_ASSERT(std::ranges::any_of(budgets.budgets,
                                  [&](const budget& one) { return site_matches(one.site, each); }));
  }
}

// --- glob ----------------------------------------------------------------------------------------

/// The meaning of a pattern, by definition and in exponential time.
bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*')
    return matches(pattern.substr(1), text) || (!text.empty() && matches(pattern, text.substr(1)));
  const bool escaped = pattern[0] == '\\' && pattern.size() > 1;
  if (text.empty()) return false;
  if (!escaped && pattern[0] == '?') return matches(pattern.substr(1), text.substr(1));
  return pattern[escaped ? 1 : 0] == text[0] &&
         matches(pattern.substr(escaped ? 2 : 1), text.substr(1));
}

rc::Gen<std::string> words(const std::string& letters) {
  return rc::gen::resize(10, rc::gen::container<std::string>(rc::gen::elementOf(letters)));
}

RC_GTEST_PROP(InspectorGlob, MatchesWhatItsDefinitionSays, ()) {
  const std::string pattern = *words("ab*?\\");
  const std::string text = *words("aab*\\");
  RC_ASSERT(glob_match(pattern, text) == matches(pattern, text));
  RC_CLASSIFY(matches(pattern, text), "matches");
}

// Most pairs do not match; these do, unless a piece prevents it.
RC_GTEST_PROP(InspectorGlob, AStarStandsForAnything, ()) {
  const std::string before = *words("ab");
  const std::string between = *words("abc");
  const std::string after = *words("ab");
  RC_ASSERT(glob_match(before + '*' + after, before + between + after));
  RC_ASSERT(glob_match('*' + after, before + between + after));
}

RC_GTEST_PROP(InspectorGlob, AnEscapedTextMatchesItselfAlone, ()) {
  const std::string text = *words("ab*?\\");
  const std::string other = *words("ab*?\\");
  RC_ASSERT(glob_match(glob_escape(text), text));
  RC_ASSERT(glob_match(glob_escape(text), other) == (text == other));
}

}  // namespace
}  // namespace bast_stacks::test
