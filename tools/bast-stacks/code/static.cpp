// SPDX-License-Identifier: Apache-2.0
#include "code/static.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <span>
#include <tuple>

#include "code/call_graph.hpp"
#include "code/names.hpp"
#include "code/worst_path.hpp"
#include "model/clean_text.hpp"
#include "model/text.hpp"

namespace bast_stacks {
namespace {

constexpr char default_root[] = "main";
// The start of every coroutine: activation<Callable, ...>::enter, see lib/bast/coro/activation.hpp.
constexpr char coroutine_entry[] = "bast::internal::activation::enter";
constexpr std::string_view activation = "bast::internal::activation<";

/// The first template argument of an activation; empty if `name` is not one.
std::string coroutine_of(std::string_view name) {
  if (!name.starts_with(activation)) return {};
  name.remove_prefix(activation.size());
  int depth = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char letter = name[i];
    if (depth == 0 && (letter == ',' || letter == '>')) return std::string(name.substr(0, i));
    if (letter == '<' || letter == '(' || letter == '{') ++depth;
    if (letter == '>' || letter == ')' || letter == '}') --depth;
  }
  return {};
}

/// The files whose functions bind lazily, if a path has such a call.
void add_lazy(program_files& files, const worst_path& worst, const std::vector<graph_node>& nodes,
              std::vector<reason>& reasons) {
  std::set<std::size_t> met;
  for (const auto index : worst.reached()) {
    if (nodes[index].binds_lazily) met.insert(nodes[index].file);
  }
  for (const auto file : met) {
    reasons.push_back({.kind = reason_kind::lazy_binding,
                       .function = {},
                       .module = file_name(files[file].elf().path()),
                       .detail = "link it with -z now"});
  }
}

static_bound bound_of(program_files& files, const call_graph& graph, std::size_t root) {
  const auto& nodes = graph.nodes();
  const worst_path worst(nodes, root);
  static_bound bound{.root = nodes[root].name,
                     .coroutine = coroutine_of(nodes[root].name),
                     .module = nodes[root].module,
                     .bytes = worst.bytes(),
                     .worst = worst.path(),
                     .reasons = worst.circles(),
                     .functions = worst.reached().size()};
  for (auto& circle : bound.reasons) circle.at = 0;
  for (const auto index : worst.reached()) {
    const auto& more = nodes[index].reasons;
    bound.reasons.insert(bound.reasons.end(), more.begin(), more.end());
  }
  add_lazy(files, worst, nodes, bound.reasons);
  std::ranges::sort(bound.reasons, {}, [](const reason& one) {
    return std::tie(one.kind, one.function, one.module, one.at, one.detail);
  });
  return bound;
}

/// The starts of coroutines; a part that the compiler moved away is not a function of its own.
std::vector<code_address> starts_of(program_files& files) {
  auto all = files.meant_by(coroutine_entry);
  std::erase_if(all, [&](const code_address& one) {
    return files[one.file].name_at(one.address).ends_with(".cold");
  });
  return all;
}

std::expected<std::vector<code_address>, problem> find_roots(program_files& files,
                                                             const static_options& options) {
  const auto coroutines = starts_of(files);
  std::vector<code_address> roots;
  auto names = options.roots;
  if (names.empty()) {
    roots = coroutines;
    if (roots.empty()) names.emplace_back(default_root);
  }
  for (const auto& name : names) {
    // A coroutine is printed as its callable.
    std::vector<code_address> found;
    std::ranges::copy_if(coroutines, std::back_inserter(found), [&](const code_address& one) {
      return coroutine_of(demangled(files[one.file].name_at(one.address))) == name;
    });
    if (found.empty()) found = files.meant_by(name);
    if (found.empty()) {
      return std::unexpected(problem{
          2, fmt::format("{} has no function named {}", options.program, name),
          files[0].elf().section(".symtab") == nullptr
              ? "its symbol table was stripped: give the file before stripping, or install its "
                "debug symbols, or say where it begins, as in --root 0x12a40"
              : "name one with --root, as the source or the linker does"});
    }
    roots.insert(roots.end(), found.begin(), found.end());
  }
  return roots;
}

std::expected<std::vector<annotation>, problem> read_all(const std::vector<std::string>& paths) {
  std::vector<annotation> all;
  for (const auto& path : paths) {
    auto more = read_annotations(path);
    if (!more) return std::unexpected(std::move(more.error()));
    all.insert(all.end(), more->begin(), more->end());
  }
  return all;
}

/// Appends the shipped annotations to the user's, except for functions that the user's name.
std::expected<void, problem> add_shipped(const std::string& path, std::vector<annotation>& all) {
  auto shipped = read_annotations(path);
  if (!shipped) return std::unexpected(std::move(shipped.error()));
  const auto users = all.size();
  for (auto& one : *shipped) {
    const auto said = std::span(all).first(users);
    if (std::ranges::find(said, one.function, &annotation::function) != said.end()) continue;
    one.shipped = true;
    all.push_back(std::move(one));
  }
  return {};
}

/// Counts the reasons that the shipped annotations remove. Functions are decoded once for both
/// analyses.
void count_removed(program_files& files, const std::vector<annotation>& annotations,
                   const usage_table& usage, const std::vector<code_address>& roots,
                   static_report& report) {
  std::vector<annotation> users;
  std::ranges::remove_copy_if(annotations, std::back_inserter(users), &annotation::shipped);
  call_graph graph(files, users, usage);
  std::vector<std::size_t> starts;
  for (const auto& root : roots) starts.push_back(graph.add_root(root));
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const auto without = bound_of(files, graph, starts[i]).reasons.size();
    auto& bound = report.bounds[i];
    // Cutting a cycle in two can leave more reasons than before.
    bound.removed = without - std::min(without, bound.reasons.size());
  }
}

}  // namespace

