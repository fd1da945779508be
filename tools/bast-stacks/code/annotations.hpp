// SPDX-License-Identifier: Apache-2.0
//
// Facts that a person knows and no analysis finds. One per line; `#` after a blank, or at the start
// of a line, begins a comment:
//
//   edge a -> b             the indirect calls of a go to b (and to those of other lines)
//   recursion f <= 12       f is entered at most 12 times on one stack
//   alloca h <= 4096        h takes at most 4096 bytes beside its fixed frame
//   ignore f                f is never called on such a stack
//   external f <= 512       f and all that it calls take at most 512 bytes
//
// A function is named by its linker name, by its source name, or by that without parameters; one
// without a name by its start address in the file ("0x12a40"). "f@libc.so.6" is the f of that file
// only. So the output of `static` can be pasted.
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
  std::string module{};     // file name; empty: any file
  std::string target{};     // of an edge
  std::uint64_t limit = 0;  // times, or bytes
  std::string where{};      // "file:line"
  bool shipped = false;     // with bast-stacks, for every program: it need not match
};

/// Errors name file and line. `name` names the file.
std::expected<std::vector<annotation>, problem> parse_annotations(std::string_view text,
                                                                  std::string_view name);
std::expected<std::vector<annotation>, problem> read_annotations(const std::string& path);

}  // namespace bast_stacks
