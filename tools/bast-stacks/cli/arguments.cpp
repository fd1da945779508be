// SPDX-License-Identifier: Apache-2.0
#include "cli/arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/words.hpp"
#include "model/parse.hpp"

namespace bast_stacks {
namespace {

using std::chrono::nanoseconds;

CLI::App& command(CLI::App& app, const char* name) {
  return *app.add_subcommand(name, words_of(name).summary);
}

/// An option with one of a few values.
CLI::Option* choice(CLI::App& to, const std::string& name, std::string& into,
                    const std::vector<std::string>& values, const std::string& what) {
  const auto check = [values](const std::string& value) {
    if (std::ranges::find(values, value) != values.end()) return std::string();
    return fmt::format("\"{}\" is none of {}", value, fmt::join(values, ", "));
  };
  return to.add_option(name, into, what)
      ->check(check)
      ->type_name(fmt::format("{}", fmt::join(values, "|")));
}

CLI::Option* percentage(CLI::App& to, const std::string& name, auto& into,
                        const std::string& what) {
  const auto check = [](const std::string& value) {
    const auto number = decimal_in(value);
    return number && *number > 0 && *number < 100
               ? std::string()
               : fmt::format("\"{}\" is no percentage between 0 and 100", value);
  };
  return to.add_option(name, into, what)->check(check)->type_name("PERCENT");
}

CLI::Option* duration(CLI::App& to, const std::string& name, std::optional<nanoseconds>& into,
                      const std::string& what) {
  const auto check = [](const std::string& value) {
    const auto parsed = parse_duration(value);
    return parsed.has_value() ? std::string() : parsed.error();
  };
  // CLI11's transformers have their own durations, in which 1m is a month or a minute.
  return to
      .add_option_function<std::string>(
          name, [&into](const std::string& value) { into = *parse_duration(value); }, what)
      ->check(check)
      ->type_name("TIME");
}

void add_source(CLI::App& to, arguments& into) {
  to.add_option("SOURCE", into.source,
                "a process by its number, a core file, a recording, or - for a recording on "
                "standard input")
      ->required()
      ->type_name("SOURCE");
  to.add_flag("--no-live", into.no_live, "do not look at how deep live stacks are");
  to.add_option("--program", into.program,
                "the executable of a core file, if it has moved; its build id must be that of the "
                "program that ran")
      ->type_name("FILE");
}

void add_output(CLI::App& to, arguments& into) {
  to.add_option("-o,--output", into.output, "where to write to; - is standard output")
      ->type_name("FILE");
}

void add_bytes(CLI::App& to, arguments& into) {
  to.add_flag("--bytes", into.exact_bytes, "sizes in bytes, not in KiB");
}

void add_json(CLI::App& to, arguments& into) {
  to.add_flag("--json", into.json, "the same as --format json");
}

/// For an option that only recommendations use.
auto asks(arguments& into) {
  return [&into](const std::string&) { into.asks_for_advice = true; };
}

void add_confidence(CLI::App& to, arguments& into) {
  percentage(
      to, "--quantile", into.quantile,
      "lower a limit only if this part of all uses stays within the deepest seen (99.9, and a "
      "program that goes on was seen for an hour)")
      ->each(asks(into));
  percentage(to, "--confidence", into.confidence, "and that with this confidence (95)")
      ->each(asks(into));
}

/// Returns --annotations.
CLI::Option* add_annotations(CLI::App& to, arguments& into) {
  to.add_flag("--no-default-annotations", into.no_default_annotations,
              "leave out the annotations that come with bast-stacks, of what ends every process");
  return to.add_option("--annotations", into.annotations, "what the analysis cannot know")
      ->type_name("FILE");
}

/// Everything that a recommendation depends on.
void add_advice(CLI::App& to, arguments& into) {
  add_confidence(to, into);
  to.add_option("--bound", into.bounds,
                "a static bound that is sound, for the sites that match: GLOB=SIZE, as in "
                "'parse.cpp:*=40 KiB'")
      ->type_name("BOUND")
      ->each(asks(into));
  CLI::Option* const code =
      to.add_option("--static", into.elf,
                    "the program that ran: recommend no less than the bounds of its code, where "
                    "they are sound")
          ->type_name("FILE")
          ->each(asks(into));
  add_annotations(to, into)->needs(code);
}

void declare_looking(CLI::App& app, arguments& into) {
  CLI::App& run = command(app, "run");
  run.add_flag("--deepest", into.deepest,
               "record a backtrace at every new page, not only at growth");
  run.add_option("-o,--output", into.output, "write a recording here instead of a report")
      ->type_name("FILE");

  CLI::App& top = command(app, "top");
  add_source(top, into);
  duration(top, "--every", into.every, "time between two looks (2s)");
  add_confidence(top, into);

  CLI::App& record = command(app, "record");
  record.add_option("PID", into.source, "a process by its number")->required()->type_name("PID");
  add_output(record, into);
  duration(record, "--duration", into.duration,
           "how long; without it until interrupted or the end of the process");
  duration(record, "--every", into.every, "time between two looks (1s)");
  record.add_flag("--deepest", into.deepest,
                  "watch page faults for the calls of the deepest stacks, see above");
}

void declare_reporting(CLI::App& app, arguments& into) {
  CLI::App& report = command(app, "report");
  add_source(report, into);
  choice(report, "--by", into.by, {"site", "stack", "pool"}, "what a row is (site)");
  choice(report, "--sort", into.sort, {"margin", "max", "uses", "waste", "site"},
         "what comes first (margin)");
  // CLI11 would accept -1 as the largest number.
  report.add_option("--top", into.top, "how many rows")
      ->check([](const std::string& value) {
        return number_in<std::size_t>(value) ? std::string()
                                             : fmt::format("\"{}\" is no number of rows", value);
      })
      ->type_name("NUMBER");
  report.add_option("--site", into.site, "all that is known of the sites that match")
      ->type_name("GLOB");
  report.add_flag("--all", into.all, "every row, every pool, every reservation");
  add_bytes(report, into);
  add_advice(report, into);
  choice(report, "--format", into.format, {"text", "json"},
         "what to write (text); json is a recording");
  add_json(report, into);
  add_output(report, into);

  CLI::App& recommend = command(app, "recommend");
  add_source(recommend, into);
  add_advice(recommend, into);
  add_bytes(recommend, into);
  choice(recommend, "--format", into.format, {"text", "json"}, "what to write (text)");
  add_json(recommend, into);
  add_output(recommend, into);

  CLI::App& flame = command(app, "flame");
  add_source(flame, into);
  flame.add_option("--site", into.site, "only the sites that match")->type_name("GLOB");
  choice(flame, "--format", into.format, {"svg", "folded", "speedscope"}, "what to write (svg)");
  add_output(flame, into);
}

void declare_static(CLI::App& app, arguments& into) {
  CLI::App& bounds = command(app, "static");
  bounds.add_option("FILE", into.elf, "a program or shared library")->required()->type_name("FILE");
  bounds
      .add_option("--root", into.roots, "a function where a stack begins (main); may be repeated")
      ->type_name("FUNCTION");
  add_annotations(bounds, into);
  bounds.add_option("--su", into.stack_usage, "a directory of .su and .ci files of the compiler")
      ->type_name("DIRECTORY");
  bounds.add_option("--measured", into.joined, "a process, core file or recording to compare with")
      ->type_name("SOURCE");
  bounds.add_flag("--details", into.details, "each reason by name");
  bounds.add_flag("--frames", into.frames, "the frame of every function, and no bound");
  choice(bounds, "--format", into.format, {"text", "json"}, "what to write (text)");
  add_json(bounds, into);
  add_output(bounds, into);
}

void declare_comparing(CLI::App& app, arguments& into) {
  CLI::App& diff = command(app, "diff");
  diff.add_option("OLD", into.source, "what was before")->required()->type_name("SOURCE");
  diff.add_option("NEW", into.other, "what is now")->required()->type_name("SOURCE");
  diff.add_flag("--all", into.all, "also what did not change");
  diff.add_flag("--exit-code", into.exit_code, "exit with 1 if a site got deeper");
  add_bytes(diff, into);
  choice(diff, "--format", into.format, {"text", "json"}, "what to write (text)");
  add_json(diff, into);
  add_output(diff, into);

  CLI::App& check = command(app, "check");
  add_source(check, into);
  check.add_option("--budget", into.budget, "the budgets")->required()->type_name("FILE");
  check.add_flag("--update", into.update, "rewrite the budgets to what was seen, and a margin");
  percentage(check, "--margin", into.margin, "that margin (10)");
  choice(check, "--format", into.format, {"text", "junit", "sarif", "github"},
         "what to write (text)");
  add_output(check, into);

  CLI::App& out = command(app, "export");
  add_source(out, into);
  choice(out, "--format", into.format,
         {"json", "csv", "prometheus", "folded", "speedscope", "html"}, "what to write (json)");
  add_advice(out, into);
  add_output(out, into);
}

}  // namespace

void declare(CLI::App& app, arguments& into) {
  app.set_help_flag("--help,-h", "print this and exit");
  app.require_subcommand(0, 1);
  declare_looking(app, into);
  declare_reporting(app, into);
  declare_static(app, into);
  declare_comparing(app, into);
  app.add_flag("--version", into.version, "print the version of the program and of the registry");
  // For the build: an empty group is hidden from help.
  app.add_option("--generate", into.generate)->expected(2)->group("");
}

std::expected<nanoseconds, std::string> parse_duration(const std::string& text) {
  const auto wrong = [&] {
    return std::unexpected(
        fmt::format("\"{}\" is no time: expected a number and ms, s, min or h, as in 60s", text));
  };
  const std::size_t digits = text.find_first_not_of("0123456789.");
  if (digits == 0 || digits == text.npos) return wrong();
  std::string unit = text.substr(digits);
  if (unit.starts_with(' ')) unit.erase(0, 1);
  const double factor = unit == "ms"    ? 1e6
                        : unit == "s"   ? 1e9
                        : unit == "min" ? 60e9
                        : unit == "h"   ? 3600e9
                                        : 0;
  const double result = decimal_in(std::string_view(text).substr(0, digits)).value_or(0) * factor;
  // At most a year.
  if (!(result >= 1) || result > 3.2e16) return wrong();
  return nanoseconds(static_cast<std::int64_t>(result));
}

std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  std::vector<std::string> result;
  if (type.find('|') == type.npos) return result;
  for (std::size_t at = 0; at <= type.size();) {
    const std::size_t end = std::min(type.find('|', at), type.size());
    result.push_back(type.substr(at, end - at));
    at = end + 1;
  }
  return result;
}

}  // namespace bast_stacks
