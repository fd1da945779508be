// SPDX-License-Identifier: Apache-2.0
#include "show/table.hpp"

#include <gtest/gtest.h>

#include "show/columns.hpp"

namespace bast_stacks {
namespace {

TEST(Table, AlignsAndCutsTheColumnThatGivesWay) {
  table t({{"name", table::align::left, true}, {"n"}, {"why", table::align::left}});
  t.add({"short", "1", "b"});
  t.add({std::string(90, 'x') + "end", "12345", std::string(40, 'y')}, "!!");
  const std::string text = t.text();
  EXPECT_NE(text.find("   name "), std::string::npos);
  EXPECT_NE(text.find("!! ...xxx"), std::string::npos);
  EXPECT_NE(text.find("xend  12345  yyy"), std::string::npos);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(end - at, line_width);
    at = end + 1;
  }
}

}  // namespace
}  // namespace bast_stacks
