// SPDX-License-Identifier: Apache-2.0
#include "read/memory_image.hpp"

#include <fmt/format.h>

namespace bast_stacks {
namespace {

constexpr std::uint32_t parts_max = 4 << 20;

std::unexpected<problem> damaged(std::string what) {
  return std::unexpected(
      problem{.what = fmt::format("what the process sent is damaged: {}", what), .remedy = {}});
}

}  // namespace

std::expected<memory_image, problem> open_memory_image(std::shared_ptr<const source> bytes) {
  memory_image_header header{};
  if (!bytes->read_record(0, header) || header.magic != memory_image_magic)
    return damaged("it does not begin with BASTCAPS");
  if (header.version != memory_image_version) {
    return damaged(fmt::format("it has version {}; this program reads version {}", header.version,
                               memory_image_version));
  }
  if (header.count > parts_max) return damaged(fmt::format("it has {} parts", header.count));
  std::vector<file_part> parts;
  std::uint64_t at = sizeof header;
  for (std::uint32_t i = 0; i < header.count; ++i) {
    memory_image_part part{};
    if (!bytes->read_record(at, part)) return damaged(fmt::format("part {} is not there", i));
    at += sizeof part;
    if (part.bytes > bytes->size() - at)
      return damaged(fmt::format("part {} reaches beyond the end", i));
    parts.push_back({.address = part.address, .bytes = part.bytes, .offset = at});
    at += (part.bytes + 7) / 8 * 8;
    if (at > bytes->size()) at = bytes->size();  // The last part's padding may be missing.
  }
  return memory_image{.anchor = header.anchor,
                      .memory = std::make_unique<file_memory>(std::move(bytes), std::move(parts))};
}

}  // namespace bast_stacks
