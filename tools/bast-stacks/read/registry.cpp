// SPDX-License-Identifier: Apache-2.0
#include "read/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace bast_stacks {
namespace {

using bast::watch::entry_state;
using bast::watch::header;
using bast::watch::table;

constexpr std::uint64_t registry_bytes_max = std::uint64_t{1} << 40;
constexpr std::uint32_t table_record_bytes_max = 64 << 10;

class header_check {
 public:
  header_check(const header& checked, std::uint64_t address)
      : checked_(checked), address_(address) {}

  std::expected<void, problem> run() {
    if (checked_.magic != bast::watch::magic) return fail("does not begin with its magic number");
    if (checked_.version_major != bast::watch::version_major) {
      return fail(
          fmt::format("has version {}.{}; this program reads version {}", checked_.version_major,
                      checked_.version_minor, bast::watch::version_major),
          "use the bast-stacks of the program's own version of bast");
    }
    if (checked_.header_bytes < sizeof(header))
      return fail(number("header_bytes", checked_.header_bytes));
    if (checked_.pointer_bytes != 8) return fail(number("pointer_bytes", checked_.pointer_bytes));
    if (!std::has_single_bit(checked_.page_bytes) || checked_.page_bytes < 4096 ||
        checked_.page_bytes > 65'536)
      return fail(number("page_bytes", checked_.page_bytes));
    if (checked_.bytes > registry_bytes_max) return fail(number("bytes", checked_.bytes));
    if (!sum(address_, checked_.bytes)) return fail("reaches beyond the end of memory");
    if (auto good = check_table(checked_.pools, "pools", sizeof(bast::watch::pool_entry)); !good)
      return good;
    if (auto good = check_table(checked_.slabs, "slabs", sizeof(bast::watch::slab_entry)); !good)
      return good;
    if (auto good = check_table(checked_.sites, "sites", sizeof(bast::watch::site_entry)); !good)
      return good;
    if (auto good = check_slots(); !good) return good;
    return check_blocks();
  }

 private:
  std::expected<void, problem> fail(std::string_view what, std::string remedy = {}) const {
    return std::unexpected(problem{.what = fmt::format("the registry at {:#x} {}", address_, what),
                                   .remedy = std::move(remedy)});
  }
  static std::string number(std::string_view field, std::uint64_t value) {
    return fmt::format("is damaged: {} is {}", field, value);
  }

  std::expected<void, problem> check_table(const table& each, std::string_view name,
                                           std::size_t least) const {
    if (each.record_bytes < least || each.record_bytes > table_record_bytes_max)
      return fail(number(fmt::format("{}.record_bytes", name), each.record_bytes));
    if (each.used > each.capacity) return fail(number(fmt::format("{}.used", name), each.used));
    const auto end = sum(each.offset, std::uint64_t{each.record_bytes} * each.capacity);
    if (!end || *end > checked_.bytes || each.offset < checked_.header_bytes)
      return fail(number(fmt::format("{}.offset", name), each.offset));
    return {};
  }

  std::expected<void, problem> check_layout(
      std::string_view name, std::uint16_t record_bytes,
      std::initializer_list<std::pair<std::uint16_t, std::size_t>> fields) const {
    if (record_bytes == 0 || record_bytes > record_bytes_max)
      return fail(number(fmt::format("{}.record_bytes", name), record_bytes));
    for (const auto& [offset, bytes] : fields) {
      if (offset + bytes > record_bytes)
        return fail(number(fmt::format("an offset in {}", name), offset));
    }
    return {};
  }
  std::expected<void, problem> check_slots() const {
    const auto& slots = checked_.slots;
    if (checked_.slabs.used == 0) return {};  // The first pool describes them.
    return check_layout("slots", slots.record_bytes,
                        {{slots.name, 8},
                         {slots.top, 8},
                         {slots.site, 2},
                         {slots.countdown, 2},
                         {slots.period, 2},
                         {slots.grows, 2},
                         {slots.frontier, 2},
                         {slots.state, 1},
                         {slots.sampled, 1}});
  }
  std::expected<void, problem> check_blocks() const {
    const auto& blocks = checked_.blocks;
    if (checked_.coros == 0) return {};
    return check_layout(
        "blocks", blocks.record_bytes,
        {{blocks.sp, 8}, {blocks.pc, 8}, {blocks.fp, 8}, {blocks.tag, 8}, {blocks.stack, 8}});
  }

  const header& checked_;
  std::uint64_t address_;
};

bool is_listed(const bast::watch::pool_entry& entry) {
  return is_gone(entry) || entry.state == static_cast<std::uint32_t>(entry_state::open);
}
bool is_listed(const bast::watch::slab_entry& entry) {
  return entry.state == static_cast<std::uint32_t>(entry_state::open);
}

/// The recorded entries among the first `most` of a table.
template <class Entry>
void read_table(memory& target, registry& all, const table& from, std::uint32_t most,
                std::vector<numbered<Entry>>& into) {
  constexpr std::size_t batch = 1024;
  std::vector<Entry> entries(batch);
  std::vector<piece> pieces(batch);
  const std::uint32_t used = std::min(from.used, most);
  all.unread += from.used - used;
  for (std::uint32_t first = 0; first < used && !target.broken();) {
    const auto count = static_cast<std::uint32_t>(std::min<std::size_t>(batch, used - first));
    for (std::uint32_t i = 0; i < count; ++i) {
      pieces[i] = {.address = record_address(all, from, first + i),
                   .into = std::as_writable_bytes(std::span(&entries[i], 1))};
    }
    target.read(std::span(pieces).first(count));
    for (std::uint32_t i = 0; i < count; ++i) {
      if (!pieces[i].present) {
        ++all.unread;
      } else if (is_listed(entries[i])) {
        into.push_back({.index = first + i, .entry = entries[i]});
      }
    }
    first += count;
  }
}

}  // namespace

std::expected<registry, problem> read_registry(memory& target, std::uint64_t address) {
  registry all;
  all.address = address;
  if (!target.read(address, all.header)) {
    if (const auto& why = target.broken()) return std::unexpected(*why);
    return std::unexpected(problem{
        .what = fmt::format("the registry at {:#x} cannot be read", address), .remedy = {}});
  }
  if (auto good = header_check(all.header, address).run(); !good)
    return std::unexpected(good.error());
  read_table(target, all, all.header.pools, pools_max, all.pools);
  read_table(target, all, all.header.slabs, slabs_max, all.slabs);
  if (const auto& why = target.broken()) return std::unexpected(*why);
  return all;
}

}  // namespace bast_stacks
