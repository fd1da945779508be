// SPDX-License-Identifier: Apache-2.0
//
// The fibers of the search. Each spawns fibers for its parts, waits for their ends, and returns the
// sum:
//
//   walk directory -.-> walk directory (each below it)
//                   '-> read file (each in it) -> match <pattern> (each, on the text)
//
// No number of them is bounded, and needs to be: the workers go through the tree in depth, and what
// has not started has no stack. Each has its own stack, with the same limit; its memory depends on
// its depth.
#pragma once

#include <bast/sched.hpp>
#include <cstddef>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <utility>

#include "findings.hpp"
#include "memory.hpp"

namespace demo {

/// Larger files are named in the report, not searched.
inline constexpr bast::bytes file_size_max{16 << 20};

class search {
 public:
  search(std::span<const pattern> patterns, meters& measured)
      : patterns_(patterns), meters_(measured) {}

  /// In a fiber: of everything below `directory`. Errors: cancelled; those of spawn.
  bast::result<findings> walk(const std::string& directory);

 private:
  struct file_text {
    std::string path;
    std::string text;
  };
  using shared_text = std::shared_ptr<const file_text>;

  /// Errors also: io, in words in the findings.
  bast::result<findings> read(const std::string& path);
  bast::result<pattern_findings> match(const pattern& p, const file_text& file);

  template <class F>
  auto start(const char* name, F function,
             const std::source_location& where = std::source_location::current()) {
    meters_.fibers.add();
    auto counted = [this, name, where, function = std::move(function)] {
      const meters::running here(meters_, name, where);
      return function();
    };
    return bast::spawn(std::move(counted), {.name = name}, where);
  }

  std::span<const pattern> patterns_;
  meters& meters_;
};

}  // namespace demo
