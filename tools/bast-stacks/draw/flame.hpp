// SPDX-License-Identifier: Apache-2.0
//
// Flame graphs in bytes: which calls took the deepest stack of each site.
//
// A picture of time has one tree for all samples. A picture of depth must not: two sites never
// share a stack, and adding their bytes up would say nothing. So each site is a picture of its own,
// an icicle of its one deepest stack, and all are drawn to one scale below each other:
//
//   0        2 KiB       4 KiB      6 KiB
//   [server.cpp:88                      ]     the site: as wide as its stack was deep
//   [##main_loop                        ]     a call begins where its caller's own bytes end, and
//      [#read_request                   ]     reaches to the deepest byte; solid: its own bytes
//       [#####################parse     ]
//            inflate, 1,216 bytes [#####]
//
// From left to right is from the stack's top to its deepest byte, so a bar's place is an address
// and its width is bytes, and many coroutines of a site are merged by the deepest, not by the sum.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

struct flame_options {
  std::string title{};               // empty: made of the program's name
  std::vector<std::size_t> sites{};  // indices in snapshot::sites; empty: the deepest
  std::size_t sites_max = 12;        // further ones are counted in words
  std::size_t fold_beyond = 12;      // see path.hpp; 0 draws every call
  /// Files in the order of the colours they get, so that several pictures agree; empty: by bytes in
  /// this one.
  std::vector<std::string> modules{};
  /// One picture of a page that holds `flame_style` and `flame_definitions`: no title or legend.
  bool embedded = false;
};

/// A picture that needs nothing else: no font, script or style from elsewhere. It adapts to dark
/// and light. With scripts allowed (see flame_script) calls can be looked at closer, and found. The
/// same snapshot gives the same bytes.
std::string flame_svg(const snapshot& of, const flame_options& options = {});

/// For flame_options::modules: the files of all sites that could be drawn, by bytes.
std::vector<std::string> flame_modules(const snapshot& of);

/// The colours, as CSS: classes o0, o1 ... ox of the files and of what has none; and what bars are
/// filled with, as SVG without a size.
std::string flame_style();
std::string flame_definitions();

/// For a picture, or a page with pictures. A click on a call, or Enter, draws it as wide as the
/// picture; a click on the site, or Escape, draws the whole stack again. "/" asks for words, marks
/// the calls that have them in their function, source or file, and says how many bytes these took.
/// While the pointer is on a call the same function is marked everywhere. Changes attributes and
/// text only: nothing that a target named becomes markup.
std::string_view flame_script();

/// A line for each call, "site;outermost;...;call bytes", with the call's own bytes: what
/// flamegraph.pl, inferno and speedscope read. Recursion is not folded.
std::string folded(const snapshot& of);

/// For https://www.speedscope.app: a profile for each site, in bytes.
std::string speedscope(const snapshot& of);

}  // namespace bast_stacks
