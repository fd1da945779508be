// SPDX-License-Identifier: Apache-2.0
#include "code/call_graph.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>

#include "code/names.hpp"
#include "code/plt.hpp"
#include "model/clean_text.hpp"
#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

// What glibc's dynamic linker runs to find a function at its first call; an annotation can say how
// much it takes.
constexpr std::string_view lazy_binder = "_dl_runtime_resolve";

/// Whether a row is that of a function which nobody has taken stack in yet.
bool is_entry(const frame_row& row, std::int64_t entry_bytes) {
  return row.base == cfa_base::unknown ||
         (row.base == cfa_base::stack_pointer && row.offset == entry_bytes);
}

}  // namespace

call_graph::call_graph(program_files& files, const std::vector<annotation>& annotations,
                       const usage_table& usage)
    : files_(files), annotations_(annotations), usage_(usage), used_(annotations.size()) {}

std::size_t call_graph::add_root(const code_address& at) {
  const auto root = node_of(at);
  while (!waiting_.empty()) {
    const auto next = waiting_.back();
    waiting_.pop_back();
    expand(next);
  }
  return root;
}

std::uint64_t call_graph::entry_bytes(std::size_t file) const {
  return static_cast<std::uint64_t>(files_.files()[file]->frames().entry_bytes());
}

std::size_t call_graph::node_of(const code_address& at) {
  auto& file = files_[at.file];
  const auto extent = file.extent_at(at.address);
  const auto start = extent ? extent->low : at.address;
  const auto [known, is_new] = by_address_.try_emplace({at.file, start}, nodes_.size());
  if (!is_new) return known->second;
  graph_node node{.file = at.file,
                  .extent = extent.value_or(function_extent{start, start}),
                  .linker_name = std::string(file.name_at(start)),
                  .module = file_name(file.elf().path())};
  // As annotations can say it, see annotations.hpp.
  node.name = !node.linker_name.empty() ? demangled(node.linker_name)
              : at.file == 0            ? fmt::format("{:#x}", start)
                                        : fmt::format("{:#x}@{}", start, node.module);
  if (node.linker_name.starts_with("_Z")) node.plain_name = plain_name(node.name);
  nodes_.push_back(std::move(node));
  waiting_.push_back(nodes_.size() - 1);
  return nodes_.size() - 1;
}

bool call_graph::means_node(const annotation& one, const graph_node& node) const {
  const auto start = node.extent.low;
  if (const auto address = address_in(one.function))
    return *address == start && (one.module.empty() ? node.file == 0 : one.module == node.module);
  if (!one.module.empty() && one.module != node.module) return false;
  if (one.function == node.name || means(one.function, node.linker_name)) return true;
  // Another name of the same code.
  const auto named = files_[node.file].elf().addresses_of(one.function);
  return std::ranges::find(named, start) != named.end();
}

/// The first call of a function runs the dynamic linker below the caller's `bytes`.
void call_graph::bind_lazily(std::size_t index, std::uint64_t bytes) {
  for (std::size_t i = 0; i < annotations_.size(); ++i) {
    const auto& one = annotations_[i];
    if (one.kind != annotation_kind::external || one.function != lazy_binder) continue;
    used_[i] = true;
    nodes_[index].own_bytes = std::max(nodes_[index].own_bytes, bytes + one.limit);
    return;
  }
  nodes_[index].binds_lazily = true;
}

const annotation* call_graph::annotated(const graph_node& node, annotation_kind kind) {
  const annotation* found = nullptr;
  for (std::size_t i = 0; i < annotations_.size(); ++i) {
    const auto& one = annotations_[i];
    if (one.kind != kind) continue;
    if (!means_node(one, node)) continue;
    used_[i] = true;
    if (found == nullptr) found = &one;
  }
  return found;
}

std::vector<std::string> call_graph::unused() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < annotations_.size(); ++i) {
    if (!used_[i] && !annotations_[i].shipped) {
      all.push_back(
          fmt::format("{}: {} was not met.", annotations_[i].where, annotations_[i].function));
    }
  }
  return all;
}

void call_graph::add_reason(std::size_t index, reason_kind kind, std::uint64_t at,
                            std::string detail) {
  auto& node = nodes_[index];
  node.reasons.push_back({.kind = kind,
                          .function = node.name,
                          .module = node.module,
                          .detail = std::move(detail),
                          .at = at});
}

void call_graph::add_edge(std::size_t from, std::size_t to, std::uint64_t bytes) {
  auto& edges = nodes_[from].edges;
  const auto known = std::ranges::find(edges, to, &graph_edge::to);
  if (known == edges.end()) {
    edges.push_back({.to = to, .bytes = bytes});
  } else {
    known->bytes = std::max(known->bytes, bytes);
  }
}

