// SPDX-License-Identifier: Apache-2.0
//
// Checks that Prometheus can scrape a text, by the text exposition format 0.0.4
// (prometheus.io/docs/instrumenting/exposition_formats), limited to gauges, counters and histograms
// without timestamps:
//
//   text     lines that end in '\n', the last one too
//   family   at most one HELP and one TYPE line, before its samples; all of its lines are together
//   HELP     "# HELP name words", where '\' is only in "\\" and "\n"
//   sample   name{label="value",...} number; a name is [a-zA-Z_:][a-zA-Z0-9_:]*, that of a label
//            has no ':'; '\' in a value is only in "\\", "\"" and "\n"; no label occurs twice
//   series   name and labels occur once
//   histogram  name_bucket with le, ascending, whose counts never fall; the last is "+Inf" and
//            equals name_count of the same other labels; name_sum exists
#pragma once

#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace bast_stacks::testing {

class exposition_check {
 public:
  /// Returns what is wrong, with the line; or empty.
  static std::string run(std::string_view text) {
    exposition_check all;
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      if (end == text.npos) return "the last line does not end";
      const std::string_view line = text.substr(0, end);
      text.remove_prefix(end + 1);
      if (std::string wrong = all.line(line); !wrong.empty())
        return wrong.append(": ").append(line);
    }
    return all.end_of_family();
  }

 private:
  using labels = std::map<std::string, std::string>;
  struct buckets {
    double le = -1;
    double count = 0;
    bool ended = false;
    std::optional<double> total{};
    bool sum = false;
  };

  std::string line(std::string_view line) {
    if (line.starts_with("# HELP ")) return begin_family(line.substr(7), help_);
    if (line.starts_with("# TYPE ")) return begin_family(line.substr(7), type_);
    if (line.empty() || line.starts_with('#')) return "neither HELP, TYPE nor a sample";
    return sample(line);
  }

  std::string begin_family(std::string_view rest, std::optional<std::string>& part) {
    const std::size_t space = rest.find(' ');
    if (space == rest.npos) return "no words";
    if (rest.substr(0, space) != family_) {
      if (std::string wrong = end_of_family(); !wrong.empty()) return wrong;
      family_ = rest.substr(0, space);
      if (!is_name(family_, true)) return "a name that is none";
      if (!families_.insert(family_).second) return "a family in two places";
      help_.reset();
      type_.reset();
      sampled_ = false;
    }
    if (part || sampled_) return "not once before the samples";
    part = rest.substr(space + 1);
    if (&part == &help_) return escapes(*part, "\\n") ? "" : "an escape that is none";
    return *part == "gauge" || *part == "counter" || *part == "histogram" ? "" : "a type";
  }

  std::string sample(std::string_view line) {
    const std::size_t open = line.find('{');
    if (open == line.npos) return "no labels";
    const std::string name(line.substr(0, open));
    if (!is_name(name, true) || !type_ || !help_) return "a sample of no family";
    line.remove_prefix(open + 1);
    labels of;
    if (!take_labels(line, of)) return "labels";
    if (!series_.insert({name, of}).second) return "a series that is there twice";
    sampled_ = true;
    const auto value = number(line);
    if (!value || *value < 0) return "a value";
    if (*type_ == "histogram") return part_of_histogram(name, std::move(of), *value);
    return name == family_ ? "" : "a sample of another family";
  }

  std::string part_of_histogram(std::string_view name, labels of, double value) {
    if (!name.starts_with(family_)) return "a sample of another family";
    name.remove_prefix(family_.size());
    const auto le = of.extract("le");
    if (le.empty() != (name != "_bucket")) return "le";
    buckets& its = histograms_[of];
    if (name == "_sum") {
      its.sum = true;
    } else if (name == "_count") {
      its.total = value;
    } else if (name != "_bucket") {
      return "no part of a histogram";
    } else {
      const bool last = le.mapped() == "+Inf";
      const auto bound = number(le.mapped());
      if (its.ended || (!last && (!bound || *bound <= its.le))) return "not ascending";
      if (value < its.count) return "a count that falls";
      its = {last ? its.le : *bound, value, last, its.total, its.sum};
    }
    return {};
  }

  std::string end_of_family() {
    for (const auto& [of, its] : histograms_) {
      if (!its.ended || !its.sum || its.total != its.count) return "+Inf, _sum, _count";
    }
    histograms_.clear();
    return {};
  }

  static bool is_name(std::string_view name, bool colon) {
    const auto good = [&](char c) {
      return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || c == '_' || (colon && c == ':') ||
             ('0' <= c && c <= '9');
    };
    for (const char c : name)
      if (!good(c)) return false;
    return !name.empty() && (name[0] < '0' || name[0] > '9');
  }

  static bool escapes(std::string_view text, std::string_view may) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] != '\\') continue;
      if (++i == text.size() || may.find(text[i]) == may.npos) return false;
    }
    return true;
  }

  static std::optional<double> number(std::string_view text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return {};
    return value;
  }

  /// From after "{" to after "} ".
  static bool take_labels(std::string_view& line, labels& into) {
    while (!line.starts_with("} ")) {
      const std::size_t equals = line.find("=\"");
      if (equals == line.npos || !is_name(line.substr(0, equals), false)) return false;
      std::size_t end = equals + 2;
      while (end < line.size() && line[end] != '"') end += line[end] == '\\' ? 2U : 1U;
      if (end >= line.size()) return false;
      const std::string_view value = line.substr(equals + 2, end - equals - 2);
      if (!escapes(value, "\\\"n")) return false;
      if (!into.emplace(line.substr(0, equals), value).second) return false;
      line.remove_prefix(end + 1);
      if (line.starts_with(',')) line.remove_prefix(1);
    }
    line.remove_prefix(2);
    return true;
  }

  std::string family_;
  std::optional<std::string> help_;
  std::optional<std::string> type_;
  bool sampled_ = false;
  std::set<std::string> families_;
  std::set<std::pair<std::string, labels>> series_;
  std::map<labels, buckets> histograms_;
};

}  // namespace bast_stacks::testing
