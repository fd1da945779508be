// SPDX-License-Identifier: Apache-2.0
#include "show/caveats.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/clean_text.hpp"
#include "model/names.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"

namespace bast_stacks {
std::string build_reservation(const snapshot& of) {
  constexpr std::uint64_t harmless = bast::watch::built_assertions | bast::watch::built_hardened;
  const std::vector<std::string> names = built_names(of.built & ~harmless);
  if (names.empty()) return {};
  return fmt::format("The program is not a release build ({}): its stacks are deeper.",
                     fmt::join(names, ", "));
}

std::vector<std::string> reservations(const snapshot& of) {
  std::vector<std::string> result;
  if (std::string build = build_reservation(of); !build.empty()) result.push_back(std::move(build));
  for (const std::string& sentence : of.not_seen) result.push_back(clean_text(sentence));

  const auto few = static_cast<std::uint64_t>(std::ranges::count_if(
      of.sites, [](const site& s) { return s.uses < few_uses && (s.uses != 0 || s.live != 0); }));
  if (few != 0)
    result.push_back(fmt::format("{} had fewer than {} uses: their quantiles say little.",
                                 counted(few, "site"), few_uses));

  const auto blind = static_cast<std::uint64_t>(
      std::ranges::count_if(of.stacks, [](const live_stack& s) { return !s.scanned; }));
  if (blind != 0)
    result.push_back(fmt::format("The depth of {} is not known.", counted(blind, "live stack")));
  const auto shared = static_cast<std::uint64_t>(std::ranges::count_if(
      of.stacks, [](const live_stack& s) { return s.scanned && s.shared_with_earlier; }));
  if (shared != 0)
    result.push_back(fmt::format("{} may show the depth of earlier uses, which were not scrubbed.",
                                 counted(shared, "live stack")));
  return result;
}

}  // namespace bast_stacks