void call_graph::expand(std::size_t index) {
  if (annotated(nodes_[index], annotation_kind::ignore) != nullptr) return;
  if (const auto* const known = annotated(nodes_[index], annotation_kind::external)) {
    nodes_[index].own_bytes = known->limit;
    return;
  }
  auto& file = files_[nodes_[index].file];
  const auto extent = nodes_[index].extent;
  const auto* usage = usage_.find(nodes_[index].linker_name);
  function_usage of_the_file;
  if (usage == nullptr) {
    if (const auto told = file.told_bytes(extent.low)) {
      of_the_file.bytes = *told;
      usage = &of_the_file;
    }
  }
  if (extent.low == extent.high) {
    nodes_[index].own_bytes = usage == nullptr ? 0 : usage->bytes;
    return add_reason(index, reason_kind::no_table, extent.low);
  }
  // A copy: following calls can make the file learn of more functions.
  const auto shape = file.shape_of(extent);
  std::uint64_t dynamic_bytes = 0;
  if (shape.dynamic) {
    if (const auto* const known = annotated(nodes_[index], annotation_kind::dynamic)) {
      dynamic_bytes = known->limit;
    } else if (usage != nullptr && usage->kind != usage_kind::dynamic) {
      dynamic_bytes = usage->bytes - std::min(usage->bytes, shape.frame_bytes);
    } else {
      add_reason(index, reason_kind::dynamic_frame, extent.low);
    }
  }
  if (!shape.decoded) add_reason(index, reason_kind::not_decoded, extent.low);
  const bool comparable = usage != nullptr && usage->kind == usage_kind::fixed && !shape.dynamic;
  if (comparable && usage->bytes != shape.frame_bytes) {
    differences_.push_back(
        fmt::format("{}: {} bytes by the compiler, {} by the instructions: the larger counts.",
                    nodes_[index].linker_name, usage->bytes, shape.frame_bytes));
    dynamic_bytes = usage->bytes - std::min(usage->bytes, shape.frame_bytes);
  }
  nodes_[index].own_bytes = shape.touched_bytes + dynamic_bytes;
  if (usage != nullptr && !shape.decoded)
    nodes_[index].own_bytes = std::max(nodes_[index].own_bytes, usage->bytes);
  if (const auto* const known = annotated(nodes_[index], annotation_kind::recursion))
    nodes_[index].entries_max = std::max<std::uint64_t>(known->limit, 1);
  for (const auto& call : shape.calls) follow(index, call, dynamic_bytes);
}

void call_graph::follow(std::size_t index, const call_site& call, std::uint64_t dynamic_bytes) {
  const auto file = nodes_[index].file;
  if (call.tail && BAST_STACKS_MUTANT(tail_call_ignored)) return;
  switch (call.target_is) {
    case target_kind::direct:
      // "call next; next: pop" asks where it is.
      if (!call.tail && call.target == call.pc + call.bytes) return;
      if (const auto slot = plt_slot(files_[file], call.target))
        return follow_slot(index, call, *slot, dynamic_bytes);
      return follow_code(index, call, {.file = file, .address = call.target}, dynamic_bytes);
    case target_kind::slot: return follow_slot(index, call, call.target, dynamic_bytes);
    case target_kind::none:
    case target_kind::unknown: break;
  }
  if (!follow_annotated(index, call.stack_bytes + dynamic_bytes))
    add_reason(index, reason_kind::indirect_call, call.pc);
}

/// False when no annotation says where the function's indirect calls go.
bool call_graph::follow_annotated(std::size_t index, std::uint64_t bytes) {
  // Lines that are shipped name all that there can be. In a program without names it is there all
  // the same, and is not met.
  const auto has_names = [&](std::size_t file) {
    return files_[file].elf().section(".symtab") != nullptr;
  };
  const bool all_named = has_names(0) && has_names(nodes_[index].file);
  bool known = false;
  for (std::size_t i = 0; i < annotations_.size(); ++i) {
    const auto& one = annotations_[i];
    if (one.kind != annotation_kind::edge || !means_node(one, nodes_[index])) continue;
    used_[i] = true;
    known = known || all_named || !one.shipped;
    const auto targets = files_.meant_by(one.target);
    for (const auto& target : targets) add_edge(index, node_of(target), bytes);
    known = known || !targets.empty();
    if (targets.empty() && !one.shipped) {
      add_reason(index, reason_kind::external, 0,
                 fmt::format("{}, which {} names", one.target, one.where));
    }
  }
  return known;
}

