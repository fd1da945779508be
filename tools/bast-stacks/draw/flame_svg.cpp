// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "draw/flame.hpp"
#include "draw/flame_layout.hpp"
#include "model/clean_text.hpp"
#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/columns.hpp"
#include "show/markup.hpp"
#include "show/names.hpp"
#include "show/report.hpp"

namespace bast_stacks {

namespace {

using namespace draw;

constexpr double title_height = 84;
constexpr double legend_height = 24;
constexpr double flame_axis_height = 18;
constexpr double panel_gap = 30;
constexpr double bar_height = flame_row_height - 1;

/// Writes from the top down; `y_` is the position of the next item.
class picture {
 public:
  picture(const snapshot& of, const flame_options& options)
      : of_(of),
        options_(options),
        layout_(lay_out(of, options)),
        names_(short_site_names(of.sites)) {}

  std::string svg() {
    y_ = flame_margin;
    if (!options_.embedded) {
      heading();
      legend();
    }
    if (options_.embedded) y_ = 4;
    for (const flame_panel& each : layout_.panels) panel(each);
    remainder();
    if (options_.embedded) return frame(y_);
    return frame(y_ + flame_margin / 2);
  }

 private:
  template <class... Values>
  void put(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(body_), format, std::forward<Values>(values)...);
  }

  std::string title() const {
    if (!options_.title.empty()) return clean_text(options_.title);
    const std::string program = file_name(of_.program);
    return program.empty() ? "Deepest stacks" : "Deepest stacks of " + program;
  }

  std::string frame(double height) const {
    const std::string label = options_.embedded && !layout_.panels.empty()
                                  ? "Deepest stack of " + names_[layout_.panels.front().site]
                                  : title();
    std::string svg = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"bast-flame\" width=\"{0:.0f}\" "
        "height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" role=\"img\" aria-label=\"{2}\">\n",
        flame_width, height, markup(label));
    if (options_.embedded) return svg + body_ + "</svg>\n";
    svg += "<style>" + flame_style() + "</style>\n" + flame_definitions();
    svg += fmt::format("<rect class=\"ground\" width=\"{:.0f}\" height=\"{:.0f}\"/>\n", flame_width,
                       height);
    svg += body_;
    svg.append("<script><![CDATA[").append(flame_script()).append("]]></script>\n</svg>\n");
    return svg;
  }

  void heading() {
    put("<text class=\"words title\" x=\"{}\" y=\"{}\">{}</text>\n", flame_margin, y_ + 16,
        markup(cut_end(title(), 50, ellipsis)));
    put("<text class=\"words soft end\" x=\"{}\" y=\"{}\">{}</text>\n", flame_width - flame_margin,
        y_ + 16, markup(cut_end(title_of(of_), 80, ellipsis)));
    put("<text class=\"words soft\" x=\"{}\" y=\"{}\">From left to right: bytes of stack, from its "
        "top to the deepest byte that was used. Each bar is a call.</text>\n",
        flame_margin, y_ + 42);
    put("<text class=\"words soft\" x=\"{}\" y=\"{}\">Strong: the bytes it took itself, return "
        "address included. Pale: what the calls below it took. Sites have one scale where "
        "nothing else is said.</text>\n",
        flame_margin, y_ + 60);
    y_ += title_height;
  }

  void legend() {
    double x = flame_margin;
    const auto entry = [&](std::string_view shape, std::string_view words) {
      const std::string shown = cut_end(words, 40, ellipsis);
      const double width = 26 + static_cast<double>(columns_of(shown)) * flame_column_width + 18;
      if (x + width > flame_width - flame_margin) {
        x = flame_margin;
        y_ += legend_height;
      }
      if (!shape.empty())
        put("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"18\" height=\"12\"/>", shape, x,
            y_ - 6);
      put("<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", shape.empty() ? x : x + 24, y_ + 4,
          markup(shown));
      x += width;
    };
    for (std::size_t i = 0; i < layout_.modules.size(); ++i)
      entry(fmt::format("o{}", i), layout_.modules[i]);
    if (layout_.more_modules) entry("ox", "other files");
    if (has([](const path_step& each) { return each.module.empty() && is_call(each); }))
      entry("ox", "no file is known");
    if (has([](const path_step& each) { return is_call(each) && !each.confirmed; }))
      entry("ox unsure", "not confirmed by the unwind tables");
    if (has([](const path_step& each) { return !is_call(each); }) || has_unseen_depth())
      entry("gap", "calls are not known");
    if (has([](const path_step& each) { return is_call(each) && each.calls > 1; }))
      entry("", "f x37: 37 calls in a row, drawn as one");
    y_ += legend_height + 6;
  }

