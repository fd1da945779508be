// SPDX-License-Identifier: Apache-2.0
//
// How deep a stack can get, from the files alone: what each function has on the stack at each of
// its calls, added up along the worst path of the call graph, across shared libraries.
//
//   auto report = analyse({.program = "./server", .roots = {"handle_request"}});
//   join(*report, snapshot);                  // what was measured, beside it
//   fmt::print("{}", static_text(*report, {.details = true}));
//
// A bound is sound when nothing is listed under `reasons`; each reason is a way in which a real
// stack could be deeper, by name, and most go away with one line of an annotation file
// (annotations.hpp). Signals that are taken on the stack are in no bound.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "model/site_bound.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks {

struct static_options {
  std::string program;  // path of an ELF file
  // Names of functions; none: every coroutine in the program, or "main" when there is none.
  std::vector<std::string> roots{};
  std::vector<std::string> annotations{};  // paths of annotation files
  std::vector<std::string> stack_usage{};  // directories with .su and .ci files
  // A file of annotations that hold for every program; empty: none. What the others say of the same
  // function counts instead.
  std::string shipped{};
};

enum class reason_kind : std::uint8_t {
  indirect_call,   // goes where a pointer says
  recursion,       // `detail` is the cycle
  dynamic_frame,   // alloca, or an array of variable length
  external,        // a function that no file defines
  no_table,        // no unwind table or symbol tells where it ends
  not_decoded,     // an instruction was none
  chosen_at_load,  // the file chooses among implementations, and how was not understood
  lazy_binding,    // the first call of each function runs the dynamic linker on this stack
};
inline constexpr std::size_t reason_kinds = 8;

struct reason {
  reason_kind kind{};
  std::string function;               // as the source names it
  std::string module;                 // file name
  std::string detail{};               // what more is known
  std::uint64_t at = 0;               // address in the file, or 0
  std::vector<std::string> circle{};  // of a recursion: its functions, each once
};

/// One frame of the worst path: `bytes` are what it has when it calls the next one.
struct path_frame {
  std::string function;
  std::string module;
  std::uint64_t bytes = 0;
  // Not 0: no frame, but so many rounds through the recursion that this function is in.
  std::uint64_t times = 0;
};

/// What `join` found out: a site whose deepest stack has the root in it.
struct observation {
  std::string site;
  std::uint64_t observed = 0;            // bytes from where the root's frame begins
  std::vector<std::string> not_reached;  // functions of the worst path, in its order
  std::size_t index = 0;                 // of the site, in snapshot::sites
  std::uint64_t above = 0;               // bytes of its stack above the root's frame
  std::string circle{};                  // see site_bound
  std::uint64_t circle_bytes = 0;
};

struct static_bound {
  std::string root;         // as the source names it
  std::string coroutine{};  // the callable that was started, when the root is where it begins
  std::string module;
  std::uint64_t bytes = 0;
  std::vector<path_frame> worst{};  // from the root; adds up to `bytes`
  std::vector<reason> reasons{};    // by kind, function, address
  std::size_t functions = 0;        // that can be reached
  std::size_t removed = 0;          // reasons that the shipped annotations leave out
  std::vector<observation> observations{};
  bool sound() const { return reasons.empty(); }
};

struct static_report {
  std::string program;
  std::vector<static_bound> bounds{};  // in the order of the roots
  std::vector<std::string> notes{};    // a sentence each: what was not found, what was not used
  std::string build_id{};              // of the program, or empty
  std::string shipped{};               // the file of shipped annotations, when it was used
};

/// Errors: the program cannot be read; an annotation file has a mistake; a root is not found.
std::expected<static_report, problem> analyse(const static_options& options);

/// Puts what was measured beside the bounds of the roots that were seen on stacks. `all` must have
/// frames with names.
void join(static_report& report, const snapshot& all);

/// For each of the first `sites` sites of the snapshot that was joined, what the bounds say of its
/// stacks. Of several bounds whose roots have one name the weakest counts.
std::vector<site_bound> bounds_of_sites(const static_report& joined, std::size_t sites);

struct static_text_options {
  bool details = false;  // each reason by name
};
/// Ends in a newline.
std::string static_text(const static_report& report, const static_text_options& options);
/// Stable; `schema` says which version.
std::string static_json(const static_report& report);

/// What one function takes: with the return address, without what is dynamic.
struct function_frame {
  std::string function;  // the linker's name; "0x1234" where there is none
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  bool dynamic = false;
  bool switches = false;   // to another stack and back
  bool realigned = false;  // `bytes` has the most that rounding the stack pointer can take
};
/// Every function that the unwind tables of a file describe, by address.
std::expected<std::vector<function_frame>, problem> frames_in(const std::string& path);
/// A line for each: function, bytes, and "static", "realigned", "switches" or "dynamic", separated
/// by tabs as in .su files.
std::string frames_text(const std::vector<function_frame>& frames);

}  // namespace bast_stacks