void call_graph::follow_slot(std::size_t index, const call_site& call, std::uint64_t slot,
                             std::uint64_t dynamic_bytes) {
  const auto from = nodes_[index].file;
  const auto* const written = files_[from].elf().relocation_at(slot);
  const auto* const holder = files_[from].elf().section_at(slot);
  // What the program itself can write to later says nothing.
  const bool constant = holder != nullptr && (holder->name.starts_with(".got") ||
                                              holder->name.starts_with(".data.rel.ro"));
  if (written == nullptr || !constant) {
    if (follow_annotated(index, call.stack_bytes + dynamic_bytes)) return;
    return add_reason(index, reason_kind::indirect_call, call.pc);
  }
  if (written->lazy && !files_[from].elf().binds_now())
    bind_lazily(index, call.stack_bytes + dynamic_bytes);
  code_address target{
      .file = from, .address = written->value, .chosen_at_load = written->chosen_at_load};
  if (!written->symbol.empty()) {
    const auto found = files_.find(written->symbol);
    if (!found) {
      // A weak symbol that nobody defines is null, and the program asks before it calls.
      if (written->weak) return;
      for (std::size_t i = 0; i < annotations_.size(); ++i) {
        const auto& one = annotations_[i];
        const bool known =
            one.kind == annotation_kind::external || one.kind == annotation_kind::ignore;
        if (!known || !one.module.empty() || !means(one.function, written->symbol)) continue;
        used_[i] = true;
        nodes_[index].own_bytes =
            std::max(nodes_[index].own_bytes, call.stack_bytes + dynamic_bytes + one.limit);
        return;
      }
      return add_reason(index, reason_kind::external, call.pc, demangled(written->symbol));
    }
    target = *found;
  }
  follow_code(index, call, target, dynamic_bytes);
}

void call_graph::follow_code(std::size_t index, const call_site& call, code_address at,
                             std::uint64_t dynamic_bytes) {
  if (at.chosen_at_load) return follow_choice(index, call, at, dynamic_bytes);
  const auto* const symbol = files_[at.file].elf().function_at(at.address);
  if (symbol != nullptr && symbol->address == at.address && symbol->chosen_at_load)
    return follow_choice(index, call, at, dynamic_bytes);
  auto bytes = call.stack_bytes + dynamic_bytes;
  if (call.tail) {
    // A jump into what has a frame already stays in the same call: the part of a function that was
    // moved away, or the way back from it.
    const auto row = files_[at.file].row_at(at.address);
    const auto extent = files_[at.file].extent_at(at.address);
    const auto entry = static_cast<std::int64_t>(entry_bytes(at.file));
    const bool at_start = extent && extent->low == at.address;
    if (!at_start && !is_entry(row, entry)) return;
    const bool known = row.base == cfa_base::stack_pointer || row.base == cfa_base::frame_pointer;
    const auto above = static_cast<std::uint64_t>(known && row.offset >= 0 ? row.offset : entry);
    bytes -= std::min(bytes, above);
  }
  add_edge(index, node_of(at), bytes);
}

void call_graph::follow_choice(std::size_t index, const call_site& call, const code_address& at,
                               std::uint64_t dynamic_bytes) {
  auto& file = files_[at.file];
  const auto extent = file.extent_at(at.address);
  const graph_node chooser{.file = at.file,
                           .extent = {at.address, at.address},
                           .linker_name = std::string(file.name_at(at.address)),
                           .module = file_name(file.elf().path())};
  if (annotated(chooser, annotation_kind::ignore) != nullptr) return;
  if (const auto* const known = annotated(chooser, annotation_kind::external)) {
    nodes_[index].own_bytes =
        std::max(nodes_[index].own_bytes, call.stack_bytes + dynamic_bytes + known->limit);
    return;
  }
  bool any = false;
  if (extent) {
    const auto mentioned = file.shape_of(*extent).named_code;
    for (const auto address : mentioned) {
      const auto found = file.extent_at(address);
      if (!found || found->low != address || found->low == extent->low) continue;
      const auto* const symbol = file.elf().function_at(address);
      if (symbol != nullptr && symbol->chosen_at_load) continue;
      any = true;
      follow_code(index, call, {.file = at.file, .address = address}, dynamic_bytes);
    }
  }
  if (!any) {
    add_reason(index, reason_kind::chosen_at_load, call.pc, demangled(file.name_at(at.address)));
  }
}

}  // namespace bast_stacks
