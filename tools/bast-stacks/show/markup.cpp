// SPDX-License-Identifier: Apache-2.0
#include "show/markup.hpp"

#include "model/clean_text.hpp"
#include "model/mutant.hpp"

namespace bast_stacks {

std::string markup(std::string_view text) {
  std::string safe;
  for (const char each : clean_text(text)) {
    switch (each) {
      case '&': safe += "&amp;"; break;
      case '<': safe += BAST_STACKS_MUTANT(markup_not_escaped) ? "<" : "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      case '\'': safe += "&#39;"; break;
      default: safe += each;
    }
  }
  return safe;
}

}  // namespace bast_stacks
