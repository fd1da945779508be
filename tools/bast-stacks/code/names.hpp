// SPDX-License-Identifier: Apache-2.0
//
// Names of functions: as linkers know them, and as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bast_stacks {

/// The name in the source of a linker's name, or the same when it is no C++ name. A part that the
/// compiler moved away keeps its mark: "f(int) [.cold]". Clean text, whatever a file calls things.
std::string demangled(std::string_view name);

/// The same without "(anonymous namespace)::" in it, as a person would write it.
std::string plain_name(std::string_view whole);

/// Whether `wanted`, as a person writes it, means this function: the linker's name, the whole name
/// in the source, or the plain one ("std::sort" is every instance of it).
bool means(std::string_view wanted, std::string_view name);

/// "f" of "int f<char>(char) const": no result, template arguments, parameters.
std::string without_parameters(std::string_view whole);

/// "f@libc.so.6" is f and the name of a file; what has no "@" is of any file.
std::pair<std::string, std::string> function_and_module(std::string_view text);

/// The address in "0x12a40", as functions without a name are called; nothing for other names.
std::optional<std::uint64_t> address_in(std::string_view name);

}  // namespace bast_stacks
