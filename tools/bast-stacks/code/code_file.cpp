// SPDX-License-Identifier: Apache-2.0
#include "code/code_file.hpp"

#include "code/source_lines.hpp"
#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

// A symbol without unwind information may state any size; hand-written assembly is short.
constexpr std::uint64_t untabled_bytes_max = 64 << 10;

}  // namespace

std::expected<std::shared_ptr<code_file>, problem> code_file::open(const std::string& path) {
  auto elf = elf_file::open(path);
  if (!elf) return std::unexpected(std::move(elf.error()));
  return std::make_shared<code_file>(std::move(*elf));
}

code_file::code_file(std::shared_ptr<elf_file> elf)
    : elf_(std::move(elf)),
      debug_(elf_->section(".symtab") != nullptr && elf_->section(".debug_info") != nullptr
                 ? nullptr
                 : debug_file(*elf_)),
      frames_(*elf_),
      decoder_(elf_->machine()) {
  if (debug_ != nullptr) elf_->add_symbols(debug_);
}

code_file::~code_file() = default;

std::optional<function_extent> code_file::extent_at(std::uint64_t address) const {
  if (const auto* const range = frames_.range_at(address))
    return function_extent{.low = range->low, .high = range->high};
  const auto* const symbol = elf_->function_at(address);
  if (symbol == nullptr || symbol->bytes == 0 || symbol->bytes > untabled_bytes_max)
    return std::nullopt;
  return function_extent{.low = symbol->address, .high = symbol->address + symbol->bytes};
}

const std::vector<frame_row>& code_file::rows_of(const function_extent& extent) {
  const auto known = rows_.find(extent.low);
  if (known != rows_.end()) return known->second;
  const auto* const range = frames_.range_at(extent.low);
  return rows_
      .emplace(extent.low, range == nullptr ? std::vector<frame_row>{} : frames_.rows(*range))
      .first->second;
}

const function_shape& code_file::shape_of(const function_extent& extent) {
  const auto known = shapes_.find(extent.low);
  if (known != shapes_.end()) return known->second;
  return shapes_
      .emplace(extent.low, bast_stacks::shape_of(decoder_, *elf_, extent, rows_of(extent)))
      .first->second;
}

frame_row code_file::row_at(std::uint64_t address) {
  if (const auto extent = extent_at(address)) {
    for (const auto& row : rows_of(*extent)) {
      const bool behind = BAST_STACKS_MUTANT(row_behind_taken);
      if (behind ? row.low > address : address >= row.low && address < row.high) return row;
    }
  }
  return {};
}

std::optional<std::uint64_t> code_file::told_bytes(std::uint64_t address) {
  if (!told_) told_.emplace(*elf_);
  return told_->of(address);
}

std::string_view code_file::name_at(std::uint64_t address) const {
  const auto* const symbol = elf_->function_at(address);
  return symbol == nullptr ? std::string_view{} : symbol->name;
}

std::optional<source_place> code_file::place_of(std::uint64_t address) {
  if (lines_ == nullptr) {
    const bool apart = debug_ != nullptr && elf_->section(".debug_line") == nullptr;
    lines_ = std::make_unique<source_lines>(apart ? debug_ : elf_);
  }
  return lines_->at(address);
}

}  // namespace bast_stacks
