// SPDX-License-Identifier: Apache-2.0
//
// A page for a browser: everything known about a process's stacks, to read, keep and send.
//
// One file that needs no other and no network (its content security policy forbids both). It can be
// read without scripts, and printed; scripts make the table sortable. Names from the target are
// text, never markup.
#pragma once

#include <cstddef>
#include <string>

#include "model/snapshot.hpp"
#include "show/recommend.hpp"

namespace bast_stacks {

struct html_options {
  recommend_options recommend{};
  std::string recommendation{};   // text; empty: from show/recommend.hpp
  std::size_t details_max = 100;  // sites with a picture: those with the smallest margins
};

/// Deterministic for a snapshot, on machines with equal signal frames.
std::string html_page(const snapshot& of, const html_options& options = {});

}  // namespace bast_stacks
