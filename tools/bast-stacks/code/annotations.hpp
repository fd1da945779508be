// SPDX-License-Identifier: Apache-2.0
//
// What a person knows and no analysis finds. One line each; `#` behind a blank, or first in a line,
// begins a comment:
//
//   edge a -> b             the indirect calls of a go to b (and to what other lines say)
//   recursion f <= 12       f is entered at most 12 times on one stack
//   alloca h <= 4096        h takes at most 4096 bytes beside its fixed frame
//   ignore f                f is never called on such a stack
//   external f <= 512       f and all that it calls take at most 512 bytes
//
// A function is named as the linker does, as the source does, or as that without its parameters;
// one that has no name by the address in its file where it begins ("0x12a40"). "f@libc.so.6" is
// only the f of that file. So what `static` prints can be pasted.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

enum class annotation_kind : std::uint8_t { edge, recursion, dynamic, ignore, external };

struct annotation {
  annotation_kind kind{};
  std::string function;
  std::string module{};     // file name; empty: of any file
  std::string target{};     // of an edge
  std::uint64_t limit = 0;  // times, or bytes
  std::string where{};      // "file:line"
  bool shipped = false;     // with bast-stacks, for every program: it need not be met
};

/// Errors name file and line. `name` is what to call the file.
std::expected<std::vector<annotation>, problem> parse_annotations(std::string_view text,
                                                                  std::string_view name);
std::expected<std::vector<annotation>, problem> read_annotations(const std::string& path);

}  // namespace bast_stacks
