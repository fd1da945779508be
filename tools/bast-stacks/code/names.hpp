// SPDX-License-Identifier: Apache-2.0
//
// Names of functions, as linkers and as people write them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bast_stacks {

/// The source name of a linker's name, or the same if it is not a C++ name. A part that the
/// compiler moved away keeps its mark: "f(int) [.cold]". Clean text for any input.
std::string demangled(std::string_view name);

/// The same without "(anonymous namespace)::", as a person would write it.
std::string plain_name(std::string_view whole);

/// Whether `wanted`, as a person writes it, names this function: its linker name, its whole source
/// name, or the plain one ("std::sort" is every instance of it).
bool means(std::string_view wanted, std::string_view name);

/// "f" of "int f<char>(char) const": no return type, template arguments, parameters.
std::string without_parameters(std::string_view whole);

/// Splits "f@libc.so.6" into function and file name; without "@" the file is empty and means any.
std::pair<std::string, std::string> function_and_module(std::string_view text);

/// The address in "0x12a40", the name of a nameless function; empty for other names.
std::optional<std::uint64_t> address_in(std::string_view name);

}  // namespace bast_stacks