std::expected<static_report, problem> analyse(const static_options& options) {
  auto annotations = read_all(options.annotations);
  if (!annotations) return std::unexpected(std::move(annotations.error()));
  static_report report{.program = options.program, .bounds = {}, .notes = {}};
  std::error_code ignored;
  if (std::filesystem::exists(options.shipped, ignored)) {
    report.shipped = options.shipped;
    if (auto added = add_shipped(options.shipped, *annotations); !added)
      return std::unexpected(std::move(added.error()));
  } else if (!options.shipped.empty()) {
    report.notes.push_back(
        fmt::format("The shipped annotations were not found: {}.", options.shipped));
  }
  auto files = program_files::load(options.program);
  if (!files) return std::unexpected(std::move(files.error()));
  usage_table usage;
  for (const auto& directory : options.stack_usage) {
    const auto machine = (*files)[0].elf().machine();
    if (auto added = usage.add_directory(directory, machine); !added)
      return std::unexpected(std::move(added.error()));
  }
  const auto roots = find_roots(*files, options);
  if (!roots) return std::unexpected(roots.error());

  report.build_id = (*files)[0].elf().build_id();
  call_graph graph(*files, *annotations, usage);
  std::vector<std::size_t> starts;
  for (const auto& root : *roots) starts.push_back(graph.add_root(root));
  for (const auto start : starts) report.bounds.push_back(bound_of(*files, graph, start));
  if (!report.shipped.empty()) count_removed(*files, *annotations, usage, *roots, report);
  for (const auto& name : files->missing())
    report.notes.push_back(fmt::format("The library {} was not found.", name));
  for (auto& sentence : graph.unused()) report.notes.push_back(std::move(sentence));
  // More would not be read.
  constexpr std::size_t differences_most = 20;
  const auto& differ = graph.differences();
  const std::size_t shown = std::min(differ.size(), differences_most);
  report.notes.insert(report.notes.end(), differ.begin(),
                      differ.begin() + static_cast<std::ptrdiff_t>(shown));
  if (shown < differ.size()) {
    report.notes.push_back(fmt::format("{} with other frames by the compiler.",
                                       counted(differ.size() - shown, "more function")));
  }
  if (usage.refused() != 0) {
    report.notes.push_back(
        fmt::format("{} of .su and .ci files made no sense.", counted(usage.refused(), "line")));
  }
  return report;
}

std::expected<std::vector<function_frame>, problem> frames_in(const std::string& path) {
  const auto file = code_file::open(path);
  if (!file) return std::unexpected(file.error());
  std::vector<function_frame> all;
  for (const auto& range : (*file)->frames().ranges()) {
    const function_extent extent{.low = range.low, .high = range.high};
    const auto& shape = (*file)->shape_of(extent);
    const auto name = (*file)->name_at(range.low);
    all.push_back({.function = name.empty() ? fmt::format("{:#x}", range.low) : std::string(name),
                   .address = range.low,
                   .bytes = shape.frame_bytes,
                   .dynamic = shape.dynamic,
                   .switches = shape.switches,
                   .realigned = shape.realigned});
  }
  return all;
}

}  // namespace bast_stacks
