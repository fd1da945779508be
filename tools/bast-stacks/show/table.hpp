// SPDX-License-Identifier: Apache-2.0
//
// A table of text: columns as wide as their content, numbers to the right, names to the left. If a
// line would be longer than `line_width`, the column that gives way is cut at its beginning.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace bast_stacks {

class table {
 public:
  enum class align { left, right };
  struct column {
    std::string head;
    align to = align::right;
    bool gives_way = false;  // one column may
  };

  explicit table(std::vector<column> columns) : columns_(std::move(columns)) {}

  /// One cell per column. `mark` precedes the line: "!!" or nothing.
  void add(std::vector<std::string> cells, std::string mark = {});
  bool empty() const noexcept { return rows_.empty(); }
  /// The head and the rows, one line each; with `colour` marked rows are bold and red.
  std::string text(bool colour = false) const;

 private:
  struct row {
    std::vector<std::string> cells;
    std::string mark;
  };
  std::vector<std::size_t> widths(std::size_t mark_width) const;

  std::vector<column> columns_;
  std::vector<row> rows_;
};

}  // namespace bast_stacks
