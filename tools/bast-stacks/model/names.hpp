// SPDX-License-Identifier: Apache-2.0
//
// The names of the registry's numeric values, as recordings and reports spell them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bast/watch/abi.hpp"

namespace bast_stacks {

std::string_view name_of(bast::watch::site_kind kind) noexcept;
std::string_view name_of(bast::watch::coro_state state) noexcept;
std::optional<bast::watch::site_kind> site_kind_of(std::string_view name) noexcept;
std::optional<bast::watch::coro_state> coro_state_of(std::string_view name) noexcept;

/// "assertions", "address_sanitizer" ... for each bit of snapshot::built, lowest first; "bit_N" for
/// an unknown bit.
std::vector<std::string> built_names(std::uint64_t built);
/// The bit of such a name.
std::optional<std::uint64_t> built_bit(std::string_view name) noexcept;

}  // namespace bast_stacks