  static bool is_call(const path_step& step) { return step.kind == step_kind::call; }

  template <class Predicate>
  bool has(Predicate predicate) const {
    return std::ranges::any_of(layout_.panels, [&](const flame_panel& each) {
      return std::ranges::any_of(each.bars, predicate, &flame_bar::step);
    });
  }

  bool has_unseen_depth() const {
    return std::ranges::any_of(layout_.panels, [](const flame_panel& each) {
      return each.deepest_right > each.path_right + 0.5;
    });
  }

  std::string summary(const site& its) const {
    std::string text = fmt::format("deepest {}", size_text(its.max));
    if (const std::optional<double> left = margin(its))
      text += fmt::format(" of {}, margin {}", size_text(its.limit), percent_text(*left));
    return text + ", " + counted(its.uses, "use");
  }

  void panel(const flame_panel& each) {
    const site& its = of_.sites[each.site];
    std::string facts = summary(its);
    if (each.magnified != 1) facts += fmt::format("; drawn {} times larger", each.magnified);
    if (!options_.embedded) {
      put("<text class=\"name\" x=\"{}\" y=\"{:.1f}\">{}<title>{}</title></text>\n", flame_margin,
          y_ + 12, markup(cut_start(names_[each.site], 80, ellipsis)), markup(site_name(its)));
      put("<text class=\"words soft end\" x=\"{}\" y=\"{:.1f}\">{}</text>\n",
          flame_width - flame_margin, y_ + 12, facts);
      y_ += 22;
    }
    put("<g class=\"panel\">\n");
    axis(each);
    const double first = y_;
    root(each, its);
    for (const flame_bar& bar : each.bars) call(bar);
    if (each.limit_x != 0) {
      put("<path class=\"limit\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/>\n", flame_margin + each.limit_x,
          first - 4, y_);
    }
    put("</g>\n");
    y_ += options_.embedded ? 6 : panel_gap;
  }

  void axis(const flame_panel& each) {
    const double rows = static_cast<double>(each.bars.size() + 1) * flame_row_height;
    y_ += flame_axis_height;
    for (std::uint64_t tick = 0; tick <= each.scale_bytes; tick += each.tick_bytes) {
      const double x = flame_margin + each.x_of(tick);
      put("<path class=\"grid\" d=\"M{0:.1f} {1:.1f}V{2:.1f}\"/>", x, y_ - 3, y_ + rows);
      const std::string_view side = tick == 0 ? "" : x > flame_width - 60 ? " end" : " mid";
      const bool hidden = each.limit_x != 0 && std::abs(flame_margin + each.limit_x - x) < 90;
      if (hidden) continue;
      put("<text class=\"words soft small tick{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", side, x,
          y_ - 7, tick == 0 ? "0" : size_text(tick));
    }
    if (each.limit_x != 0) {
      put("<text class=\"words small limit end\" x=\"{:.1f}\" y=\"{:.1f}\">limit {}</text>\n",
          flame_margin + each.limit_x, y_ - 7, size_text(of_.sites[each.site].limit));
    }
  }

  void rectangle(std::string_view shape, double left, double right) {
    put("<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\"/>", shape,
        flame_margin + left, y_, std::max(0.0, right - left), bar_height);
  }

  /// `words` is the whole label, for when there is more room.
  void text(const flame_label& label, std::string_view words, bool on_stripes = false) {
    if (words.empty()) return;
    put("<text class=\"{}{}\" x=\"{:.1f}\" y=\"{:.1f}\"", on_stripes ? "halo " : "",
        label.ends_at_x ? "end" : "start", flame_margin + label.x, y_ + bar_height - 4.5);
    if (label.text != words) put(" data-l=\"{}\"", markup(words));
    put(">{}</text>", markup(label.text));
  }

