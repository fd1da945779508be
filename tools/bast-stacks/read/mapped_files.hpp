// SPDX-License-Identifier: Apache-2.0
//
// What a core leaves out because files contain it: code and constants, such as the names of
// coroutines. A file is used if its build id is that of the process.
#pragma once

#include <memory>
#include <vector>

#include "read/memory.hpp"
#include "read/modules.hpp"

namespace bast_stacks {

class mapped_files final : public memory {
 public:
  mapped_files(const std::vector<mapping>& mappings, const std::vector<module>& modules);

  /// Nothing: data that is only in a file was never written.
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
