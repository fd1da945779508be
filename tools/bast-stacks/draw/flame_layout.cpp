// SPDX-License-Identifier: Apache-2.0
#include "draw/flame_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "model/mutant.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/columns.hpp"

namespace bast_stacks::draw {

namespace {

constexpr double label_padding = 5;

/// The limit is drawn if it is within this factor of the deepest stack.
constexpr double limit_reach = 1.25;

struct drawable {
  std::size_t site = 0;
  stack_path path;
};

/// The drawable sites, in drawing order.
std::vector<drawable> choose(const snapshot& of, const flame_options& options,
                             flame_layout& layout) {
  std::vector<std::size_t> sites = options.sites;
  if (sites.empty()) {
    for (std::size_t i = 0; i < of.sites.size(); ++i) sites.push_back(i);
    const auto depth = [&](std::size_t i) {
      return std::max(of.sites[i].deepest.depth, of.sites[i].max);
    };
    std::ranges::sort(sites, [&](std::size_t a, std::size_t b) {
      return std::pair(depth(b), a) < std::pair(depth(a), b);
    });
  }
  std::vector<drawable> chosen;
  for (const std::size_t index : sites) {
    if (index >= of.sites.size()) continue;
    const site& each = of.sites[index];
    if (each.deepest.depth == 0) {
      ++layout.without_path;
    } else if (chosen.size() >= options.sites_max) {
      ++layout.beyond_max;
      layout.beyond_max_bytes =
          std::max(layout.beyond_max_bytes, std::max(each.deepest.depth, each.max));
    } else {
      chosen.push_back({index, path_of(each, {.fold_beyond = options.fold_beyond})});
    }
  }
  return chosen;
}

std::uint64_t scale_of(const snapshot& of, const std::vector<drawable>& chosen) {
  std::uint64_t scale = 1;
  for (const drawable& each : chosen)
    scale = std::max({scale, each.path.bytes, std::min(of.sites[each.site].max, path_bytes_max)});
  const auto reach = static_cast<std::uint64_t>(static_cast<double>(scale) * limit_reach);
  std::uint64_t limits = 0;
  for (const drawable& each : chosen) {
    const std::uint64_t limit = of.sites[each.site].limit;
    if (limit <= reach) limits = std::max(limits, limit);
  }
  return std::max(scale, limits);
}

/// The files of the calls, by bytes.
std::vector<std::string> rank_modules(const std::vector<drawable>& chosen) {
  std::map<std::string, std::uint64_t> bytes;
  for (const drawable& each : chosen)
    for (const path_step& step : each.path.steps)
      if (!step.module.empty()) bytes[step.module] = add(bytes[step.module], step.bytes);
  std::vector<std::pair<std::string, std::uint64_t>> ranked(bytes.begin(), bytes.end());
  std::ranges::sort(ranked, [](const auto& a, const auto& b) {
    return std::tie(b.second, a.first) < std::tie(a.second, b.first);
  });
  std::vector<std::string> modules;
  for (auto& [module, total] : ranked) modules.push_back(module);
  return modules;
}

/// Sets the panel's scale: that of the picture, or a smaller one by a power of two.
void magnify(flame_panel& panel, std::uint64_t scale_bytes, std::uint64_t deepest) {
  panel.scale_bytes = scale_bytes;
  if (deepest < scale_bytes / flame_magnify_below) {
    while (deepest <= panel.scale_bytes / 2) {
      panel.scale_bytes /= 2;
      panel.magnified *= 2;
    }
  }
  panel.scale_bytes = std::max<std::uint64_t>(panel.scale_bytes, 1);
  panel.tick_bytes = tick_of(panel.scale_bytes);
}

std::string label_of(const path_step& step) {
  return fmt::format("{}, {}", short_name_of(step), size_text(step.bytes));
}

}  // namespace

double flame_panel::x_of(std::uint64_t bytes) const {
  if (scale_bytes == 0) return 0;
  const double part = static_cast<double>(bytes) / static_cast<double>(scale_bytes);
  return std::min(part, 1.0) * flame_plot_width;
}

std::uint64_t tick_of(std::uint64_t scale_bytes) {
  std::uint64_t tick = 8;
  while (scale_bytes / tick > 8) tick *= 2;
  return tick;
}

namespace {

std::size_t columns_in(double room) {
  return static_cast<std::size_t>(std::max(0.0, room - 2 * label_padding) / flame_column_width);
}

}  // namespace

flame_label place_label(std::string_view text, const label_room& room) {
  const double inside = room.right - room.left;
  const double before = room.left;
  const double behind = room.width - room.behind;
  const double largest = std::max({inside, before, behind});
  const std::size_t columns = columns_of(text);
  const bool fits = columns <= columns_in(largest);
  std::string shown = fits ? std::string(text) : cut_end(text, columns_in(largest), ellipsis);
  const auto chosen = [&](double candidate) {
    return fits ? columns <= columns_in(candidate) : candidate == largest;
  };
  if (chosen(inside)) return {std::move(shown), room.left + label_padding, false};
  if (chosen(before)) return {std::move(shown), room.left - label_padding, true};
  return {std::move(shown), room.behind + label_padding, false};
}

flame_label label_behind(std::string_view text, const label_room& room) {
  return {cut_end(text, columns_in(room.width - room.behind), ellipsis),
          room.behind + label_padding, false};
}

std::string colour_among(const std::vector<std::string>& modules, const std::string& module) {
  const auto found = std::ranges::find(modules, module);
  const auto index = static_cast<std::size_t>(found - modules.begin());
  return module.empty() || index >= std::min(modules.size(), flame_colours) ? "x"
                                                                            : std::to_string(index);
}

flame_layout lay_out(const snapshot& of, const flame_options& options) {
  flame_layout layout;
  std::vector<drawable> chosen = choose(of, options, layout);
  layout.scale_bytes = scale_of(of, chosen);
  layout.modules = options.modules.empty() ? rank_modules(chosen) : options.modules;
  layout.more_modules = layout.modules.size() > flame_colours;
  if (layout.more_modules) layout.modules.resize(flame_colours);
  for (drawable& each : chosen) {
    const site& its = of.sites[each.site];
    flame_panel panel;
    panel.site = each.site;
    panel.path_bytes = each.path.bytes;
    magnify(panel, layout.scale_bytes, std::max(each.path.bytes, its.max));
    panel.path_right = panel.x_of(each.path.bytes);
    panel.deepest_right = std::max(panel.path_right, panel.x_of(its.max));
    panel.labels_behind = panel.deepest_right < flame_plot_width / 2;
    if (its.limit != 0 && its.limit <= panel.scale_bytes) panel.limit_x = panel.x_of(its.limit);
    for (path_step& step : each.path.steps) {
      flame_bar bar;
      bar.left = panel.x_of(step.begin);
      // A call of a few bytes would be invisible, and so would the end of the stack.
      bar.own_right = std::max(panel.x_of(step.begin + step.bytes), bar.left + 1);
      if (BAST_STACKS_MUTANT(widths_by_count)) {
        const auto steps = static_cast<double>(each.path.steps.size());
        bar.own_right = bar.left + panel.path_right / steps;
      }
      bar.right = std::max(panel.path_right, bar.own_right);
      // Stripes behind text make both unreadable.
      const double text_left = step.kind == step_kind::call ? bar.left : bar.own_right;
      const label_room room{text_left, bar.right, panel.deepest_right, flame_plot_width};
      bar.words = label_of(step);
      bar.label =
          panel.labels_behind ? label_behind(bar.words, room) : place_label(bar.words, room);
      bar.step = std::move(step);
      panel.bars.push_back(std::move(bar));
    }
    layout.panels.push_back(std::move(panel));
  }
  return layout;
}

}  // namespace bast_stacks::draw

std::vector<std::string> bast_stacks::flame_modules(const snapshot& of) {
  draw::flame_layout ignored;
  return draw::rank_modules(draw::choose(of, {.sites_max = of.sites.size()}, ignored));
}
