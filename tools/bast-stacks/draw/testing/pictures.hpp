// SPDX-License-Identifier: Apache-2.0
//
// Shared by the tests of pictures.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>

namespace bast_stacks::sample {

/// With BAST_PICTURES=directory, writes the picture there for inspection.
inline void keep(const std::string& name, const std::string& content) {
  if (const char* directory = std::getenv("BAST_PICTURES"))
    std::ofstream(std::string(directory) + "/" + name) << content;
}

/// The number of occurrences of `part` in `text`.
inline std::size_t count(std::string_view text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size())
    ++found;
  return found;
}

}  // namespace bast_stacks::sample
