// SPDX-License-Identifier: Apache-2.0
#include "read/block_reader.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "model/clean_text.hpp"
#include "read/record_field.hpp"

namespace bast_stacks {
namespace {

using bast::watch::coro_layout;
using bast::watch::coro_state;

constexpr std::size_t name_bytes = 64;  // as in a memory_image
constexpr std::size_t names_max = 65'536;

std::uint64_t word(const std::byte* record, std::uint16_t offset) {
  return field<std::uint64_t>(record, offset);
}

using stack_index = std::unordered_map<std::uint64_t, std::size_t>;

void enter(const std::byte* record, std::uint64_t address, const coro_layout& at,
           const stack_index& index, std::span<live_stack> stacks) {
  const std::uint64_t tag = word(record, at.tag);
  const auto state = static_cast<coro_state>(tag & 0xff);
  if (state != coro_state::ready && state != coro_state::running && state != coro_state::suspended)
    return;
  const auto found = index.find(word(record, at.stack));
  if (found == index.end()) return;
  live_stack& stack = stacks[found->second];
  stack.coro = address;
  stack.state = state;
  stack.parked = (tag & bast::watch::coro_flag_parked) != 0;
  const std::uint64_t sp = word(record, at.sp);
  // Registers are valid while it is suspended. If it has continued since its tag was read, they
  // still belong to this stack.
  if (state != coro_state::suspended || sp < stack.low || sp > stack.top) return;
  stack.sp = sp;
  stack.pc = word(record, at.pc);
  stack.fp = word(record, at.fp);
}

}  // namespace

std::uint64_t read_blocks(memory& target, const registry& all, std::span<live_stack> stacks,
                          std::span<const slot_place> places) {
  const coro_layout& at = all.header.blocks;
  if (all.header.coros == 0 || stacks.empty()) return 0;
  stack_index index;
  index.reserve(places.size());
  for (std::size_t i = 0; i < places.size(); ++i) index.emplace(places[i].record, i);

  std::uint64_t unread = 0;
  std::uint64_t blocks = all.header.coros_bytes / at.record_bytes;
  if (blocks > blocks_max || !sum(all.header.coros, all.header.coros_bytes)) {
    unread += blocks;
    blocks = 0;
  }
  const std::uint64_t in_chunk = chunk_bytes / at.record_bytes;
  std::vector<std::byte> buffer(in_chunk * at.record_bytes);
  for (std::uint64_t first = 0; first < blocks && !target.broken(); first += in_chunk) {
    const std::uint64_t count = std::min(in_chunk, blocks - first);
    const std::uint64_t address = all.header.coros + first * at.record_bytes;
    const auto bytes = std::span(buffer).first(count * at.record_bytes);
    if (!target.read(address, bytes)) {
      unread += count;
      continue;
    }
    for (std::uint64_t i = 0; i < count; ++i) {
      if (at.head_every != 0 && (first + i) % at.head_every == 0) continue;
      const std::uint64_t offset = i * at.record_bytes;
      enter(bytes.data() + offset, address + offset, at, index, stacks);
    }
  }
  return unread;
}

void read_names(memory& target, std::span<live_stack> stacks, std::span<const slot_place> places) {
  std::unordered_map<std::uint64_t, std::string> names;
  for (const slot_place& place : places) {
    if (place.name != 0 && names.size() < names_max) names.emplace(place.name, std::string());
  }
  // A name may end right before an absent page, so no piece crosses a page boundary.
  std::vector<char> text(names.size() * name_bytes);
  std::vector<piece> pieces;
  std::size_t used = 0;
  for (const auto& [address, name] : names) {
    const auto into = std::as_writable_bytes(std::span(text).subspan(used, name_bytes));
    used += name_bytes;
    const std::size_t here =
        std::min<std::uint64_t>(name_bytes, smallest_page - address % smallest_page);
    pieces.push_back({.address = address, .into = into.first(here)});
    if (here < name_bytes && address <= UINT64_MAX - here)
      pieces.push_back({.address = address + here, .into = into.subspan(here)});
  }
  target.read(pieces);
  used = 0;
  for (auto& [address, name] : names) {
    name = clean_field(std::string_view(text.data() + used, name_bytes));
    used += name_bytes;
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto found = names.find(places[i].name);
    if (found != names.end()) stacks[i].name = found->second;
  }
}

}  // namespace bast_stacks
