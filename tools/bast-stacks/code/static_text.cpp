// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>

#include "code/static.hpp"
#include "model/clean_text.hpp"
#include "model/text.hpp"

namespace bast_stacks {
namespace {

// A longer name of a cycle goes to the details.
constexpr std::size_t circle_columns_max = 80;

struct reason_words {
  std::string_view id;  // in JSON
  std::string_view one;
  std::string_view many;
};
constexpr std::array<reason_words, reason_kinds> words{{
    {"indirect_call", "indirect call", "indirect calls"},
    {"recursion", "recursion", "recursions"},
    {"dynamic_frame", "alloca", "allocas"},
    {"external", "external function", "external functions"},
    {"no_table", "function without unwind table", "functions without unwind tables"},
    {"not_decoded", "function that cannot be decoded", "functions that cannot be decoded"},
    {"chosen_at_load", "function chosen at load", "functions chosen at load"},
    {"lazy_binding", "file with lazy binding", "files with lazy binding"},
}};

const reason_words& words_of(reason_kind kind) { return words[static_cast<std::size_t>(kind)]; }

std::string headline(const static_bound& bound) {
  auto text = fmt::format("bound: {} bytes", count_text(bound.bytes));
  if (bound.sound()) return text + " - sound";
  text += " - UNSOUND: ";
  for (std::size_t kind = 0; kind < reason_kinds; ++kind) {
    const auto is_of = [kind](const reason& one) {
      return static_cast<std::size_t>(one.kind) == kind;
    };
    const auto count = std::ranges::count_if(bound.reasons, is_of);
    if (count == 0) continue;
    if (!text.ends_with(": ")) text += ", ";
    text += fmt::format("{} {}", count_text(static_cast<std::uint64_t>(count)),
                        count == 1 ? words[kind].one : words[kind].many);
    const auto first = std::ranges::find_if(bound.reasons, is_of);
    if (first->kind == reason_kind::recursion && first->detail.size() <= circle_columns_max)
      text += fmt::format(" ({}{})", first->detail, count > 1 ? ", ..." : "");
  }
  return text;
}

void add_details(const static_bound& bound, std::string& text) {
  auto out = std::back_inserter(text);
  for (const auto& one : bound.reasons) {
    fmt::format_to(out, "  {}", words_of(one.kind).one);
    if (!one.function.empty()) fmt::format_to(out, " in {}", one.function);
    fmt::format_to(out, ", {}", one.module);
    if (one.at != 0) fmt::format_to(out, "+{:#x}", one.at);
    if (!one.detail.empty()) fmt::format_to(out, ": {}", one.detail);
    text += '\n';
  }
}

void add_observation(const static_bound& bound, const observation& seen, std::string& text) {
  text += fmt::format("  observed at {}: {} of {} bytes\n", clean_text(seen.site),
                      count_text(seen.observed), count_text(bound.bytes));
  if (seen.not_reached.empty()) return;
  text += "  of the worst path these frames were never reached:\n";
  for (const auto& function : seen.not_reached) text += fmt::format("    {}\n", function);
}

}  // namespace

std::string static_text(const static_report& report, const static_text_options& options) {
  std::string text;
  for (const auto& bound : report.bounds) {
    if (!text.empty()) text += '\n';
    const auto title =
        bound.coroutine.empty() ? bound.root : fmt::format("coroutine {}", bound.coroutine);
    text += fmt::format("{} ({})\n  {}\n  worst path:\n", title, bound.module, headline(bound));
    for (const auto& frame : bound.worst) {
      const auto rounds = frame.times == 0 ? ""
                                           : fmt::format(", with what it recurs through, {}",
                                                         counted(frame.times, "time"));
      text += fmt::format("  {:>10}  {} ({}){}\n", count_text(frame.bytes), frame.function,
                          frame.module, rounds);
    }
    text += fmt::format("  {} can be reached\n", counted(bound.functions, "function"));
    if (bound.removed != 0) {
      text += fmt::format("  {} reason{} removed by the shipped annotations: {}\n",
                          count_text(bound.removed), bound.removed == 1 ? "" : "s", report.shipped);
    }
    for (const auto& seen : bound.observations) add_observation(bound, seen, text);
    if (options.details) add_details(bound, text);
  }
  for (const auto& note : report.notes) text += clean_text(note) + '\n';
  return text;
}

std::string static_json(const static_report& report) {
  using nlohmann::ordered_json;
  ordered_json all{{"schema", "bast-stacks static 1"},
                   {"program", report.program},
                   {"shipped_annotations", report.shipped}};
  all["bounds"] = ordered_json::array();
  for (const auto& bound : report.bounds) {
    ordered_json entry{{"root", bound.root},      {"coroutine", bound.coroutine},
                       {"module", bound.module},  {"bytes", bound.bytes},
                       {"sound", bound.sound()},  {"functions", bound.functions},
                       {"removed", bound.removed}};
    entry["worst_path"] = ordered_json::array();
    for (const auto& frame : bound.worst) {
      entry["worst_path"].push_back({{"function", frame.function},
                                     {"module", frame.module},
                                     {"bytes", frame.bytes},
                                     {"times", frame.times}});
    }
    entry["reasons"] = ordered_json::array();
    for (const auto& one : bound.reasons) {
      entry["reasons"].push_back({{"kind", words_of(one.kind).id},
                                  {"function", one.function},
                                  {"module", one.module},
                                  {"at", one.at},
                                  {"detail", one.detail}});
    }
    entry["observations"] = ordered_json::array();
    for (const auto& seen : bound.observations) {
      entry["observations"].push_back(
          {{"site", seen.site}, {"observed", seen.observed}, {"not_reached", seen.not_reached}});
    }
    all["bounds"].push_back(std::move(entry));
  }
  all["notes"] = report.notes;
  // Names come from files: invalid UTF-8 is replaced, without an exception.
  return all.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::string frames_text(const std::vector<function_frame>& frames) {
  std::string text;
  for (const auto& one : frames) {
    text += fmt::format("{}\t{}\t{}\n", clean_text(one.function), one.bytes,
                        one.dynamic     ? "dynamic"
                        : one.switches  ? "switches"
                        : one.realigned ? "realigned"
                                        : "static");
  }
  return text;
}

}  // namespace bast_stacks
