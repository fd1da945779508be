// SPDX-License-Identifier: Apache-2.0
//
// `call_graph`: the functions reachable from some roots, the stack that each has taken at its
// calls, and what is not known. A function is decoded when it is reached, so a small program does
// not pay for all of the C library.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "code/annotations.hpp"
#include "code/program_files.hpp"
#include "code/stack_usage.hpp"
#include "code/static.hpp"

namespace bast_stacks {

/// A call of `to`, with `bytes` of the caller below its CFA.
struct graph_edge {
  std::size_t to = 0;
  std::uint64_t bytes = 0;
};

struct graph_node {
  std::size_t file = 0;
  function_extent extent;
  std::string linker_name;
  std::string name{};        // as in the source
  std::string plain_name{};  // see names.hpp
  std::string short_name{};  // as a person may write it: without parameters, or ".part.0"
  std::string module{};
  std::uint64_t own_bytes = 0;
  std::vector<graph_edge> edges{};  // one per callee, with the most bytes
  std::vector<reason> reasons{};
  bool binds_lazily = false;      // a call of it can run the dynamic linker
  std::uint64_t entries_max = 0;  // on one stack, by an annotation; 0: not known
};

class call_graph {
 public:
  call_graph(program_files& files, const std::vector<annotation>& annotations,
             const usage_table& usage);

  /// Adds the node of a function and everything that it reaches.
  std::size_t add_root(const code_address& at);
  const std::vector<graph_node>& nodes() const { return nodes_; }
  /// Annotations that matched no function.
  std::vector<std::string> unused() const;
  /// Functions with different frames by compiler and instructions, a sentence each.
  const std::vector<std::string>& differences() const { return differences_; }

 private:
  std::size_t node_of(const code_address& at);
  void expand(std::size_t index);
  void follow(std::size_t index, const call_site& call);
  void follow_code(std::size_t index, const call_site& call, code_address at);
  void follow_slot(std::size_t index, const call_site& call, std::uint64_t slot);
  void follow_choice(std::size_t index, const call_site& call, const code_address& at);
  bool follow_annotated(std::size_t index, std::uint64_t bytes);
  void add_edge(std::size_t from, std::size_t to, std::uint64_t bytes);
  void add_reason(std::size_t index, reason_kind kind, std::uint64_t at, std::string detail = {});
  std::uint64_t entry_bytes(std::size_t file) const;
  /// The node of a function, with its names only.
  graph_node made_node(std::size_t file, const function_extent& extent) const;
  /// The first matching annotation, which then counts as used.
  template <class F>
  const annotation* first_annotation(F fits);
  const annotation* annotated(const graph_node& node, annotation_kind kind);
  const annotation* annotated(std::string_view undefined);
  bool means_node(const annotation& one, const graph_node& node) const;
  void need(std::size_t index, std::uint64_t bytes);
  void bind_lazily(std::size_t index, std::uint64_t bytes);

  program_files& files_;
  const std::vector<annotation>& annotations_;
  const usage_table& usage_;
  std::vector<bool> used_;  // annotations
  std::vector<std::string> differences_;
  std::vector<graph_node> nodes_;
  std::map<std::pair<std::size_t, std::uint64_t>, std::size_t> by_address_;
  std::vector<std::size_t> waiting_;
};

}  // namespace bast_stacks
