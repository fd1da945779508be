// SPDX-License-Identifier: Apache-2.0
#include "show/budget.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <cmath>

#include "model/clean_text.hpp"
#include "model/parse.hpp"
#include "show/columns.hpp"
#include "show/toml_guard.hpp"

namespace bast_stacks {
namespace {

constexpr std::size_t text_bytes_max = 16 << 20;
constexpr std::size_t budgets_max = 4096;

/// A mistake in the file; caught by parse_budgets.
struct mistake {
  toml::source_region where;
  std::string what;
};

std::uint64_t size_of(const toml::node& value) {
  if (const auto* const number = value.as_integer(); number != nullptr)
    throw mistake{value.source(), fmt::format("a size has a unit: \"{} B\"", number->get())};
  const auto* const text = value.as_string();
  if (text == nullptr) throw mistake{value.source(), "expected a size like \"12 KiB\""};
  const auto size = parse_size(text->get());
  if (!size.has_value()) throw mistake{value.source(), size.error()};
  return *size;
}

budget read_budget(const toml::table& from) {
  budget result;
  for (const auto& [key, value] : from) {
    if (key == "site") {
      const auto* const text = value.as_string();
      if (text == nullptr || text->get().empty())
        throw mistake{value.source(), "expected a site like \"server.cpp:*\""};
      result.site = text->get();
      result.line = value.source().begin.line;
      result.column = value.source().begin.column;
    } else if (key == "max") {
      result.max = size_of(value);
    } else if (key == "p99") {
      result.p99 = size_of(value);
    } else if (key == "uses_min") {
      const auto* const number = value.as_integer();
      if (number == nullptr || number->get() < 0)
        throw mistake{value.source(), "expected a number of uses"};
      result.uses_min = static_cast<std::uint64_t>(number->get());
    } else {
      throw mistake{key.source(),
                    fmt::format("unknown key \"{}\": there are site, max, p99 and uses_min",
                                clean_text(key.str()))};
    }
  }
  if (result.site.empty()) throw mistake{from.source(), "this budget names no site"};
  if (!result.max && !result.p99 && !result.uses_min)
    throw mistake{from.source(), "this budget limits nothing: max, p99 or uses_min is missing"};
  return result;
}

std::vector<budget> read_all(const toml::table& document) {
  std::vector<budget> result;
  for (const auto& [key, value] : document) {
    if (key != "budget")
      throw mistake{key.source(), fmt::format("unknown key \"{}\": there is only [[budget]]",
                                              clean_text(key.str()))};
    const auto* const list = value.as_array();
    if (list == nullptr) throw mistake{value.source(), "write [[budget]], with two brackets"};
    for (const toml::node& each : *list) {
      const auto* const table = each.as_table();
      if (table == nullptr) throw mistake{each.source(), "expected a [[budget]]"};
      if (result.size() == budgets_max)
        throw mistake{each.source(), fmt::format("there are more than {} budgets", budgets_max)};
      result.push_back(read_budget(*table));
    }
  }
  return result;
}

/// The comment and empty lines at the start of a text.
std::string heading_of(std::string_view text) {
  std::size_t end = 0;
  while (end < text.size() && (text[end] == '#' || text[end] == '\n')) {
    const std::size_t line = text.find('\n', end);
    if (line == text.npos) return std::string(text) + '\n';
    end = line + 1;
  }
  return std::string(text.substr(0, end));
}

/// A basic string of TOML. Parsed text is UTF-8, and so is the result of site_name.
std::string toml_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// The shortest spelling that parses to the same number.
std::string exact_size(std::uint64_t bytes) {
  if (bytes != 0 && bytes % (1 << 20) == 0) return fmt::format("\"{} MiB\"", bytes >> 20);
  if (bytes != 0 && bytes % 1024 == 0) return fmt::format("\"{} KiB\"", bytes >> 10);
  return fmt::format("\"{} B\"", bytes);
}

}  // namespace

std::expected<std::uint64_t, std::string> parse_size(std::string_view text) {
  const auto wrong = [&] {
    return std::unexpected(fmt::format(
        "\"{}\" is not a size: expected a number and B, KiB, MiB or GiB, as in \"12 KiB\"",
        cut_end(clean_text(text), 40)));
  };
  const std::size_t digits = text.find_first_not_of("0123456789.");
  if (digits == 0 || digits == text.npos) return wrong();
  std::string_view unit = text.substr(digits);
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  const int shift = unit == "B"     ? 0
                    : unit == "KiB" ? 10
                    : unit == "MiB" ? 20
                    : unit == "GiB" ? 30
                                    : -1;
  if (shift < 0) return wrong();

  const std::string_view number = text.substr(0, digits);
  if (const auto whole = number_in<std::uint64_t>(number)) {
    if (*whole > UINT64_MAX >> shift) return wrong();
    return *whole << shift;
  }
  const auto part = decimal_in(number);
  if (!part || shift == 0) return wrong();
  const double bytes = std::round(std::ldexp(*part, shift));
  if (bytes >= 0x1p63) return wrong();
  return static_cast<std::uint64_t>(bytes);
}

std::expected<budget_file, problem> parse_budgets(std::string_view text, std::string_view name) {
  const auto refuse = [&](const toml::source_region& where, std::string_view what) {
    return std::unexpected(problem{
        3, fmt::format("{}:{}:{}: {}", name, where.begin.line, where.begin.column, what), {}});
  };
  if (text.size() > text_bytes_max) return refuse({}, "is larger than 16 MiB");
  if (const auto flaw = find_toml_flaw(text)) {
    const toml::source_position at{flaw->line, flaw->column};
    return refuse({at, at, nullptr}, flaw->what);
  }
  try {
    const toml::table document = toml::parse(text, name);
    return budget_file{std::string(name), heading_of(text), read_all(document)};
  } catch (const mistake& found) {
    return refuse(found.where, found.what);
  } catch (const toml::parse_error& failure) {
    return refuse(failure.source(), clean_text(failure.description()));
  }
}

std::string budgets_text(const budget_file& file) {
  std::string out = file.heading;
  if (out.empty()) {
    out =
        "# What each spawn site may use of its stack; `bast-stacks check --update` rewrites this "
        "file.\n";
  }
  if (!out.ends_with("\n\n")) out += '\n';
  const char* separator = "";
  for (const budget& b : file.budgets) {
    out += fmt::format("{}[[budget]]\nsite = {}\n", separator, toml_string(b.site));
    if (b.max.has_value()) out += fmt::format("max = {}\n", exact_size(*b.max));
    if (b.p99.has_value()) out += fmt::format("p99 = {}\n", exact_size(*b.p99));
    if (b.uses_min.has_value()) out += fmt::format("uses_min = {}\n", *b.uses_min);
    separator = "\n";
  }
  return out;
}

}  // namespace bast_stacks
