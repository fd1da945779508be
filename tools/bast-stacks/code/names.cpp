// SPDX-License-Identifier: Apache-2.0
#include "code/names.hpp"

#include <cxxabi.h>

#include <charconv>
#include <cstdlib>
#include <memory>

#include "model/clean_text.hpp"

namespace bast_stacks {
namespace {

// The demangler recurses over its input, and its output can be exponentially longer.
constexpr std::size_t mangled_max = 2000;
constexpr std::size_t demangled_max = 16 << 10;

struct free_memory {
  void operator()(char* memory) const { std::free(memory); }
};

/// Removes the inline namespace with bast's version ("bast::v0_1::x" is "bast::x"): annotations and
/// reports hold for every version.
void remove_version(std::string& name) {
  constexpr std::string_view library = "bast::v";
  for (auto at = name.find(library); at != std::string::npos; at = name.find(library, at + 1)) {
    const auto version = at + library.size() - 1;
    const auto end = name.find_first_not_of("0123456789_", version + 1);
    if (end == version + 1 || end == std::string::npos || name.compare(end, 2, "::") != 0) continue;
    name.erase(version, end + 2 - version);
  }
}

/// What `demangled` returns before it is clean.
std::string source_name(std::string_view name) {
  if (!name.starts_with("_Z") || name.size() > mangled_max) return std::string(name);
  // GCC and Clang append ".cold", ".part.0", ".isra.0", ".constprop.0".
  const auto dot = name.find('.');
  const std::string mangled(name.substr(0, dot));
  int status = 0;
  const std::unique_ptr<char, free_memory> text(
      abi::__cxa_demangle(mangled.c_str(), nullptr, nullptr, &status));
  if (status != 0 || text == nullptr) return std::string(name);
  std::string whole(text.get());
  if (whole.size() > demangled_max) return std::string(name);
  remove_version(whole);
  if (dot != std::string_view::npos) whole.append(" [").append(name.substr(dot)).append("]");
  return whole;
}

}  // namespace

std::string demangled(std::string_view name) { return clean_text(source_name(name)); }

std::string without_parameters(std::string_view whole) {
  // From the left, so that "operator()" keeps its own parentheses: the name ends at the first "("
  // outside of template arguments that does not belong to it.
  std::string name;
  int depth = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    const auto rest = whole.substr(i);
    constexpr std::string_view anonymous = "(anonymous namespace)";
    if (depth == 0 && rest.starts_with(anonymous)) {
      name += anonymous;
      i += anonymous.size() - 1;
      continue;
    }
    if (depth == 0 && name.ends_with("operator") && !rest.starts_with(" ")) {
      const auto symbol = rest.starts_with("()") ? 2 : rest.find_first_not_of("<>=!+-*/%&|^~,[]");
      name += rest.substr(0, symbol);
      if (symbol == std::string_view::npos) break;
      i += symbol;
      if (symbol != 0) {
        --i;
        continue;
      }
    }
    const char letter = whole[i];
    if (letter == '<') ++depth;
    if (depth == 0 && letter == '(') break;
    // The part before a space is the return type, which the names of templates include.
    if (depth == 0 && letter == ' ' && !name.ends_with("operator")) {
      name.clear();
    } else if (depth == 0) {
      name += letter;
    }
    if (letter == '>' && depth > 0) --depth;
  }
  return name;
}

std::string plain_name(std::string_view whole) {
  auto name = without_parameters(whole);
  constexpr std::string_view anonymous = "(anonymous namespace)::";
  for (auto at = name.find(anonymous); at != std::string::npos; at = name.find(anonymous))
    name.erase(at, anonymous.size());
  return name;
}

bool means(std::string_view wanted, std::string_view name) {
  if (wanted == name) return true;
  const auto whole = demangled(name);
  if (wanted == whole) return true;
  if (!name.starts_with("_Z")) return false;
  return wanted == without_parameters(whole) || wanted == plain_name(whole);
}

std::pair<std::string, std::string> function_and_module(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || at == 0) return {std::string(text), {}};
  return {std::string(text.substr(0, at)), std::string(text.substr(at + 1))};
}

std::optional<std::uint64_t> address_in(std::string_view name) {
  constexpr std::string_view mark = "0x";
  if (!name.starts_with(mark)) return std::nullopt;
  std::uint64_t address = 0;
  const char* const end = name.data() + name.size();
  const auto read = std::from_chars(name.data() + mark.size(), end, address, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return address;
}

}  // namespace bast_stacks
