// SPDX-License-Identifier: Apache-2.0
//
// Exported texts, parsed by a small parser of each format: names and numbers survive.
#include "show/export.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <optional>
#include <set>
#include <sstream>

#include "inspector_samples.hpp"
#include "model/statistics.hpp"
#include "show/names.hpp"

namespace bast_stacks::test {
namespace {

// --- CSV -----------------------------------------------------------------------------------------

using record = std::vector<std::string>;

/// RFC 4180, strictly.
std::optional<std::vector<record>> parse_csv(std::string_view text) {
  std::vector<record> all;
  while (!text.empty()) {
    record fields;
    for (bool more = true; more;) {
      std::string field;
      if (text.starts_with('"')) {
        text.remove_prefix(1);
        for (;; text.remove_prefix(1)) {
          if (text.empty()) return std::nullopt;
          if (text.starts_with("\"\""))
            text.remove_prefix(1);
          else if (text.front() == '"')
            break;
          field += text.front();
        }
        text.remove_prefix(1);
      } else {
        const std::size_t end = text.find_first_of(",\"\r\n");
        if (end == text.npos || text[end] == '"' || text[end] == '\n') return std::nullopt;
        field = text.substr(0, end);
        text.remove_prefix(end);
      }
      fields.push_back(std::move(field));
      more = text.starts_with(',');
      if (more) text.remove_prefix(1);
    }
    if (!text.starts_with("\r\n")) return std::nullopt;
    text.remove_prefix(2);
    all.push_back(std::move(fields));
  }
  return all;
}

RC_GTEST_PROP(InspectorExport, CsvComesBack, (const likely_snapshot& s)) {
  const auto read = parse_csv(export_csv(s.it));
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->size() == s.it.sites.size() + 1);
  for (std::size_t i = 0; i < s.it.sites.size(); ++i) {
    const site& of = s.it.sites[i];
    const record& fields = (*read)[i + 1];
    RC_ASSERT(fields.size() == read->front().size());
    std::string name = fields[0];
    // No spreadsheet may interpret a name as a formula.
    RC_ASSERT(name.empty() || std::string_view("=+-@").find(name[0]) == std::string_view::npos);
    if (name.starts_with('\'') && name != site_name(of)) name.erase(0, 1);
    RC_ASSERT(name == site_name(of));
    RC_ASSERT(fields[2] == std::to_string(of.uses));
    RC_ASSERT(fields[10] == std::to_string(quantile(of, 0.99)));
    RC_ASSERT(fields[11] == std::to_string(of.max));
  }
}

// --- Prometheus ----------------------------------------------------------------------------------

struct series {
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  std::string value;

  std::string label(std::string_view wanted) const {
    for (const auto& [key, text] : labels)
      if (key == wanted) return text;
    return {};
  }
};

/// A line of the text format 0.0.4.
std::optional<series> parse_series(std::string_view line) {
  const std::size_t brace = line.find('{');
  if (brace == line.npos) return std::nullopt;
  series made{.name = std::string(line.substr(0, brace)), .labels = {}, .value = {}};
  line.remove_prefix(brace + 1);
  while (!line.starts_with('}')) {
    const std::size_t equals = line.find("=\"");
    if (equals == line.npos) return std::nullopt;
    std::string key(line.substr(0, equals));
    if (key.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != key.npos) return std::nullopt;
    line.remove_prefix(equals + 2);
    std::string text;
    for (; !line.starts_with('"'); line.remove_prefix(1)) {
      if (line.starts_with('\\')) line.remove_prefix(1);
      if (line.empty()) return std::nullopt;
      text += line.front();
    }
    line.remove_prefix(1);
    made.labels.emplace_back(std::move(key), std::move(text));
    if (line.starts_with(','))
      line.remove_prefix(1);
    else if (!line.starts_with('}'))
      return std::nullopt;
  }
  if (!line.starts_with("} ")) return std::nullopt;
  made.value = line.substr(2);
  if (made.value.empty() || made.value.find_first_not_of("0123456789") != made.value.npos)
    return std::nullopt;
  return made;
}

RC_GTEST_PROP(InspectorExport, PrometheusComesBack, (const likely_snapshot& s)) {
  std::vector<series> all;
  std::set<std::pair<std::string, decltype(series::labels)>> known;
  std::istringstream lines(export_prometheus(s.it));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("# ")) continue;
    const auto read = parse_series(line);
    RC_ASSERT(read.has_value());
    RC_ASSERT(known.emplace(read->name, read->labels).second);
    all.push_back(*read);
  }
  std::size_t next = 0;
  for (const site& of : s.it.sites) {
    std::uint64_t before = 0;
    for (; all.at(next).name == "bast_stack_used_bytes_bucket"; ++next) {
      RC_ASSERT(all[next].label("site") == site_name(of));
      const std::uint64_t count = std::stoull(all[next].value);
      RC_ASSERT(count >= before);
      before = count;
    }
    RC_ASSERT(all[next - 1].label("le") == "+Inf");
    RC_ASSERT(before == sampled(of));
    // Between the lower bounds and the upper bounds of all samples.
    RC_ASSERT(all[next].name == "bast_stack_used_bytes_sum");
    const std::uint64_t sum = std::stoull(all[next++].value);
    std::uint64_t least = 0;
    for (const bucket& b : of.histogram)
      least = add(least, multiply(bast::watch::bucket_low(b.index), b.count));
    RC_ASSERT(sum >= least);
    RC_ASSERT(all[next].name == "bast_stack_used_bytes_count");
    RC_ASSERT(std::stoull(all[next++].value) == sampled(of));
  }
  for (const site& of : s.it.sites) {
    RC_ASSERT(all[next].name == "bast_stack_used_bytes_max");
    RC_ASSERT(all[next].label("site") == site_name(of));
    RC_ASSERT(std::stoull(all[next++].value) == of.max);
  }
}

}  // namespace
}  // namespace bast_stacks::test
