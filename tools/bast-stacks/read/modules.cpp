// SPDX-License-Identifier: Apache-2.0
#include "read/modules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/clean_text.hpp"
#include "model/parse.hpp"
#include "read/elf_image.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t modules_max = 4096;

/// Removes a hexadecimal number and the character after it from the front of `text`.
bool take_hex(std::string_view& text, char behind, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || length == text.size() || *end != behind) return false;
  text.remove_prefix(length + 1);
  return true;
}

/// Removes a word and the blanks after it from the front.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  return word;
}

/// "55d0c0-55d0d0 r-xp 0001f000 fe:00 1234      /usr/bin/x"
bool parse_line(std::string_view line, mapping& into) {
  if (!take_hex(line, '-', into.where.low)) return false;
  if (!take_hex(line, ' ', into.where.high)) return false;
  into.is_code = take_word(line).find('x') != std::string_view::npos;
  if (!take_hex(line, ' ', into.offset)) return false;
  take_word(line);
  take_word(line);
  constexpr std::string_view gone = " (deleted)";
  if (line.ends_with(gone)) line.remove_suffix(gone.size());
  into.path = line;
  return line.starts_with('/') && into.where.low < into.where.high;
}

module make_module(const std::vector<mapping>& mappings, std::size_t first) {
  module made{.path = mappings[first].path, .build_id = {}, .low = mappings[first].where.low};
  // Later mappings of the same file belong to it, until the file starts again.
  for (std::size_t i = first; i < mappings.size() && mappings[i].path == made.path; ++i) {
    if (i != first && mappings[i].offset == 0) break;
    made.high = std::max(made.high, mappings[i].where.high);
  }
  return made;
}

}  // namespace

std::vector<mapping> parse_maps(std::string_view text) {
  std::vector<mapping> mappings;
  while (!text.empty()) {
    mapping next;
    if (parse_line(take_line(text), next)) mappings.push_back(std::move(next));
  }
  return mappings;
}

found_modules find_modules(const std::vector<mapping>& mappings, memory& target,
                           const std::string& program_path, const std::string& program) {
  found_modules found;
  for (std::size_t i = 0; i < mappings.size() && found.modules.size() < modules_max; ++i) {
    if (mappings[i].offset != 0) continue;
    module next = make_module(mappings, i);
    std::byte probe{};
    std::expected<std::unique_ptr<file_source>, problem> file;
    if (!program.empty() && next.path == program_path) next.here = program;
    if (!target.read(next.low, probe)) file = file_source::open(next.read_from());
    const auto image =
        read_elf_image({.mapped = &target, .file = file ? file->get() : nullptr, .base = next.low});
    if (!image) continue;
    found.has_32_bit |= !image->is_64_bit;
    next.path = clean_text(next.path);
    next.build_id = image->build_id;
    next.base = image->bias;
    found.anchors.insert(found.anchors.end(), image->anchors.begin(), image->anchors.end());
    found.modules.push_back(std::move(next));
  }
  std::ranges::sort(found.modules, {}, &module::low);
  std::ranges::sort(found.anchors);
  const auto [first, last] = std::ranges::unique(found.anchors);
  found.anchors.erase(first, last);
  return found;
}

std::expected<std::vector<std::uint64_t>, problem> find_registries(const found_modules& modules,
                                                                   memory& target,
                                                                   std::string_view who) {
  if (modules.anchors.empty() && modules.has_32_bit) {
    return std::unexpected(problem{
        .what = fmt::format("{} is a 32-bit program; bast is for 64-bit ones", who), .remedy = {}});
  }
  if (modules.anchors.empty()) {
    return std::unexpected(problem{
        .what = fmt::format("{} is not a program built with bast: none of its {} files holds the "
                            "ELF note of bast",
                            who, modules.modules.size()),
        .remedy = {}});
  }
  std::vector<std::uint64_t> registries;
  std::size_t unreadable = 0;
  for (const std::uint64_t address : modules.anchors) {
    bast::watch::anchor anchor{};
    if (!target.read(address, anchor) || anchor.magic != bast::watch::magic) {
      ++unreadable;
    } else if (anchor.registry != 0 &&
               std::ranges::find(registries, anchor.registry) == registries.end()) {
      registries.push_back(anchor.registry);
    }
  }
  if (!registries.empty()) return registries;
  if (unreadable == modules.anchors.size()) {
    return std::unexpected(
        problem{.what = fmt::format("{} has a note of bast, but no anchor where it leads", who),
                .remedy = {}});
  }
  return std::unexpected(problem{
      .what = fmt::format("{} has bast, but its registry is not made yet: it has no pool", who),
      .remedy = "try again when it has started its first coroutine"});
}

}  // namespace bast_stacks
