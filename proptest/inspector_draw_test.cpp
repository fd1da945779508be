// SPDX-License-Identifier: Apache-2.0
//
// Pictures of stacks add up: in pixels, and in the formats of other viewers.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "draw/flame_layout.hpp"
#include "draw/path.hpp"
#include "inspector_samples.hpp"

namespace bast_stacks::test {
namespace {

/// As few steps as possible, or every call.
draw::path_options some_options() {
  return {.fold_beyond = *below(4), .steps_max = *rc::gen::element<std::size_t>(4, 256, 100'000)};
}

// Oracle: the frames' own bytes, added up by hand.
RC_GTEST_PROP(InspectorFlame, StepsAreTheBytesOfTheFrames, (const likely_snapshot& s)) {
  for (const site& each : s.it.sites) {
    const draw::stack_path path = path_of(each, some_options());
    std::uint64_t known = each.deepest.omitted_bytes;
    for (const frame& call : each.deepest.frames) known += call.stack_bytes;
    RC_ASSERT(path.bytes == (each.deepest.depth == 0 ? 0 : std::max(known, each.deepest.depth)));
    std::uint64_t end = 0;
    for (const draw::path_step& step : path.steps) {
      RC_ASSERT(step.begin == end);
      end += step.bytes;
    }
    RC_ASSERT(end == path.bytes);
  }
}

RC_GTEST_PROP(InspectorFlame, ABarIsWithinItsCallersAndAsWideAsItsBytes,
              (const likely_snapshot& s)) {
  const draw::flame_layout layout = draw::lay_out(s.it, {.fold_beyond = *below(20)});
  for (const draw::flame_panel& panel : layout.panels) {
    double left = 0;
    for (const draw::flame_bar& bar : panel.bars) {
      RC_ASSERT(bar.left >= left);
      // All end at the deepest byte, so a bar that begins further right is narrower. The minimum
      // width is a pixel.
      RC_ASSERT(bar.right <= std::max(panel.path_right, bar.left + 1));
      const double own = panel.x_of(bar.step.begin + bar.step.bytes) - bar.left;
      RC_ASSERT(std::abs(bar.own_right - bar.left - std::max(own, 1.0)) < 1e-6);
      left = bar.left;
    }
    RC_ASSERT(panel.path_right <= panel.deepest_right);
    RC_ASSERT(panel.deepest_right <= draw::flame_plot_width);
  }
}

/// A line of the folded format: the names of a stack, and a number.
struct folded_line {
  std::vector<std::string> names;
  std::uint64_t bytes = 0;
};

std::vector<folded_line> parse_folded(const std::string& text) {
  std::vector<folded_line> lines;
  std::istringstream rest(text);
  for (std::string line; std::getline(rest, line);) {
    const std::size_t space = line.rfind(' ');
    folded_line made{.names = {}, .bytes = std::stoull(line.substr(space + 1))};
    std::istringstream stack(line.substr(0, space));
    for (std::string name; std::getline(stack, name, ';');) made.names.push_back(name);
    lines.push_back(std::move(made));
  }
  return lines;
}

// Oracle: each other. Two writers, two formats, one stack: outermost call first, the same bytes.
RC_GTEST_PROP(InspectorFlame, FoldedAndSpeedscopeTellTheSame, (const likely_snapshot& s)) {
  const auto lines = parse_folded(folded(s.it));
  const auto document = nlohmann::json::parse(speedscope(s.it));
  const auto& frames = document["shared"]["frames"];
  auto line = lines.begin();
  for (const auto& profile : document["profiles"]) {
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < profile["samples"].size(); ++i, ++line) {
      RC_ASSERT(line != lines.end());
      const auto& stack = profile["samples"][i];
      RC_ASSERT(stack.size() == i + 1);
      RC_ASSERT(line->names.size() == stack.size() + 1);
      for (std::size_t j = 0; j < stack.size(); ++j) {
        std::string name = frames[stack[j].get<std::size_t>()]["name"];
        std::ranges::replace(name, ';', ':');
        // Functions of one name are distinguished.
        const std::string& told = line->names[j + 1];
        RC_ASSERT(told == name || told.starts_with(name + " ["));
      }
      RC_ASSERT(profile["weights"][i] == line->bytes);
      sum += line->bytes;
    }
    RC_ASSERT(profile["endValue"] == sum);
  }
  RC_ASSERT(line == lines.end());
  RC_CLASSIFY(lines.size() > 3, "has stacks");
}

}  // namespace
}  // namespace bast_stacks::test
