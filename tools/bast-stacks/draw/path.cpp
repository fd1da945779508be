// SPDX-License-Identifier: Apache-2.0
#include "draw/path.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "model/clean_text.hpp"
#include "model/text.hpp"
#include "show/backtrace.hpp"
#include "show/names.hpp"

namespace bast_stacks::draw {

namespace {

/// Larger groups of functions are not searched for.
constexpr std::size_t period_max = 8;

std::uint64_t sum(std::uint64_t a, std::uint64_t b) {
  return std::min(path_bytes_max, std::min(a, path_bytes_max) + std::min(b, path_bytes_max));
}

path_step step_of(const frame& call) {
  const std::uint64_t bytes = std::min(call.stack_bytes, path_bytes_max);
  path_step step{.function = clean_text(function_of(call)),
                 .module = clean_text(call.module),
                 .function_start = call.function_start,
                 .file = clean_text(call.file),
                 .line = call.line,
                 .bytes = bytes,
                 .least = bytes,
                 .most = bytes,
                 .confirmed = call.confirmed};
  if (step.function.empty()) {
    step.function = step.module.empty() ? fmt::format("{:#x}", call.pc)
                                        : fmt::format("{}+{:#x}", step.module, call.module_offset);
  }
  return step;
}

void add_to(path_step& folded, const path_step& call) {
  folded.bytes = sum(folded.bytes, call.bytes);
  folded.calls += call.calls;
  folded.least = std::min(folded.least, call.least);
  folded.most = std::max(folded.most, call.most);
  folded.confirmed = folded.confirmed && call.confirmed;
  // The step combines calls from different lines.
  if (folded.file != call.file) folded.file.clear();
  if (folded.line != call.line) folded.line = 0;
}

bool same_function(const path_step& a, const path_step& b) {
  return a.kind == step_kind::call && b.kind == step_kind::call && identity_of(a) == identity_of(b);
}

struct repetition {
  std::size_t period = 0;  // calls of the group
  std::size_t times = 0;
};

/// Of the groups that begin at `first`, repeat at least three times and cover more than `beyond`
/// calls, the one that covers most; of equal ones the smallest.
repetition repetition_at(std::span<const path_step> calls, std::size_t first, std::size_t beyond) {
  repetition best;
  for (std::size_t period = 1; period <= period_max; ++period) {
    std::size_t equal = 0;
    while (first + equal + period < calls.size() &&
           same_function(calls[first + equal], calls[first + equal + period]))
      ++equal;
    const repetition found{.period = period, .times = equal / period + 1};
    const std::size_t covered = found.times * period;
    if (found.times >= 3 && covered > beyond && covered > best.times * best.period) best = found;
  }
  return best;
}

/// Linear in the calls: a failed search examines about `beyond` calls or three groups.
std::vector<path_step> folded(std::vector<path_step> calls, std::size_t beyond) {
  if (beyond == 0) return calls;
  std::vector<path_step> steps;
  for (std::size_t i = 0; i < calls.size();) {
    const repetition found = repetition_at(calls, i, beyond);
    if (found.times == 0) {
      steps.push_back(std::move(calls[i++]));
      continue;
    }
    const std::size_t group = steps.size();
    for (std::size_t j = 0; j < found.period * found.times; ++j) {
      if (j < found.period)
        steps.push_back(calls[i + j]);
      else
        add_to(steps[group + j % found.period], calls[i + j]);
    }
    i += found.period * found.times;
  }
  return steps;
}

/// Keeps the outer and the inner half of the drawable steps.
void cut_middle(std::vector<path_step>& steps, std::size_t steps_max) {
  if (steps.size() <= steps_max || steps_max < 3) return;
  const std::size_t outer = steps_max / 2;
  const std::size_t inner = steps_max - outer - 1;
  const auto first = steps.begin() + static_cast<std::ptrdiff_t>(outer);
  const auto last = steps.end() - static_cast<std::ptrdiff_t>(inner);
  path_step cut{.kind = step_kind::omitted, .calls = 0};
  for (auto each = first; each != last; ++each) {
    cut.bytes = sum(cut.bytes, each->bytes);
    cut.calls += each->calls;
  }
  cut.function = fmt::format("({} calls that are not drawn)", count_text(cut.calls));
  *first = std::move(cut);
  steps.erase(first + 1, last);
}

std::vector<path_step> calls_of(std::span<const frame> deepest_first) {
  std::vector<path_step> calls;
  calls.reserve(deepest_first.size());
  for (const frame& each : deepest_first) calls.push_back(step_of(each));
  std::ranges::reverse(calls);
  return calls;
}

}  // namespace

std::string identity_of(const path_step& step) {
  if (step.module.empty()) return step.function;
  return step.function_start == 0 ? step.module + ' ' + step.function
                                  : fmt::format("{}+{:#x}", step.module, step.function_start);
}

std::string short_name_of(const path_step& step) {
  if (step.kind != step_kind::call) return step.function;
  const std::string name = short_function_name(step.function);
  return step.calls > 1 ? fmt::format("{} x{}", name, step.calls) : name;
}

std::string source_of(const path_step& step) {
  if (step.file.empty() || step.line == 0) return step.file;
  return fmt::format("{}:{}", step.file, step.line);
}

stack_path path_of(const site& of, const path_options& options) {
  const backtrace& deepest = of.deepest;
  stack_path path;
  if (deepest.depth == 0) return path;
  const std::span<const frame> frames = deepest.frames;
  const std::size_t inner = deepest.omitted_bytes == 0 ? 0 : std::min(deepest.inner, frames.size());

  std::uint64_t known = std::min(deepest.omitted_bytes, path_bytes_max);
  for (const frame& each : frames) known = sum(known, each.stack_bytes);
  const std::uint64_t depth = std::min(deepest.depth, path_bytes_max);
  if (depth > known) {
    path.steps.push_back({.kind = step_kind::unexplained,
                          .function = "(no call is known)",
                          .bytes = depth - known,
                          .calls = 0});
  }
  const auto append = [&](std::vector<path_step> steps) {
    path.steps.insert(path.steps.end(), std::make_move_iterator(steps.begin()),
                      std::make_move_iterator(steps.end()));
  };
  append(folded(calls_of(frames.subspan(inner)), options.fold_beyond));
  if (deepest.omitted_bytes != 0) {
    path.steps.push_back({.kind = step_kind::omitted,
                          .function = "(calls that were not recorded)",
                          .bytes = std::min(deepest.omitted_bytes, path_bytes_max),
                          .calls = 0});
  }
  append(folded(calls_of(frames.first(inner)), options.fold_beyond));
  cut_middle(path.steps, options.steps_max);
  for (path_step& each : path.steps) {
    each.begin = path.bytes;
    path.bytes = sum(path.bytes, each.bytes);
  }
  return path;
}

}  // namespace bast_stacks::draw
