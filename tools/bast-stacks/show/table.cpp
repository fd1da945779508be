// SPDX-License-Identifier: Apache-2.0
#include "show/table.hpp"

#include <algorithm>

#include "show/columns.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t gap = 2;           // spaces between two columns
constexpr std::size_t width_least = 14;  // of the column that is cut

}  // namespace

void table::add(std::vector<std::string> cells, std::string mark) {
  cells.resize(columns_.size());
  rows_.push_back({std::move(cells), std::move(mark)});
}

std::vector<std::size_t> table::widths(std::size_t mark_width) const {
  std::vector<std::size_t> result;
  std::size_t total = mark_width;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = columns_of(columns_[i].head);
    for (const row& r : rows_) width = std::max(width, columns_of(r.cells[i]));
    result.push_back(width);
    total += width + (i == 0 ? 0 : gap);
  }
  for (std::size_t i = 0; i < columns_.size() && total > line_width; ++i) {
    if (!columns_[i].gives_way || result[i] <= width_least) continue;
    result[i] -= std::min(total - line_width, result[i] - width_least);
    break;
  }
  return result;
}

std::string table::text(bool colour) const {
  std::size_t mark_width = 0;
  for (const row& r : rows_) {
    if (!r.mark.empty()) mark_width = std::max(mark_width, columns_of(r.mark) + 1);
  }
  const std::vector<std::size_t> width = widths(mark_width);
  std::string out;
  const auto line = [&](const std::string& mark, auto cut, const auto& cell_of) {
    std::string text = mark + std::string(mark_width - columns_of(mark), ' ');
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string cell = cut(cell_of(i), width[i], dots);
      const std::string space(width[i] - columns_of(cell), ' ');
      if (i != 0) text.append(gap, ' ');
      text += columns_[i].to == align::left ? cell + space : space + cell;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text = cut_end(text, line_width);
    out += colour && !mark.empty() ? "\x1b[1;31m" + text + "\x1b[0m\n" : text + '\n';
  };
  line("", cut_end, [&](std::size_t i) { return columns_[i].head; });
  for (const row& r : rows_) line(r.mark, cut_start, [&](std::size_t i) { return r.cells[i]; });
  return out;
}

}  // namespace bast_stacks