  /// The site itself: as wide as its deepest use; the part beyond the backtrace is hatched.
  void root(const flame_panel& each, const site& its) {
    put("<g class=\"site\"><title>{}\n{}", markup(site_name(its)),
        exact_bytes_text(std::max(its.max, each.path_bytes)));
    if (each.deepest_right > each.path_right) {
      put("\nIts calls are known to {}; then it went deeper without growing.",
          exact_bytes_text(each.path_bytes));
    }
    put("</title>");
    rectangle("ox own", 0, each.path_right);
    if (each.deepest_right > each.path_right) rectangle("gap", each.path_right, each.deepest_right);
    const std::string words = options_.embedded ? names_[each.site] + ", " + summary(its)
                                                : names_[each.site] + ", " +
                                                      size_text(std::max(its.max, each.path_bytes));
    const label_room room{0, each.path_right, each.deepest_right, flame_plot_width};
    text(each.labels_behind ? label_behind(words, room) : place_label(words, room), words);
    put("</g>\n");
    y_ += flame_row_height;
  }

  void call(const flame_bar& bar) {
    const path_step& step = bar.step;
    const std::string name = markup(step.function);
    if (is_call(step))
      put("<g class=\"call\" data-f=\"{}\" data-b=\"{}\">", markup(identity_of(step)), step.bytes);
    else
      put("<g>");
    put("<title>{}{}</title>", name, details(step));
    const std::string hue = colour_among(layout_.modules, step.module);
    if (bar.right > bar.own_right) rectangle("d" + hue, bar.own_right, bar.right);
    if (!is_call(step))
      rectangle("gap", bar.left, bar.own_right);
    else
      rectangle((step.confirmed ? "own o" : "own unsure o") + hue, bar.left, bar.own_right);
    text(bar.label, bar.words, !is_call(step));
    put("</g>\n");
    y_ += flame_row_height;
  }

  static std::string details(const path_step& step) {
    std::string text;
    if (step.calls > 1 && is_call(step)) {
      const std::string most = count_text(step.most) + " bytes each";
      text += "\n" + count_text(step.calls) + " calls, ";
      text += step.least == step.most ? most : count_text(step.least) + " to " + most;
    }
    text += fmt::format("\nown: {}", exact_bytes_text(step.bytes));
    text += fmt::format("\nfrom the top to its end: {}", exact_bytes_text(step.begin + step.bytes));
    if (!step.file.empty()) text += "\n" + markup(source_of(step));
    if (!step.module.empty()) text += "\n" + markup(step.module);
    if (is_call(step) && !step.confirmed) text += "\nnot confirmed by the unwind tables";
    return text;
  }

  /// What the picture leaves out.
  void remainder() {
    const auto line = [&](const std::string& words) {
      y_ += 8;
      put("<text class=\"words soft\" x=\"{}\" y=\"{:.1f}\">{}</text>\n", flame_margin, y_, words);
      y_ += 14;
    };
    if (layout_.beyond_max != 0) {
      line(fmt::format("Not drawn: {} more sites, none deeper than {}.",
                       count_text(layout_.beyond_max), size_text(layout_.beyond_max_bytes)));
    }
    if (layout_.without_path != 0 && !options_.embedded) {
      line(
          fmt::format("Not drawn: {} whose stacks never grew, so that no calls were recorded "
                      "(bast-stacks run --deepest records them).",
                      counted(layout_.without_path, "site")));
    }
    if (layout_.panels.empty()) line("There is no deepest stack to draw.");
  }

  const snapshot& of_;
  const flame_options& options_;
  flame_layout layout_;
  std::vector<std::string> names_;
  std::string body_;
  double y_ = 0;
};

}  // namespace

std::string flame_svg(const snapshot& of, const flame_options& options) {
  return picture(of, options).svg();
}

}  // namespace bast_stacks
