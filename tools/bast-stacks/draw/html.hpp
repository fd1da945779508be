// SPDX-License-Identifier: Apache-2.0
//
// A page for a browser: all that is known of a process's stacks, to be looked at, kept and sent.
//
// One file that needs no other and no network (its content security policy forbids both), reads
// without scripts, and prints. With scripts the table sorts. What the target named things is text
// in it and never markup.
#pragma once

#include <cstddef>
#include <string>

#include "model/snapshot.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {

struct html_options {
  recommend_options recommend{};
  std::string recommendation{};   // text; empty: that of show/recommend.hpp
  std::size_t details_max = 100;  // sites with a picture, those of the smallest margin
};

/// The same snapshot gives the same bytes, on machines whose signal frames are equal.
std::string html_page(const snapshot& of, const html_options& options = {});

}  // namespace bast_stacks
