// SPDX-License-Identifier: Apache-2.0
#include "show/names.hpp"

#include <fmt/format.h>

#include <map>
#include <string_view>
#include <unordered_map>

#include "show/text.hpp"

namespace bast_stacks {
namespace {

/// The end of `path` with this many directories before the file.
std::string_view path_end(std::string_view path, std::size_t directories) noexcept {
  std::size_t at = path.size();
  for (std::size_t i = 0; i <= directories; ++i) {
    if (at == 0) return path;
    const std::size_t slash = path.rfind('/', at - 1);
    if (slash == path.npos) return path;
    at = slash;
  }
  return path.substr(at + 1);
}

std::string with_line(const site& of, std::string_view file) {
  return fmt::format("{}:{}", printable(file), of.line);
}

std::string name_with(const site& of, std::size_t directories) {
  if (of.kind != bast::watch::site_kind::source) return site_name(of);
  const std::string_view end = path_end(of.where, directories);
  return end.size() == of.where.size() ? site_name(of) : with_line(of, end);
}

}  // namespace

std::string site_name(const site& of) {
  if (of.kind == bast::watch::site_kind::other) return "(other)";
  if (of.where.empty() && of.kind == bast::watch::site_kind::label) return "(unnamed)";
  const std::string cut = of.where_is_cut ? "..." : "";
  return cut + (of.kind == bast::watch::site_kind::source ? with_line(of, of.where)
                                                          : printable(of.where));
}

std::string short_site_name(const site& of) { return name_with(of, 0); }

std::vector<std::string> short_site_names(const std::vector<site>& sites) {
  // Sites whose names are still the same get one more directory, until nothing changes any more.
  std::vector<std::string> names(sites.size());
  std::vector<std::size_t> open(sites.size());
  for (std::size_t i = 0; i < sites.size(); ++i) {
    names[i] = short_site_name(sites[i]);
    open[i] = i;
  }
  for (std::size_t directories = 1; !open.empty() && directories <= 16; ++directories) {
    std::unordered_map<std::string, std::size_t> seen;
    for (const std::size_t i : open) ++seen[names[i]];
    std::erase_if(open, [&](std::size_t i) { return seen[names[i]] == 1; });
    for (const std::size_t i : open) names[i] = name_with(sites[i], directories);
  }
  return names;
}

std::string frame_name(const frame& of) {
  const std::string function = printable(of.function);
  std::string place;
  if (!of.file.empty()) {
    place = fmt::format("{}:{}", printable(path_end(of.file, 0)), of.line);
  } else if (!of.module.empty()) {
    place = fmt::format("{}+{:#x}", printable(path_end(of.module, 0)), of.module_offset);
  }
  if (function.empty()) return place.empty() ? fmt::format("{:#x}", of.pc) : place;
  return place.empty() ? function : fmt::format("{} ({})", function, place);
}

std::string backtrace_text(const backtrace& of, bool exact) {
  std::string out;
  const auto line = [&](std::uint64_t bytes, std::string_view what) {
    const std::string size = size_text(bytes, exact);
    out += fmt::format("  {:>10}  {}\n", size, cut_right(what, line_width - 14));
  };
  std::size_t i = 0;
  while (i < of.frames.size()) {
    const frame& first = of.frames[i];
    const std::size_t from = i;
    std::uint64_t bytes = 0;
    bool confirmed = true;
    // Up to `inner`: beyond it frames are missing, and a repetition would hide that.
    do {
      bytes += of.frames[i].stack_bytes;
      confirmed = confirmed && of.frames[i].confirmed;
      ++i;
    } while (i < of.frames.size() && i != of.inner && !first.function.empty() &&
             of.frames[i].function == first.function);
    std::string what = frame_name(first);
    if (i - from > 1) what += fmt::format(" x{}", i - from);
    if (!confirmed) what += " ?";
    line(bytes, what);
    if (i == of.inner && of.omitted_bytes != 0) line(of.omitted_bytes, "(frames not recorded)");
  }
  return out;
}

recursion recursion_of(const backtrace& of) {
  std::map<std::string_view, std::uint64_t> times;
  recursion most;
  // From the outermost frame, so that of functions that call each other the first is named.
  for (auto f = of.frames.rbegin(); f != of.frames.rend(); ++f) {
    if (!f->function.empty()) ++times[f->function];
  }
  for (auto f = of.frames.rbegin(); f != of.frames.rend(); ++f) {
    const auto found = times.find(f->function);
    if (found != times.end() && found->second > most.times)
      most = {f->function, found->second, of.omitted_bytes != 0};
  }
  // Twice is an overload or a helper; three times is a habit.
  return most.times >= 3 ? most : recursion{};
}

std::string recursion_text(const backtrace& of) {
  const recursion found = recursion_of(of);
  if (found.times == 0) return {};
  return fmt::format("recursion {} x{}{}", cut_right(printable(found.function), 40), found.times,
                     found.at_least ? "+" : "");
}

}  // namespace bast_stacks
