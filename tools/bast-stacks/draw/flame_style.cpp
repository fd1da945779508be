// SPDX-License-Identifier: Apache-2.0
//
// The colours of flame graphs. A module has a hue: strong for a call's own bytes, pale for those of
// its callees. Both contrast with the text colour by WCAG AA, 4.5:1.
//
// Each rule contains its colours, because programs other than browsers (librsvg, Inkscape) do not
// support CSS variables and would paint everything black.
#include <fmt/format.h>

#include <array>
#include <string_view>

#include "draw/flame.hpp"
#include "draw/flame_layout.hpp"

namespace bast_stacks {

namespace {

using namespace draw;

struct hue {
  std::string_view strong;
  std::string_view pale;
};

struct colours {
  std::string_view ink;
  std::string_view soft;
  std::string_view line;
  std::string_view ground;
  std::string_view limit;
  std::array<hue, flame_colours> modules;
  hue other;
};

constexpr colours light{
    "#1b1f24",
    "#57606a",
    "#d5d9de",
    "#ffffff",
    "#c4242b",
    {hue{"#f3a458", "#fdecd9"}, hue{"#82b4ea", "#e3effb"}, hue{"#86cc92", "#e2f4e5"},
     hue{"#c6a4e4", "#f1e8fa"}, hue{"#e2ca55", "#f8f2cf"}, hue{"#f0a0b8", "#fce8ee"}},
    {"#b9c0c8", "#eceff2"}};
constexpr colours dark{
    "#eceff3",
    "#a3adb8",
    "#3a424c",
    "#14181d",
    "#ff7b72",
    {hue{"#9a5414", "#3a2715"}, hue{"#23629f", "#172c42"}, hue{"#2c7440", "#17311e"},
     hue{"#754aa6", "#2e2340"}, hue{"#776410", "#322c11"}, hue{"#9c3c62", "#3c1d2a"}},
    {"#515a65", "#262c33"}};

std::string rules(const colours& of) {
  std::string css = fmt::format(
      ".bast-flame text{{fill:{0}}}.bast-flame text.soft{{fill:{1}}}\n"
      ".bast-flame text.halo{{stroke:{3}}}.bast-flame .stripe{{stroke:{1}}}.bast-flame "
      ".gap{{stroke:{1}}}\n"
      ".bast-flame .unsure{{stroke:{1}}}.bast-flame .grid{{stroke:{2}}}\n"
      ".bast-flame .ground{{fill:{3}}}.bast-flame path.limit{{stroke:{4}}}\n"
      ".bast-flame text.limit{{fill:{4}}}.bast-flame .ox{{fill:{5}}}.bast-flame .dx{{fill:{6}}}\n"
      ".bast-flame g.call:hover .own,.bast-flame g.same .own{{stroke:{0};stroke-width:1.5}}\n"
      ".bast-flame g:focus-visible rect{{stroke:{0};stroke-width:2}}\n",
      of.ink, of.soft, of.line, of.ground, of.limit, of.other.strong, of.other.pale);
  for (std::size_t i = 0; i < of.modules.size(); ++i) {
    css += fmt::format(".bast-flame .o{0}{{fill:{1}}}.bast-flame .d{0}{{fill:{2}}}\n", i,
                       of.modules[i].strong, of.modules[i].pale);
  }
  return css;
}

constexpr std::string_view shapes = R"css(
.bast-flame text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",
 "Liberation Mono",monospace}
.bast-flame text.words{font-family:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",
 sans-serif}
.bast-flame .halo{stroke-width:4;stroke-linejoin:round;paint-order:stroke}
.bast-flame .end{text-anchor:end}.bast-flame .mid{text-anchor:middle}
.bast-flame text.title{font-size:19px;font-weight:600}
.bast-flame text.name{font-size:14px;font-weight:600}.bast-flame text.small{font-size:11px}
.bast-flame .grid{stroke-width:1}.bast-flame path.limit{stroke-width:1.5;fill:none}
.bast-flame .unsure{fill-opacity:.55;stroke-dasharray:3 2;stroke-width:1}
.bast-flame .gap{fill:url(#bast-gap);stroke-width:.5}
.bast-flame .stripe{stroke-width:1.2;stroke-opacity:.7}
.bast-flame g:focus{outline:none}.bast-flame g[tabindex],.bast-flame text.find{cursor:pointer}
.bast-flame .zoomed .grid,.bast-flame .zoomed .limit,.bast-flame .zoomed .tick{display:none}
.bast-flame.finds g.call:not(.found){opacity:.3}
)css";

}  // namespace

std::string flame_style() {
  return std::string(shapes) + rules(light) + "@media (prefers-color-scheme:dark){\n" +
         rules(dark) + "}\n";
}

std::string flame_definitions() {
  return "<defs><pattern id=\"bast-gap\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" "
         "patternTransform=\"rotate(45)\"><path class=\"stripe\" d=\"M0 0V6\"/></pattern></defs>\n";
}

}  // namespace bast_stacks
