// SPDX-License-Identifier: Apache-2.0
//
// The part of `call_graph` that applies annotations.
#include <fmt/format.h>

#include <algorithm>

#include "code/call_graph.hpp"
#include "code/names.hpp"

namespace bast_stacks {
namespace {

// glibc's dynamic linker runs this to find a function at its first call; an annotation can bound
// it.
constexpr std::string_view lazy_binder = "_dl_runtime_resolve";

}  // namespace

bool call_graph::means_node(const annotation& one, const graph_node& node) const {
  const auto start = node.extent.low;
  if (const auto address = address_in(one.function))
    return *address == start && (one.module.empty() ? node.file == 0 : one.module == node.module);
  if (!one.module.empty() && one.module != node.module) return false;
  for (const auto* const name :
       {&node.name, &node.linker_name, &node.short_name, &node.plain_name}) {
    if (!name->empty() && one.function == *name) return true;
  }
  // Another name of the same code.
  const auto named = files_[node.file].elf().addresses_of(one.function);
  return std::ranges::find(named, start) != named.end();
}

template <class F>
const annotation* call_graph::first_annotation(F fits) {
  for (std::size_t i = 0; i < annotations_.size(); ++i) {
    if (!fits(annotations_[i])) continue;
    used_[i] = true;
    return &annotations_[i];
  }
  return nullptr;
}

const annotation* call_graph::annotated(const graph_node& node, annotation_kind kind) {
  const annotation* found = nullptr;
  for (std::size_t i = 0; i < annotations_.size(); ++i) {
    const auto& one = annotations_[i];
    if (one.kind != kind || !means_node(one, node)) continue;
    used_[i] = true;
    if (found == nullptr) found = &one;
  }
  return found;
}

/// The annotation for a function that no file defines.
const annotation* call_graph::annotated(std::string_view undefined) {
  return first_annotation([&](const annotation& one) {
    const bool leaves_out =
        one.kind == annotation_kind::external || one.kind == annotation_kind::ignore;
    return leaves_out && one.module.empty() && means(one.function, undefined);
  });
}

/// The first call of a function runs the dynamic linker below the caller's `bytes`.
void call_graph::bind_lazily(std::size_t index, std::uint64_t bytes) {
  const auto* const known = first_annotation([](const annotation& one) {
    return one.kind == annotation_kind::external && one.function == lazy_binder;
  });
  if (known == nullptr) {
    nodes_[index].binds_lazily = true;
  } else {
    need(index, bytes + known->limit);
  }
}

/// False if no annotation gives the targets of the function's indirect calls.
bool call_graph::follow_annotated(std::size_t index, std::uint64_t bytes) {
  // Shipped lines name all possible targets. In a stripped program the targets exist without a
  // match.
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

}  // namespace bast_stacks
