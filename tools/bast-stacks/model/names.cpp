// SPDX-License-Identifier: Apache-2.0
#include "model/names.hpp"

#include "model/parse.hpp"

namespace bast_stacks {
namespace {

using bast::watch::coro_state;
using bast::watch::site_kind;

constexpr std::string_view site_kinds[] = {"other", "source", "label"};
constexpr std::string_view coro_states[] = {"free",      "ready",    "running",
                                            "suspended", "finished", "retired"};
// In the order of the bits.
constexpr std::string_view built_bits[] = {
    "assertions",          "hardened", "address_sanitizer", "thread_sanitizer", "memory_sanitizer",
    "undefined_sanitizer", "valgrind", "unoptimized",       "coverage",
};
static_assert(bast::watch::built_coverage == std::uint64_t{1} << (std::size(built_bits) - 1));

template <typename Enum, std::size_t Size>
std::optional<Enum> find(const std::string_view (&names)[Size], std::string_view name) noexcept {
  for (std::size_t i = 0; i < Size; ++i) {
    if (names[i] == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

template <typename Enum, std::size_t Size>
std::string_view at(const std::string_view (&names)[Size], Enum value) noexcept {
  const auto i = static_cast<std::size_t>(value);
  return i < Size ? names[i] : names[0];
}

}  // namespace

std::string_view name_of(site_kind kind) noexcept { return at(site_kinds, kind); }
std::string_view name_of(coro_state state) noexcept { return at(coro_states, state); }

std::optional<site_kind> site_kind_of(std::string_view name) noexcept {
  return find<site_kind>(site_kinds, name);
}
std::optional<coro_state> coro_state_of(std::string_view name) noexcept {
  return find<coro_state>(coro_states, name);
}

std::vector<std::string> built_names(std::uint64_t built) {
  std::vector<std::string> names;
  for (std::size_t bit = 0; bit < 64; ++bit) {
    if ((built >> bit & 1) == 0) continue;
    names.push_back(bit < std::size(built_bits) ? std::string(built_bits[bit])
                                                : "bit_" + std::to_string(bit));
  }
  return names;
}

std::optional<std::uint64_t> built_bit(std::string_view name) noexcept {
  for (std::size_t i = 0; i < std::size(built_bits); ++i) {
    if (built_bits[i] == name) return std::uint64_t{1} << i;
  }
  if (!name.starts_with("bit_")) return std::nullopt;
  name.remove_prefix(4);
  const auto bit = number_in<std::uint32_t>(name);
  if (!bit || *bit >= 64) return std::nullopt;
  return std::uint64_t{1} << *bit;
}

}  // namespace bast_stacks
