// SPDX-License-Identifier: Apache-2.0
//
// How deep a stack can get, from the files alone: the stack use of each function at each of its
// calls, added up along the worst path of the call graph, across shared libraries.
//
//   auto report = analyse({.program = "./server", .roots = {"handle_request"}});
//   join(*report, snapshot);                  // adds the measurements
//   fmt::print("{}", static_text(*report, {.details = true}));
//
// A bound is sound if `reasons` is empty; each reason is a way in which a real stack could be
// deeper, by name, and most can be removed with one line of an annotation file (annotations.hpp).
// No bound covers signals that are handled on the stack.
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
  // Names of functions; none: every coroutine in the program, or "main" if there is none.
  std::vector<std::string> roots{};
  std::vector<std::string> annotations{};  // paths of annotation files
  std::vector<std::string> stack_usage{};  // directories with .su and .ci files
  // A file of annotations for every program; empty: none. The others override it per function.
  std::string shipped{};
};

enum class reason_kind : std::uint8_t {
  indirect_call,   // through a pointer
  recursion,       // `detail` is the cycle
  dynamic_frame,   // alloca, or an array of variable length
  external,        // a function that no file defines
  no_table,        // its end is known from no unwind table or symbol
  not_decoded,     // an instruction could not be decoded
  chosen_at_load,  // the file chooses an implementation in an unknown way
  lazy_binding,    // the first call of each function runs the dynamic linker on this stack
};
inline constexpr std::size_t reason_kinds = 8;

struct reason {
  reason_kind kind{};
  std::string function;               // as in the source
  std::string module;                 // file name
  std::string detail{};               // further facts
  std::uint64_t at = 0;               // address in the file, or 0
  std::vector<std::string> circle{};  // the functions of a recursion, each once
};

/// One frame of the worst path: `bytes` is its size when it calls the next one.
struct path_frame {
  std::string function;
  std::string module;
  std::uint64_t bytes = 0;
  // Not 0: not a frame, but this many rounds through the recursion that this function is in.
  std::uint64_t times = 0;
};

/// A result of `join`: a site whose deepest stack contains the root.
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
  std::string root;         // as in the source
  std::string coroutine{};  // the started callable, if the root is its start
  std::string module;
  std::uint64_t bytes = 0;
  std::vector<path_frame> worst{};  // from the root; adds up to `bytes`
  std::vector<reason> reasons{};    // by kind, function, address
  std::size_t functions = 0;        // reachable
  std::size_t removed = 0;          // reasons that the shipped annotations leave out
  std::vector<observation> observations{};
  bool sound() const { return reasons.empty(); }
};

struct static_report {
  std::string program;
  std::vector<static_bound> bounds{};  // in the order of the roots
  std::vector<std::string> notes{};    // a sentence each: not found, or not used
  std::string build_id{};              // of the program, or empty
  std::string shipped{};               // the file of shipped annotations, if used
};

/// Errors: the program cannot be read; a mistake in an annotation file; a root is not found.
std::expected<static_report, problem> analyse(const static_options& options);

/// Adds the measurements to the bounds whose roots were seen on stacks. Requires named frames in
/// `all`.
void join(static_report& report, const snapshot& all);

/// The bounds for each of the first `sites` sites of the joined snapshot. Of several bounds whose
/// roots have one name the weakest counts.
std::vector<site_bound> bounds_of_sites(const static_report& joined, std::size_t sites);

struct static_text_options {
  bool details = false;  // each reason by name
};
/// Ends in a newline.
std::string static_text(const static_report& report, const static_text_options& options);
/// Stable; `schema` is the version.
std::string static_json(const static_report& report);

/// The stack use of one function: with the return address, without dynamic amounts.
struct function_frame {
  std::string function;  // the linker's name; "0x1234" if there is none
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  bool dynamic = false;
  bool switches = false;   // to another stack and back
  bool realigned = false;  // `bytes` includes the most that rounding the stack pointer can take
};
/// Every function that the unwind tables of a file describe, by address.
std::expected<std::vector<function_frame>, problem> frames_in(const std::string& path);
/// One line per function: function, bytes, and "static", "realigned", "switches" or "dynamic",
/// separated by tabs as in .su files.
std::string frames_text(const std::vector<function_frame>& frames);

}  // namespace bast_stacks
