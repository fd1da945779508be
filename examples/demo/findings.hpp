// SPDX-License-Identifier: Apache-2.0
//
// What a part of the tree holds: a fiber returns the findings of its part, and the fiber that joins
// it adds them to its own. So the fibers share nothing that is written.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "pattern.hpp"

namespace demo {

/// Of one pattern.
struct pattern_findings {
  std::size_t finds = 0;
  std::size_t files = 0;              // with finds
  std::size_t longest = 0;            // bytes of the longest find
  std::string longest_at;             // file:line of it
  std::string first_at;               // file:line of the first find
  std::vector<std::string> too_deep;  // file:line of each text that was given up
  std::vector<std::string> too_long;
  std::unordered_map<std::string, std::size_t> words;

  void add(const pattern& p, const match& m, const std::string& place);
  void add(pattern_findings&& other);
};

struct findings {
  std::size_t directories = 0;
  std::size_t files = 0;
  std::size_t bytes_read = 0;
  std::size_t links = 0;
  std::size_t others = 0;  // devices, sockets, pipes
  std::size_t binaries = 0;
  std::vector<std::string> problems;  // "path: why"
  std::vector<pattern_findings> of;   // by pattern; empty: none of any

  void add(findings&& other);
};

}  // namespace demo
