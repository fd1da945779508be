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

/// Whether a row is that of a function's entry, before it takes stack.
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
  nodes_.push_back(made_node(at.file, extent.value_or(function_extent{start, start})));
  waiting_.push_back(nodes_.size() - 1);
  return nodes_.size() - 1;
}

graph_node call_graph::made_node(std::size_t file, const function_extent& extent) const {
  graph_node node{.file = file,
                  .extent = extent,
                  .linker_name = std::string(files_[file].name_at(extent.low)),
                  .module = file_name(files_[file].elf().path())};
  const auto& linker_name = node.linker_name;
  // As annotations name it, see annotations.hpp.
  node.name = !linker_name.empty() ? demangled(linker_name)
              : file == 0          ? fmt::format("{:#x}", extent.low)
                                   : fmt::format("{:#x}@{}", extent.low, node.module);
  if (linker_name.starts_with("_Z")) {
    node.plain_name = plain_name(node.name);
    node.short_name = without_parameters(node.name);
  } else {
    node.short_name = linker_name.substr(0, linker_name.find('.'));
  }
  return node;
}

/// A function has at least so much on the stack.
void call_graph::need(std::size_t index, std::uint64_t bytes) {
  nodes_[index].own_bytes = std::max(nodes_[index].own_bytes, bytes);
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
  // A copy: following calls can add functions to the file.
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
  for (auto call : shape.calls) {
    call.stack_bytes += dynamic_bytes;
    follow(index, call);
  }
}

void call_graph::follow(std::size_t index, const call_site& call) {
  const auto file = nodes_[index].file;
  if (call.tail && BAST_STACKS_MUTANT(tail_call_ignored)) return;
  switch (call.target_is) {
    case target_kind::direct:
      // "call next; next: pop" reads its own address.
      if (!call.tail && call.target == call.pc + call.bytes) return;
      if (const auto slot = plt_slot(files_[file], call.target))
        return follow_slot(index, call, *slot);
      return follow_code(index, call, {.file = file, .address = call.target});
    case target_kind::slot: return follow_slot(index, call, call.target);
    case target_kind::none:
    case target_kind::unknown: break;
  }
  if (!follow_annotated(index, call.stack_bytes))
    add_reason(index, reason_kind::indirect_call, call.pc);
}

void call_graph::follow_slot(std::size_t index, const call_site& call, std::uint64_t slot) {
  const auto from = nodes_[index].file;
  const auto* const written = files_[from].elf().relocation_at(slot);
  const auto* const holder = files_[from].elf().section_at(slot);
  // Data that the program can write later is not evidence.
  const bool constant = holder != nullptr && (holder->name.starts_with(".got") ||
                                              holder->name.starts_with(".data.rel.ro"));
  if (written == nullptr || !constant) {
    if (follow_annotated(index, call.stack_bytes)) return;
    return add_reason(index, reason_kind::indirect_call, call.pc);
  }
  if (written->lazy && !files_[from].elf().binds_now()) bind_lazily(index, call.stack_bytes);
  code_address target{
      .file = from, .address = written->value, .chosen_at_load = written->chosen_at_load};
  if (!written->symbol.empty()) {
    const auto found = files_.find(written->symbol);
    if (!found) {
      // An undefined weak symbol is null, and programs check that before the call.
      if (written->weak) return;
      const auto* const known = annotated(written->symbol);
      if (known != nullptr) return need(index, call.stack_bytes + known->limit);
      return add_reason(index, reason_kind::external, call.pc, demangled(written->symbol));
    }
    target = *found;
  }
  follow_code(index, call, target);
}

void call_graph::follow_code(std::size_t index, const call_site& call, code_address at) {
  if (at.chosen_at_load) return follow_choice(index, call, at);
  const auto* const symbol = files_[at.file].elf().function_at(at.address);
  if (symbol != nullptr && symbol->address == at.address && symbol->chosen_at_load)
    return follow_choice(index, call, at);
  auto bytes = call.stack_bytes;
  if (call.tail) {
    // A jump into code that already has a frame stays in the same call: to the moved part of a
    // function, or back from it.
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

void call_graph::follow_choice(std::size_t index, const call_site& call, const code_address& at) {
  auto& file = files_[at.file];
  const auto extent = file.extent_at(at.address);
  const auto chooser = made_node(at.file, {at.address, at.address});
  if (annotated(chooser, annotation_kind::ignore) != nullptr) return;
  if (const auto* const known = annotated(chooser, annotation_kind::external))
    return need(index, call.stack_bytes + known->limit);
  bool any = false;
  if (extent) {
    const auto mentioned = file.shape_of(*extent).named_code;
    for (const auto address : mentioned) {
      const auto found = file.extent_at(address);
      if (!found || found->low != address || found->low == extent->low) continue;
      const auto* const symbol = file.elf().function_at(address);
      if (symbol != nullptr && symbol->chosen_at_load) continue;
      any = true;
      follow_code(index, call, {.file = at.file, .address = address});
    }
  }
  if (!any) {
    add_reason(index, reason_kind::chosen_at_load, call.pc, demangled(file.name_at(at.address)));
  }
}

}  // namespace bast_stacks
