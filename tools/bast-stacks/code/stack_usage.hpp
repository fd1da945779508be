// SPDX-License-Identifier: Apache-2.0
//
// Compiler records of frames: `.su` files (-fstack-usage of gcc and clang) and `.ci` files
// (-fcallgraph-info=su of gcc). Optional; they help if a function takes a dynamic amount that its
// compiler could bound.
//
// gcc counts the return address that a call on x86-64 pushes, clang does not; here it is counted.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks {

enum class usage_kind : std::uint8_t {
  fixed,    // "static"
  bounded,  // "dynamic,bounded"
  dynamic,  // the number is only the fixed part
};

struct function_usage {
  std::string function;  // linker's name, or from gcc's .su "int f(int)"
  std::uint64_t bytes = 0;
  usage_kind kind = usage_kind::fixed;
  bool from_clang = false;
};

/// Malformed lines are counted in `refused`, not errors: other tools write such files too.
std::vector<function_usage> parse_su(std::string_view text, std::size_t& refused);
std::vector<function_usage> parse_ci(std::string_view text, std::size_t& refused);

class usage_table {
 public:
  /// Every .su and .ci file below a directory, up to 100,000. Errors: it cannot be read.
  std::expected<void, problem> add_directory(const std::string& path, std::uint16_t machine);
  void add(std::vector<function_usage> found, std::uint16_t machine);
  /// By the linker's name; the largest of several records. Null: not known.
  const function_usage* find(std::string_view linker_name) const;
  std::size_t refused() const { return refused_; }
  std::size_t size() const { return by_name_.size(); }

 private:
  std::unordered_map<std::string, function_usage> by_name_;
  std::size_t refused_ = 0;
};

}  // namespace bast_stacks
