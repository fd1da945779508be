// SPDX-License-Identifier: Apache-2.0
#include "bast/cancel/source.hpp"

#include <atomic>

namespace bast::inline BAST_ABI {

namespace {

using internal::cancel_tree_operations;
using internal::real_node;
using real_tree = internal::cancel_tree<os::real_atomics>;

/// Threads take ids in blocks, so that new sources do not contend for one counter. Never 0.
std::uint64_t new_id() noexcept {
  constexpr std::uint64_t block = 1024;
  static constinit std::atomic<std::uint64_t> blocks{0};
  static constinit thread_local std::uint64_t last = 0;
  if (last % block == 0) last = blocks.fetch_add(block, std::memory_order_relaxed);
  return ++last;
}

std::unexpected<error> no_node(static_string operation) noexcept {
  return fail(errc::no_memory, operation, "no memory for a source");
}

}  // namespace

const char* name_of(cancel_code code) noexcept {
  switch (code) {
    case cancel_code::requested: return "cancelled on request";
    case cancel_code::deadline: return "its deadline passed";
    case cancel_code::sibling_failed: return "a sibling failed";
    case cancel_code::parent: return "its parent was cancelled";
    case cancel_code::shutdown: return "shutting down";
    case cancel_code::linked_exit: return "a linked actor ended";
    case cancel_code::grace_expired: return "cleanup took too long";
  }
  return "an unknown reason";
}

template class internal::cancel_operations<os::real_atomics>;

// --- source --------------------------------------------------------------------------------------

result<cancel_source> cancel_source::create(const cancel_source_options& options) noexcept {
  auto* const tree = os::make<real_tree>();
  if (tree == nullptr) return no_node("cancel_source.create");
  cancel_tree_operations::plant(*tree, new_id());
  cancel_source made{internal::node_handle(&tree->root)};
  if (options.deadline != never) made.set_deadline(options.deadline);
  return made;
}

result<cancel_source> cancel_source::child(const cancel_source_options& options) const noexcept {
  if (!node_) return fail(errc::bad_state, "cancel_source.child", "the source was moved from");
  auto* const node = os::make<real_node>();
  if (node == nullptr) return no_node("cancel_source.child");
  node->id = new_id();
  cancel_tree_operations::adopt(*node_.get(), *node, options.shielded,
                                internal::nanoseconds_of(options.deadline));
  return cancel_source{internal::node_handle(node)};
}

std::uint64_t cancel_source::refused() const noexcept {
  if (!node_) return 0;
  internal::real_node& node = *node_.get();
  node.lock.lock();
  const std::uint64_t count = node.refused;
  node.lock.unlock();
  return count;
}

void cancel_source::set_shield(bool shielded) const noexcept {
  if (node_) cancel_tree_operations::set_shield(*node_.get(), shielded);
}

void cancel_source::set_deadline(time_point at) const noexcept {
  if (node_) cancel_tree_operations::set_deadline(*node_.get(), internal::nanoseconds_of(at));
}

void cancel_source::advance(time_point now) const noexcept {
  if (node_) cancel_tree_operations::advance(*node_.get(), internal::nanoseconds_of(now));
}

time_point cancel_source::next_deadline() const noexcept {
  if (!node_) return never;
  return internal::time_of(cancel_tree_operations::next_deadline(*node_.get()));
}

}  // namespace bast::inline BAST_ABI
