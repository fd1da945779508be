// SPDX-License-Identifier: Apache-2.0
#include "code/stack_usage.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "code/names.hpp"
#include "code/text_file.hpp"
#include "model/parse.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t usage_files_max = 100'000;
constexpr std::uint64_t frame_max = std::uint64_t{1} << 40;
constexpr std::uint64_t return_address_bytes = 8;

std::optional<std::uint64_t> frame_bytes_of(std::string_view text) {
  const auto value = number_in<std::uint64_t>(text);
  return value && *value <= frame_max ? value : std::nullopt;
}

std::optional<usage_kind> kind_of(std::string_view word) {
  if (word == "static") return usage_kind::fixed;
  if (word == "dynamic") return usage_kind::dynamic;
  // gcc has written both orders.
  if (word == "dynamic,bounded" || word == "bounded") return usage_kind::bounded;
  return std::nullopt;
}

/// "file:12:5:int f(int)" of gcc, "file:12:_Z1fi" of clang. A file's name may contain colons, so
/// the place ends at the first number between two of them.
bool split_place(std::string_view text, function_usage& out) {
  for (auto colon = text.find(':'); colon != std::string_view::npos;
       colon = text.find(':', colon + 1)) {
    const auto next = text.find(':', colon + 1);
    if (next == std::string_view::npos) return false;
    if (!frame_bytes_of(text.substr(colon + 1, next - colon - 1))) continue;
    auto name = text.substr(next + 1);
    const auto end = name.find(':');
    const bool has_column = end != std::string_view::npos && frame_bytes_of(name.substr(0, end));
    if (has_column) name = name.substr(end + 1);
    out.from_clang = !has_column;
    out.function = name;
    return !name.empty();
  }
  return false;
}

std::string_view next_line(std::string_view& text) {
  const auto line = take_line(text);
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

/// The quoted text after `key`, as it is written: "\n" is two characters.
std::optional<std::string_view> quoted(std::string_view line, std::string_view key) {
  auto start = line.find(key);
  if (start == std::string_view::npos) return std::nullopt;
  start = line.find('"', start + key.size());
  if (start == std::string_view::npos) return std::nullopt;
  const auto end = line.find('"', start + 1);
  if (end == std::string_view::npos) return std::nullopt;
  return line.substr(start + 1, end - start - 1);
}

/// "48 bytes (dynamic)" within a label.
bool find_bytes(std::string_view label, function_usage& out) {
  constexpr std::string_view word = " bytes (";
  const auto at = label.find(word);
  if (at == std::string_view::npos) return false;
  // The number follows "\n".
  const auto before = label.substr(0, at);
  const auto start = before.find_last_not_of("0123456789");
  const auto bytes = frame_bytes_of(before.substr(start == std::string_view::npos ? 0 : start + 1));
  const auto rest = label.substr(at + word.size());
  const auto kind = kind_of(rest.substr(0, rest.find(')')));
  if (!bytes || !kind) return false;
  out.bytes = *bytes;
  out.kind = *kind;
  return true;
}

}  // namespace

std::vector<function_usage> parse_su(std::string_view text, std::size_t& refused) {
  std::vector<function_usage> all;
  while (!text.empty()) {
    const auto line = next_line(text);
    if (line.empty()) continue;
    function_usage next;
    const auto last = line.rfind('\t');
    const auto middle = last == std::string_view::npos || last == 0 ? std::string_view::npos
                                                                    : line.rfind('\t', last - 1);
    if (middle == std::string_view::npos) {
      ++refused;
      continue;
    }
    const auto bytes = frame_bytes_of(line.substr(middle + 1, last - middle - 1));
    const auto kind = kind_of(line.substr(last + 1));
    if (!bytes || !kind || !split_place(line.substr(0, middle), next)) {
      ++refused;
      continue;
    }
    next.bytes = *bytes;
    next.kind = *kind;
    all.push_back(std::move(next));
  }
  return all;
}

std::vector<function_usage> parse_ci(std::string_view text, std::size_t& refused) {
  std::vector<function_usage> all;
  while (!text.empty()) {
    const auto line = next_line(text);
    if (!line.starts_with("node:")) continue;
    const auto title = quoted(line, "title:");
    const auto label = quoted(line, "label:");
    if (!title || !label) {
      ++refused;
      continue;
    }
    function_usage next;
    // Nodes of functions that are only called have no bytes.
    if (!find_bytes(*label, next)) continue;
    // Names of static functions are prefixed with their file.
    next.function = title->substr(title->rfind(':') + 1);
    if (!next.function.empty()) all.push_back(std::move(next));
  }
  return all;
}

std::expected<void, problem> usage_table::add_directory(const std::string& path,
                                                        std::uint16_t machine) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::recursive_directory_iterator at(path, error);
  std::size_t files = 0;
  for (; !error && at != fs::recursive_directory_iterator{}; at.increment(error)) {
    const auto extension = at->path().extension();
    if (extension != ".su" && extension != ".ci") continue;
    if (++files > usage_files_max) break;
    const auto text = read_text_file(at->path());
    if (!text) return std::unexpected(text.error());
    add(extension == ".su" ? parse_su(*text, refused_) : parse_ci(*text, refused_), machine);
  }
  if (error) {
    return std::unexpected(
        problem{3, fmt::format("{} cannot be read: {}", path, error.message()), {}});
  }
  return {};
}

void usage_table::add(std::vector<function_usage> found, std::uint16_t machine) {
  for (auto& next : found) {
    if (next.from_clang && machine == EM_X86_64) next.bytes += return_address_bytes;
    auto& known = by_name_[next.function];
    if (known.bytes <= next.bytes) known = std::move(next);
  }
}

const function_usage* usage_table::find(std::string_view linker_name) const {
  if (by_name_.empty()) return nullptr;
  const auto look = [&](const std::string& name) -> const function_usage* {
    const auto found = by_name_.find(name);
    return found == by_name_.end() ? nullptr : &found->second;
  };
  if (const auto* const found = look(std::string(linker_name))) return found;
  return look(demangled(linker_name));
}

}  // namespace bast_stacks
