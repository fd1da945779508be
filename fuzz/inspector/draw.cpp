// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string_view>

#include "draw/flame.hpp"
#include "draw/html.hpp"
#include "draw/top_view.hpp"
#include "inspector/require.hpp"
#include "model/clean_text.hpp"
#include "model/recording.hpp"
#include "model/utf8.hpp"
#include "show/columns.hpp"

namespace bast_stacks {

namespace {

/// Requires lines of valid text only.
void require_text(std::string_view document) {
  for (character each; (each = first_character(document)).bytes != 0;
       document.remove_prefix(each.bytes)) {
    require(each.code == '\n' || each.code >= 0x20);
    require(each.bytes != 1 || each.code < 0x80);
  }
}

/// Requires that no name became markup: the only script is ours.
void demand_markup(std::string_view document) {
  require_text(document);
  const std::size_t first = document.find("<script");
  require(first != document.npos && document.find("<script", first + 1) == document.npos);
}

}  // namespace

int fuzz_draw(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::expected<snapshot, problem> read = from_json(text, "input");
  if (!read) return 0;
  demand_markup(flame_svg(*read));
  demand_markup(html_page(*read));
  require_text(folded(*read));
  require(nlohmann::json::accept(speedscope(*read)));
  for (const draw::screen_size screen : {draw::screen_size{80, 24}, draw::screen_size{9, 4}}) {
    draw::top_state state;
    for (const draw::top_page page : {draw::top_page::table, draw::top_page::details}) {
      state.page = page;
      const std::vector<draw::screen_line> lines = draw::top_screen(*read, state, screen);
      require(lines.size() == screen.rows);
      for (const draw::screen_line& line : lines) {
        std::size_t columns = 0;
        for (const draw::styled_text& each : line) columns += columns_of(each.text);
        require(columns <= screen.columns);
        for (const draw::styled_text& each : line) require(clean_text(each.text) == each.text);
      }
    }
  }
  return 0;
}

}  // namespace bast_stacks
