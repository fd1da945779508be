// SPDX-License-Identifier: Apache-2.0
#include "read/mapped_files.hpp"

#include <algorithm>

#include "read/elf_image.hpp"

namespace bast_stacks {

mapped_files::mapped_files(const std::vector<mapping>& mappings,
                           const std::vector<module>& modules) {
  for (const module& each : modules) {
    if (each.build_id.empty()) continue;
    auto file = file_source::open(each.read_from());
    if (!file) continue;
    const auto image = read_elf_image({.mapped = nullptr, .file = file->get(), .base = each.low});
    if (!image || image->build_id != each.build_id) continue;
    for (const mapping& mapped : mappings) {
      if (mapped.where.low >= each.low && mapped.where.high <= each.high)
        parts_.push_back({.where = mapped.where, .offset = mapped.offset, .file = file->get()});
    }
    files_.push_back(std::move(*file));
  }
  std::ranges::sort(parts_, {}, [](const part& each) { return each.where.high; });
}

bool mapped_files::residency(extent, std::vector<resident_extent>&) { return true; }

void mapped_files::read_pieces(std::span<piece> pieces) {
  for (piece& each : pieces) {
    const auto found = std::ranges::upper_bound(parts_, each.address, {},
                                                [](const part& p) { return p.where.high; });
    if (found == parts_.end() || !found->where.holds(each.address)) continue;
    if (each.into.size() > found->where.high - each.address) continue;
    const auto offset = sum(found->offset, each.address - found->where.low);
    each.present = offset && found->file->read_all_at(*offset, each.into);
  }
}

}  // namespace bast_stacks
