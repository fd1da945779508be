// SPDX-License-Identifier: Apache-2.0
//
// Flame graphs in bytes: the calls on the deepest stack of each site.
//
// A flame graph of time has one tree for all samples. For depth that makes no sense: two sites
// never share a stack, and the sum of their bytes means nothing. So each site has its own graph, an
// icicle of its deepest stack, and all are drawn to one scale below each other:
//
//   0        2 KiB       4 KiB      6 KiB
//   [server.cpp:88                      ]     the site: as wide as its stack was deep
//   [##main_loop                        ]     a call begins where its caller's own bytes end, and
//      [#read_request                   ]     reaches to the deepest byte; solid: its own bytes
//       [#####################parse     ]
//            inflate, 1,216 bytes [#####]
//
// The x axis runs from the stack's top to its deepest byte: a bar's position is an address and its
// width is bytes. The coroutines of a site are merged by the deepest, not by the sum.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

struct flame_options {
  std::string title{};               // empty: the program's name
  std::vector<std::size_t> sites{};  // indices in snapshot::sites; empty: the deepest
  std::size_t sites_max = 12;        // further ones are only counted
  std::size_t fold_beyond = 12;      // see path.hpp; 0 draws every call
  /// Files in the order of their colours, so that several pictures agree; empty: by bytes in this
  /// picture.
  std::vector<std::string> modules{};
  /// A picture for a page that holds `flame_style` and `flame_definitions`: no title or legend.
  bool embedded = false;
};

/// A self-contained picture: no external font, script or style. It adapts to dark and light. With
/// scripts allowed (see flame_script) calls can be zoomed and searched. Deterministic: the same
/// snapshot gives the same bytes.
std::string flame_svg(const snapshot& of, const flame_options& options = {});

/// For flame_options::modules: the files of all drawable sites, by bytes.
std::vector<std::string> flame_modules(const snapshot& of);

/// The colours, as CSS: classes o0, o1 ... ox of the files and of calls without a file; and the
/// fill patterns of bars, as SVG without a size.
std::string flame_style();
std::string flame_definitions();

/// For a picture, or a page with pictures. A click on a call, or Enter, draws it as wide as the
/// picture; a click on the site, or Escape, draws the whole stack again. "/" asks for a search
/// text, marks the calls that contain it in their function, source or file, and shows their bytes.
/// Hovering over a call marks the same function everywhere. Changes attributes and text only: a
/// name from the target never becomes markup.
std::string_view flame_script();

/// One line per call, "site;outermost;...;call bytes", with the call's own bytes: the format of
/// flamegraph.pl, inferno and speedscope. Recursion is not folded.
std::string folded(const snapshot& of);

/// For https://www.speedscope.app: one profile per site, in bytes.
std::string speedscope(const snapshot& of);

}  // namespace bast_stacks
