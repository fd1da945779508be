// SPDX-License-Identifier: Apache-2.0
#include "read/memory.hpp"

#include <algorithm>

namespace bast_stacks {

void memory::read(std::span<piece> pieces) {
  for (piece& each : pieces) each.present = false;
  if (!broken_) read_pieces(pieces);
}

bool memory::read(std::uint64_t address, std::span<std::byte> into) {
  piece only{.address = address, .into = into};
  read(std::span(&only, 1));
  return only.present;
}

file_memory::file_memory(std::shared_ptr<const source> bytes, std::vector<file_part> parts)
    : bytes_(std::move(bytes)), parts_(std::move(parts)) {
  const auto by_address = [](const file_part& part) {
    return std::pair(part.address, part.offset);
  };
  std::ranges::sort(parts_, {}, by_address);
  std::uint64_t end = 0;
  for (file_part& part : parts_) {
    // From here on address + bytes and offset + bytes cannot wrap around.
    part.bytes = std::min({part.bytes, UINT64_MAX - part.address, UINT64_MAX - part.offset});
    const std::uint64_t part_end = part.address + part.bytes;
    if (part.address < end) {
      const std::uint64_t overlap = std::min(end - part.address, part.bytes);
      part.address += overlap;
      part.offset += overlap;
      part.bytes -= overlap;
    }
    end = std::max(end, part_end);
  }
  std::erase_if(parts_, [](const file_part& part) { return part.bytes == 0; });
  std::ranges::sort(parts_, {}, by_address);
}

std::vector<file_part>::const_iterator file_memory::part_above(std::uint64_t address) const {
  return std::ranges::partition_point(
      parts_, [&](const file_part& part) { return part.address + part.bytes <= address; });
}

bool file_memory::read_piece(std::uint64_t address, std::span<std::byte> into) const {
  for (auto part = part_above(address); !into.empty(); ++part) {
    if (part == parts_.end() || part->address > address) return false;
    const std::uint64_t skipped = address - part->address;
    const std::size_t count = std::min<std::uint64_t>(into.size(), part->bytes - skipped);
    if (!bytes_->read_all_at(part->offset + skipped, into.first(count))) return false;
    into = into.subspan(count);
    address += count;
  }
  return true;
}

void file_memory::read_pieces(std::span<piece> pieces) {
  for (piece& each : pieces) each.present = read_piece(each.address, each.into);
}

bool file_memory::residency(extent where, std::vector<resident_extent>& found) {
  std::vector<extent> data;
  for (auto part = part_above(where.low); part != parts_.end() && part->address < where.high;
       ++part) {
    const std::uint64_t low = std::max(where.low, part->address);
    const std::uint64_t high = std::min(where.high, part->address + part->bytes);
    data.clear();
    const std::uint64_t offset = part->offset + (low - part->address);
    bytes_->data({.low = offset, .high = offset + (high - low)}, data);
    for (const extent& each : data) {
      found.push_back(
          {.where = {.low = low + (each.low - offset), .high = low + (each.high - offset)}});
    }
  }
  return true;
}

}  // namespace bast_stacks
