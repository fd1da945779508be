// SPDX-License-Identifier: Apache-2.0
//
// What a core leaves out because it is in files: code and constants, among them the names of
// coroutines. A file is believed when its build id is the one that the process had.
#pragma once

#include <memory>
#include <vector>

#include "read/memory.hpp"
#include "read/modules.hpp"

namespace bast_stacks {

class mapped_files final : public memory {
 public:
  mapped_files(const std::vector<mapping>& mappings, const std::vector<module>& modules);

  /// Nothing: nobody wrote what is only in a file.
  bool residency(extent where, std::vector<resident_extent>& found) override;

 private:
  struct part {
    extent where;
    std::uint64_t offset = 0;
    const source* file = nullptr;
  };
  void read_pieces(std::span<piece> pieces) override;

  std::vector<std::unique_ptr<file_source>> files_;
  std::vector<part> parts_;  // by address
};

}  // namespace bast_stacks
