// SPDX-License-Identifier: Apache-2.0
//
// Two memories of one target: reads that the front one cannot serve go to the back one. For a
// memory_image before its process, a core before the mapped files.
#pragma once

#include <memory>

#include "read/memory.hpp"

namespace bast_stacks {

class layered_memory final : public memory {
 public:
  enum class layer { front, back };

  /// `back` may be null. `resident` is the layer that knows which pages are present.
  layered_memory(std::unique_ptr<memory> front, std::unique_ptr<memory> back, layer resident);
  bool residency(extent where, std::vector<resident_extent>& found) override;

 private:
  void read_pieces(std::span<piece> pieces) override;

  std::unique_ptr<memory> front_;
  std::unique_ptr<memory> back_;
  memory* resident_;  // one of them, or null
};

}  // namespace bast_stacks
