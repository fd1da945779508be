// SPDX-License-Identifier: Apache-2.0
//
// Differences as text and as JSON.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/diff.hpp"
#include "show/names.hpp"
#include "show/table.hpp"

namespace bast_stacks {
namespace {

const char* word(change c) {
  switch (c) {
    case change::appeared: return "new";
    case change::vanished: return "gone";
    case change::grew: return "grew";
    case change::shrank: return "shrank";
    case change::same: return "same";
  }
  return "?";
}

/// "9.1 -> 12.3", or one of the two alone.
std::string pair_text(const site* before, const site* after, auto number) {
  if (before == nullptr) return number(*after);
  if (after == nullptr) return number(*before);
  const std::string a = number(*before);
  const std::string b = number(*after);
  return a == b ? a : fmt::format("{} -> {}", a, b);
}

const site* site_at(const snapshot& of, const std::optional<std::size_t>& index) {
  return index.has_value() ? &of.sites[*index] : nullptr;
}

}  // namespace

std::string diff_text(const snapshot& before, const snapshot& after, const diff_options& options) {
  using enum table::align;
  const difference d = compare(before, after);
  table rows({{options.exact_bytes ? "site (in bytes)" : "site (in KiB)", left, true},
              {"change", left},
              {"max"},
              {"p99"},
              {"uses"}});
  std::uint64_t same = 0;
  for (const site_change& c : d.sites) {
    if (c.what == change::same) ++same;
    if (c.what == change::same && !options.all) continue;
    const site* const a = site_at(before, c.before);
    const site* const b = site_at(after, c.after);
    std::string name = short_site_name(b != nullptr ? *b : *a);
    if (a != nullptr && b != nullptr && a->line != b->line)
      name += fmt::format(" (was :{})", a->line);
    const auto size = [&](auto of) {
      return pair_text(a, b,
                       [&](const site& s) { return size_number(of(s), options.exact_bytes); });
    };
    rows.add({name, word(c.what), size([](const site& s) { return s.max; }),
              size([](const site& s) { return quantile(s, 0.99); }),
              pair_text(a, b, [](const site& s) { return std::to_string(s.uses); })},
             c.what == change::grew ? "!!" : "");
  }
  std::string out;
  for (const std::string& sentence : d.incomparable) out += sentence + '\n';
  if (!rows.empty()) out += rows.text();
  if (same != 0 || rows.empty())
    out += fmt::format("{} without a change{}\n", counted(same, "site"),
                       options.all || same == 0 ? "" : ": --all");
  return out;
}

std::string diff_json(const snapshot& before, const snapshot& after) {
  using nlohmann::ordered_json;
  const difference d = compare(before, after);
  const auto numbers = [](const site* s) -> ordered_json {
    if (s == nullptr) return nullptr;
    return {{"site", site_name(*s)},    {"max", s->max},   {"p99", quantile(*s, 0.99)},
            {"p50", quantile(*s, 0.5)}, {"uses", s->uses}, {"limit", s->limit}};
  };
  ordered_json document = {{"format", "bast-stacks difference"}, {"version", 1}};
  document["incomparable"] = d.incomparable;
  document["sites"] = ordered_json::array();
  for (const site_change& c : d.sites) {
    document["sites"].push_back({{"change", word(c.what)},
                                 {"before", numbers(site_at(before, c.before))},
                                 {"after", numbers(site_at(after, c.after))}});
  }
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace bast_stacks
