// SPDX-License-Identifier: Apache-2.0
//
// Style and script of the page; neither contains data of a target.
#pragma once

#include <string_view>

namespace bast_stacks::draw {

extern const std::string_view page_style;
extern const std::string_view page_script;

}  // namespace bast_stacks::draw
