// SPDX-License-Identifier: Apache-2.0
//
// `fault_stacks`: finds the stack of a page fault, and records it. The record has the form in which
// the library's own handler records a growth (bast::watch::deepest_stack), so that no other code
// depends on the origin of a deepest stack.
//
// A fault brings the first bytes of its stack, from the stack pointer up. The owner of the stack
// and the words further up are read from the process, which runs on. So the order matters:
//
//   1. the fault, with the words at that time;
//   2. the slot's record: its site;
//   3. the stack's words: those sampled with the fault must still be present.
//
// Before a stack goes to another site it is measured and wiped (I3 of stack_pool). Words that are
// still present prove that this has not happened since the fault, so the site is correct. Return
// addresses are compared, the outermost that the fault brought; without any, all other nonzero
// words. If the fault brought only zeros, as from a large buffer, the calls of that function must
// have left a return address to it by now. A fault without surviving words is counted and left out.
//
// Remaining errors: a next user of the stack, of another site, may put the same words at the same
// places before step 3, about a millisecond after the fault; pools that neither measure nor scrub
// wipe nothing, so words that the next user left alone may be old. Words above those sampled with
// the fault date from step 3: a caller that returned meanwhile is missing or replaced by the next
// one. Unwind tables detect most of these cases (`frame::confirmed`).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "read/fault_words.hpp"
#include "read/memory.hpp"
#include "read/perf_ring.hpp"
#include "read/registry.hpp"
#include "read/site_index.hpp"

namespace bast_stacks {

struct fault_counts {
  std::uint64_t seen = 0;
  std::uint64_t on_stacks = 0;
  std::uint64_t unsure = 0;  // of these: the stack's owner is not known
};

class fault_stacks {
 public:
  /// `target` must outlive it.
  fault_stacks(memory& target, std::vector<std::uint64_t> registries)
      : target_(target), registries_(std::move(registries)) {}

  /// The ranges of code: words that point there can be return addresses.
  void set_code(code_ranges code) { code_ = std::move(code); }
  const code_ranges& code() const noexcept { return code_; }

  /// Takes faults that happened before the call. The work is bounded for any target.
  void add(std::span<const fault_sample> faults);

  /// Sets the deepest stack of each site, if it is deeper than the site's.
  void add_to(snapshot& into) const;
  const fault_counts& counts() const noexcept { return counts_; }

 private:
  /// A fault within the bounds of a slot.
  struct candidate {
    const fault_sample* fault = nullptr;
    const registry* from = nullptr;
    const bast::watch::slab_entry* slab = nullptr;
    extent slot;               // without its guard
    std::uint64_t record = 0;  // address
    std::uint64_t reach = 0;   // bytes from the slot's high end to the touched address
  };
  struct slot_view {
    std::uint64_t top = 0;
    std::uint16_t site = 0;
  };
  using site_key = std::tuple<std::uint64_t, std::uint64_t, std::uint32_t>;  // registry, pool, site

  void read_registries();
  std::optional<candidate> locate(const fault_sample& fault) const;
  std::optional<slot_view> read_slot(const candidate& of);
  const site_identity* name_of(const candidate& of, std::uint16_t site);
  void learn_names(const registry& all);
  /// False if the owner of the stack is not known.
  bool take(const candidate& of);

  memory& target_;
  std::vector<std::uint64_t> registries_;
  code_ranges code_;
  fault_counts counts_;
  std::map<site_identity, bast::watch::deepest_stack> found_;
  std::map<site_key, site_identity> names_;
  // State of one call of `add`.
  std::vector<registry> read_;
  std::unordered_map<std::uint64_t, std::optional<slot_view>> slots_;  // by record
  std::set<std::uint64_t> named_;  // registries whose sites were read
  std::uint64_t bytes_left_ = 0;   // of stacks that may be read
};

}  // namespace bast_stacks
