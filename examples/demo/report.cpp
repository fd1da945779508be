// SPDX-License-Identifier: Apache-2.0
#include "report.hpp"

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

namespace demo {
namespace {

void print_ranking(const pattern_findings& s, const char* title) {
  std::vector<std::pair<std::size_t, std::string>> ranking;
  ranking.reserve(s.words.size());
  for (const auto& [word, times] : s.words) ranking.emplace_back(times, word);
  const std::size_t shown = std::min<std::size_t>(5, ranking.size());
  const auto middle = ranking.begin() + static_cast<std::ptrdiff_t>(shown);
  std::ranges::partial_sort(ranking, middle, std::greater<>());
  std::printf("  %s:", title);
  for (std::size_t i = 0; i < shown; ++i) {
    std::printf("%s %s %s", i == 0 ? "" : ",", ranking[i].second.c_str(),
                count(ranking[i].first).c_str());
  }
  std::printf("\n");
}

/// "  what: n", unless there were none.
void print_if_any(const std::string& what, std::size_t n, const std::vector<std::string>& places) {
  if (n == 0) return;
  std::printf("  %s: %s%s\n", what.c_str(), count(n).c_str(), places.empty() ? "" : ", such as");
  for (std::size_t i = 0; i < std::min<std::size_t>(3, places.size()); ++i) {
    std::printf("    %s\n", places[i].c_str());
  }
}

void print_left_out(const findings& n, std::span<const pattern> patterns, const run_facts& facts) {
  std::size_t left_out = n.links + n.others + n.binaries + n.problems.size();
  for (const pattern_findings& s : n.of) left_out += s.too_deep.size() + s.too_long.size();
  std::printf("\nleft out%s\n", left_out == 0 ? ": nothing" : "");
  print_if_any("symbolic links, not followed", n.links, {});
  print_if_any("devices, sockets and pipes", n.others, {});
  print_if_any("files that hold no text", n.binaries, {});
  print_if_any("could not be read", n.problems.size(), n.problems);
  const std::string full =
      ", given up before a stack of " + size(facts.stack.limit.count) + " was full";
  for (std::size_t i = 0; i < n.of.size(); ++i) {
    const std::string title = patterns[i].title;
    print_if_any(title + full, n.of[i].too_deep.size(), n.of[i].too_deep);
    print_if_any(title + ", given up after 20 million steps", n.of[i].too_long.size(),
                 n.of[i].too_long);
  }
}

void print_sites(const stack_report& stacks, const run_facts& facts) {
  std::printf("\n%-20s %9s %9s %9s %9s %9s %9s\n", "stacks by spawn site", "used", "samples", "p50",
              "p99", "max", "grows");
  for (const bast::site_stats& s : stacks.sites()) {
    const std::string name = stacks.name_of(s.key);
    if (name.empty()) continue;
    std::printf("%-20s %9s %9s %9s %9s %9s %9s\n", name.c_str(), count(s.uses).c_str(),
                count(s.samples).c_str(), size(s.p50.count).c_str(), size(s.p99.count).c_str(),
                size(s.max.count).c_str(), count(s.grows).c_str());
  }
  std::printf(
      "Each stack starts with %s and may grow to %s; p50 and p99 are exact to 3 %%, and those\n"
      "of the worker with the deeper ones.\n",
      size(facts.stack.window.count).c_str(), size(facts.stack.limit.count).c_str());
}

void print_memory(const meters& measured, const run_facts& facts) {
  const std::size_t stacks = measured.stacks.total().slots_opened;
  const std::size_t limits = stacks * facts.stack.limit.count;
  const bool fixed = facts.stack.growth == bast::stack_growth::demand;

  const auto row = [&](const char* what, const std::string& here, const std::string& there) {
    std::printf("%-32s %12s", what, here.c_str());
    // This run's measurements need no estimate beside them.
    if (!fixed && !there.empty()) std::printf("   %s", there.c_str());
    std::printf("\n");
  };
  std::printf("\n");
  row(fixed ? "memory of the fixed stacks" : "memory of the stacks", "this run",
      "fixed stacks of " + size(facts.stack.limit.count));
  row("stacks made", count(stacks), "as many");
  row("open, so to be backed (peak)", size(measured.open_bytes.peak()), size(limits));
  row("resident (peak)", size(measured.peak().resident.count), "bast_demo --fixed measures it");
  row("page tables of the process", size(measured.peak().page_tables.count), "");
  row("mappings of the process", count(measured.peak().mappings),
      count(2 * stacks) + " if each stack has a guard of its own");
  row("address space", size(measured.stacks.total().reserved.count),
      size(limits + stacks * facts.stack.guard.count));
}

}  // namespace

std::string size(std::size_t n) {
  bast::text t;
  t.size(n);
  return std::string(t.view());
}

std::string count(std::size_t n) {
  std::string digits = std::to_string(n);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, 1, ',');
  return digits;
}

void print_findings(const findings& found, std::span<const pattern> patterns,
                    const meters& measured, const run_facts& facts) {
  std::printf("%s: %s files in %s directories, %s, searched in %.1f s on %zu workers\n",
              facts.directory.c_str(), count(found.files).c_str(), count(found.directories).c_str(),
              size(found.bytes_read).c_str(), facts.seconds, facts.workers);
  std::printf("by %s fibers, up to %s at a time, of which up to %s had a stack\n\n",
              count(measured.fibers.total()).c_str(), count(measured.fibers.peak()).c_str(),
              count(measured.with_stack.peak()).c_str());

  std::printf("%-18s %10s %8s %10s  %s\n", "found", "finds", "files", "longest", "such as");
  for (std::size_t i = 0; i < found.of.size(); ++i) {
    const pattern_findings& s = found.of[i];
    const bool has_text = !patterns[i].report_absence && s.finds != 0;
    const std::string& where = s.longest_at.empty() ? s.first_at : s.longest_at;
    std::printf("%-18s %10s %8s %10s  %s\n", patterns[i].title, count(s.finds).c_str(),
                count(s.files).c_str(), has_text ? size(s.longest).c_str() : "", where.c_str());
  }
  for (std::size_t i = 0; i < found.of.size(); ++i) {
    if (patterns[i].ranked != nullptr && !found.of[i].words.empty()) {
      print_ranking(found.of[i], patterns[i].ranked);
    }
  }
  print_left_out(found, patterns, facts);
}

void print_stacks(const meters& measured, const run_facts& facts) {
  print_sites(measured.stacks, facts);
  print_memory(measured, facts);
}

}  // namespace demo
