// SPDX-License-Identifier: Apache-2.0
#include "show/backtrace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

#include "model/statistics.hpp"
#include "model/text.hpp"
#include "show/columns.hpp"
#include "show/names.hpp"

namespace bast_stacks {
namespace {

// The longest cycle of functions that is searched for: std::regex has cycles of eight.
constexpr std::size_t period_max = 16;

/// Frames [from, from + period * times): the same `period` functions, `times` times.
struct run {
  std::size_t period = 1;
  std::size_t times = 1;
};

bool same_function(const frame& a, const frame& b) {
  if (!a.function.empty() || !b.function.empty()) return a.function == b.function;
  return a.function_start != 0 && !a.module.empty() && a.function_start == b.function_start &&
         a.module == b.module;
}

/// The repetition from frame `from` on, before `end`: the run that covers most frames.
run run_at(const backtrace& of, std::size_t from, std::size_t end) {
  const auto same = [&](std::size_t a, std::size_t b) {
    return same_function(of.frames[a], of.frames[b]);
  };
  run best;
  for (std::size_t period = 1; period <= period_max && from + 2 * period <= end; ++period) {
    std::size_t last = from;
    while (last + period < end && same(last, last + period)) ++last;
    const std::size_t times = (last - from) / period + 1;
    // A cycle that occurs twice saves less than its head takes.
    if (times < (period == 1 ? 2U : 3U)) continue;
    if (period * times > best.period * best.times) best = {period, times};
  }
  return best;
}

class writer {
 public:
  writer(const backtrace& of, bool exact) : of_(of), exact_(exact) {}

  std::string text() {
    for (std::size_t at = 0; at < of_.frames.size();) {
      // The frames before the missing ones and those after them are folded separately.
      const std::size_t end = at < of_.inner ? of_.inner : of_.frames.size();
      const run found = run_at(of_, at, std::min(end, of_.frames.size()));
      repetition(at, found);
      at += found.period * found.times;
      if (at == of_.inner && of_.omitted_bytes != 0)
        line(of_.omitted_bytes, "(frames not recorded)");
    }
    return std::move(out_);
  }

 private:
  void line(std::uint64_t bytes, std::string_view what) {
    out_ += fmt::format("  {:>10}  {}\n", size_text(bytes, exact_), cut_end(what, line_width - 14));
  }

  void repetition(std::size_t from, const run& found) {
    std::uint64_t bytes = 0;
    bool confirmed = true;
    for (std::size_t i = from; i < from + found.period * found.times; ++i) {
      bytes = add(bytes, of_.frames[i].stack_bytes);
      confirmed = confirmed && of_.frames[i].confirmed;
    }
    const char* const doubt = confirmed ? "" : " ?";
    if (found.period == 1) {
      const std::string name = frame_name(of_.frames[from]);
      line(bytes,
           found.times == 1 ? name + doubt : fmt::format("{} x{}{}", name, found.times, doubt));
      return;
    }
    line(bytes, fmt::format("{} times these {} calls{}:", found.times, found.period, doubt));
    for (std::size_t i = from; i < from + found.period; ++i)
      line(of_.frames[i].stack_bytes, "  " + frame_name(of_.frames[i]));
  }

  const backtrace& of_;
  bool exact_;
  std::string out_;
};

/// The estimated occurrences of a function among the missing frames, if those are like the frames
/// before them, where it occurs `times` times.
std::uint64_t estimate(const backtrace& of, std::string_view function) {
  std::uint64_t times = 0;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < std::min(of.inner, of.frames.size()); ++i) {
    if (function_of(of.frames[i]) == function) ++times;
    bytes = add(bytes, of.frames[i].stack_bytes);
  }
  if (times < 3 || bytes == 0) return 0;
  return of.omitted_bytes / std::max<std::uint64_t>(1, bytes / times);
}

/// Bytes of the frames after one call of `function` up to and including the next. 0 if frames in
/// between are missing.
std::uint64_t round_of(const backtrace& of, std::string_view function) {
  std::uint64_t most = 0;
  std::uint64_t bytes = 0;
  bool inside = false;
  for (std::size_t i = 0; i < of.frames.size(); ++i) {
    if (i == of.inner && of.omitted_bytes != 0) inside = false;
    bytes = add(bytes, of.frames[i].stack_bytes);
    if (function_of(of.frames[i]) != function) continue;
    if (inside) most = std::max(most, bytes);
    inside = true;
    bytes = 0;
  }
  return most;
}

bool all_confirmed(const backtrace& of, std::string_view function) {
  return std::ranges::all_of(
      of.frames, [&](const frame& f) { return function_of(f) != function || f.confirmed; });
}

}  // namespace

std::string function_of(const frame& of) {
  if (!of.function.empty() || of.module.empty() || of.function_start == 0) return of.function;
  return fmt::format("{}+{:#x}", of.module, of.function_start);
}

std::string backtrace_text(const backtrace& of, bool exact) { return writer(of, exact).text(); }

recursion recursion_of(const backtrace& of, std::uint64_t least) {
  std::map<std::string, std::uint64_t> times;
  for (const frame& f : of.frames) {
    if (std::string function = function_of(f); !function.empty()) ++times[std::move(function)];
  }
  recursion most;
  for (auto f = of.frames.rbegin(); f != of.frames.rend(); ++f) {
    const auto found = times.find(function_of(*f));
    if (found != times.end() && found->second > most.times)
      most = {.function = found->first, .times = found->second};
  }
  if (most.times < least) return {};
  // A leftover word of an earlier call can make two of one.
  if (most.times == 2 && !all_confirmed(of, most.function)) return {};
  most.round_bytes = round_of(of, most.function);
  if (const std::uint64_t more = estimate(of, most.function); more != 0) {
    most.times = add(most.times, more);
    most.estimated = true;
  }
  return most;
}

std::string recursion_text(const backtrace& of) { return recursion_text(recursion_of(of)); }

std::string recursion_text(const recursion& found) {
  if (found.times == 0) return {};
  std::string name = short_function_name(found.function);
  if (const std::size_t scope = name.rfind("::"); scope != name.npos) name.erase(0, scope + 2);
  name = cut_end(name, 20);
  if (!found.estimated) return fmt::format("recursion {} x{}", name, found.times);
  // An estimate is good for at most two digits.
  std::uint64_t unit = 1;
  while (found.times / unit >= 100) unit *= 10;
  return fmt::format("recursion {} x~{}", name, found.times / unit * unit);
}

}  // namespace bast_stacks
