// SPDX-License-Identifier: Apache-2.0
//
// Recommendations as JSON. Sizes are in bytes.
#include <nlohmann/json.hpp>

#include "show/names.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {
namespace {

using nlohmann::ordered_json;

const char* word(verdict v) {
  switch (v) {
    case verdict::unused: return "unused";
    case verdict::keep: return "keep";
    case verdict::fits: return "fits";
    case verdict::lower: return "lower";
    case verdict::raise: return "raise";
    case verdict::overflowed: return "overflowed";
  }
  return "?";
}

ordered_json bound_json(const site_bound& bound) {
  return {{"root", bound.root},
          {"bound", bound.bytes},
          {"sound", bound.sound()},
          {"reasons", bound.reasons}};
}

}  // namespace

std::string recommend_json(const snapshot& of, const recommend_options& options) {
  const advice all = recommend(of, options);
  ordered_json document = {{"format", "bast-stacks recommendation"},
                           {"version", 1},
                           {"confidence", options.confidence},
                           {"quantile", options.quantile.value_or(least_quantile)},
                           {"refused", all.refused},
                           {"sites", ordered_json::array()},
                           {"pools", ordered_json::array()}};
  document["reserves"] = {{"signal_frame", options.reserves.signal_frame},
                          {"unwinding", options.reserves.unwinding},
                          {"lazy_binding", options.reserves.lazy_binding},
                          {"colouring", options.reserves.colouring}};
  if (!options.code.file.empty())
    document["static"] = {{"file", options.code.file}, {"notes", options.code.notes}};
  for (std::size_t i = 0; i < all.sites.size(); ++i) {
    const site_advice& a = all.sites[i];
    ordered_json site = {{"site", site_name(of.sites[i])},
                         {"verdict", word(a.what)},
                         {"uses", of.sites[i].uses},
                         {"need", a.need},
                         {"old_limit", of.sites[i].limit},
                         {"limit", a.limit},
                         {"window", a.window},
                         {"covered_quantile", a.covered},
                         {"runs_missing", a.runs_missing},
                         {"missing_ns", a.missing_ns},
                         {"live_counted", a.running},
                         {"deepest_came_late", a.late},
                         {"code", code_of(a.limit, a.window)}};
    site["recursion"] = {{"function", a.recursion.function},
                         {"times", a.recursion.times},
                         {"rounds_kept", a.recursion.rounds},
                         {"reserve", a.recursion.bytes}};
    if (i < options.code.sites.size()) site["static"] = bound_json(options.code.sites[i]);
    document["sites"].push_back(std::move(site));
  }
  for (const pool_advice& a : all.pools) {
    ordered_json pool = {{"where", a.where},         {"pools", a.pools.size()},
                         {"stacks", a.stacks},       {"verdict", word(a.what)},
                         {"old_limit", a.old_limit}, {"limit", a.limit},
                         {"window", a.window},       {"saved_address_space", a.saved}};
    pool["decided_by"] = a.decides.has_value() ? site_name(of.sites[*a.decides]) : "";
    pool["code"] = code_of(a.limit, a.window);
    if (!a.blocking.empty()) {
      ordered_json names = ordered_json::array();
      for (const std::size_t i : a.blocking) names.push_back(site_name(of.sites[i]));
      pool["blocked_by"] = std::move(names);
      pool["code_without"] = code_of(a.rest_limit, a.rest_window);
    }
    document["pools"].push_back(std::move(pool));
  }
  return document.dump(2, ' ', false, ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace bast_stacks
