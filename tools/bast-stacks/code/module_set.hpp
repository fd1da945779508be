// SPDX-License-Identifier: Apache-2.0
//
// `module_set`: the files behind the code of a snapshot, opened at the first query for an address
// in them, and only if they are the files that the process ran.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "code/code_file.hpp"

namespace bast_stacks {

class module_set {
 public:
  explicit module_set(const snapshot& all);

  struct spot {
    const module* in = nullptr;
    code_file* file = nullptr;  // null: it cannot be read, or was replaced
    std::uint64_t address = 0;  // in the file
  };
  spot at(std::uint64_t pc);
  /// Name, source and module of an address.
  void describe(std::uint64_t pc, frame& out);
  /// Adds a sentence for each module that could not be used, in order of their paths.
  void tell(std::vector<std::string>& not_seen) const;
  std::uint16_t machine() const { return machine_; }

 private:
  struct entry {
    const module* described = nullptr;
    bool tried = false;
    std::shared_ptr<code_file> file;
    std::string why_not;
  };
  void open(entry& of) const;

  std::vector<entry> entries_;  // by lowest address
  std::uint16_t machine_ = 0;
};

}  // namespace bast_stacks
