// SPDX-License-Identifier: Apache-2.0
//
// The cancellation tree: nodes that are cancelled with all nodes below them, and the callbacks that
// then run. A template over the atomics, so that the interleaving checker runs this code. The
// user's types are cancel_source, cancel_token and cancel_callback.
//
// Each node has a lock. It protects the node's mark, its callbacks and the list of its children, so
// that children of different parents are created and destroyed without contention. Locks are taken
// downwards, a parent's before a child's. No user code runs under a lock, and nothing here
// allocates.
//
// Cancelling a node takes two steps. The sweep visits all nodes below it, parents before children,
// and marks them. Then the callbacks of the marked nodes run, node by node, descendants before
// their parent (C-4, C-5).
//
//   I1  A node is marked once and never unmarked (C-1). The reason is written before the mark.
//   I2  A `complete` node is marked, and so is every unshielded descendant, unless a shield is
//       being lifted in the tree. A sweep also visits nodes that another sweep marked, unless they
//       are complete. So when a sweep has returned, every unshielded descendant is marked,
//       whichever thread marked it (C-4).
//   I3  The thread that marks a node runs its callbacks. Until then they stay in the node's list,
//       where their owners can unregister them; a marked node's list only shrinks.
//   I4  A child is in its parent's list from adoption until it is freed, and holds the parent.
//   I5  `references` counts the holders of a node: tokens, a source and children. `records` counts
//       those that come and go under the node's lock: its records and the threads that work on it.
//       The last of all of them frees the node.
#pragma once

#include <cstdint>
#include <limits>

#include "bast/cancel/reason.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI::internal {

template <class A>
struct cancel_node;
template <class A>
struct cancel_tree;

/// Nodes whose callbacks are still to run, linked by `next_run`. A record's count holds each.
template <class A>
struct cancel_list {
  cancel_node<A>* first = nullptr;
  const void* record = nullptr;  // the newest record of the first node
};

/// The remaining work of a cancel, on the canceller's stack.
template <class A>
struct cancel_run {
  cancel_list<A> nodes;  // the first one's callbacks are running
  bool gone = false;     // the running record was unregistered by its own callback
};

/// A registered callback, inside its owner: in its node's list, running, or neither.
template <class A>
struct cancel_record {
  template <class T>
  using plain = typename A::template plain<T>;
  using pointer = plain<cancel_record*>;
  using function = void (*)(cancel_record& self, const cancel_reason& why) noexcept;

  explicit cancel_record(function f) noexcept : run(f) {}
  cancel_record(const cancel_record&) = delete;
  cancel_record& operator=(const cancel_record&) = delete;
  ~cancel_record() = default;

  function run;
  cancel_node<A>* node = nullptr;  // since registration; null: it never fires
  // The node's lock protects the rest unless a comment states otherwise.
  pointer next{nullptr};
  plain<pointer*> link{nullptr};  // the pointer that points here; null: in no list
  typename A::template atomic<std::uintptr_t> runner{0};  // the thread that is in `run`, or 0
  cancel_run<A>* turn = nullptr;                          // its turn, only for that thread
};

inline constexpr std::int64_t no_deadline = std::numeric_limits<std::int64_t>::max();
inline constexpr std::int64_t no_time = std::numeric_limits<std::int64_t>::min();

template <class A>
struct cancel_node {
  template <class T>
  using plain = typename A::template plain<T>;
  using pointer = plain<cancel_node*>;
  template <class T>
  using atomic = typename A::template atomic<T>;

  // The fields of a sweep and a run come first, in 64 bytes, because both visit many nodes. The
  // node's lock protects them unless a comment states otherwise.
  os::basic_lock<A> lock;
  atomic<bool> marked{false};       // written under the lock
  plain<bool> complete{false};      // I2
  atomic<bool> shielded{false};     // written under the parent's lock and the node's
  plain<bool> unreferenced{false};  // only records hold it
  plain<std::uint32_t> records{0};
  pointer newer{nullptr};  // a ring of siblings; after the newest the oldest; the parent's lock
  pointer newest_child{nullptr};
  typename cancel_record<A>::pointer callbacks{nullptr};  // newest first
  plain<cancel_node*> cause{nullptr};  // whose reason counts: its own or an ancestor; once marked
  pointer next_run{nullptr};           // the next node of the canceller that marked it
  plain<const void*> next_record{nullptr};  // of next_run when it was marked: to prefetch

  atomic<std::uint32_t> references{1};
  cancel_node* parent = nullptr;               // constant; null at the root
  pointer older{nullptr};                      // the ring in the other direction; the parent's lock
  cancel_tree<A>* tree = nullptr;              // constant
  std::uint64_t id = 0;                        // constant
  atomic<std::int64_t> deadline{no_deadline};  // nanoseconds; written under the lock
  plain<std::uint64_t> refused{0};             // later reasons, ignored (C-2)
  plain<cancel_reason> why{};                  // if it is its own cause; constant once marked
};

/// The additional state of a root.
template <class A>
struct cancel_tree {
  /// The latest reported time.
  typename A::template atomic<std::int64_t> now{no_time};
  /// The number of shields being lifted, whose nodes are not marked yet. I2
  typename A::template atomic<std::uint32_t> lifting{0};
  /// Frees a tree that is part of a larger object; null: it is on the heap. Trees that this would
  /// end in turn are linked before `ending` instead, because a chain may be longer than a stack is
  /// deep.
  void (*end)(cancel_tree& self, cancel_tree*& ending) noexcept = nullptr;
  cancel_tree* next_ending = nullptr;
  cancel_node<A> root;
};

/// The operations of a tree. Every function is thread-safe.
template <class A>
class cancel_operations {
 public:
  using node = cancel_node<A>;
  using tree = cancel_tree<A>;
  using record = cancel_record<A>;
  using list = cancel_list<A>;

  static void plant(tree& t, std::uint64_t id) noexcept {
    t.root.tree = &t;
    t.root.id = id;
  }

  static node* keep(node* n) noexcept {
    if (n != nullptr) n->references.fetch_add(1, std::memory_order_relaxed);
    return n;
  }
  static void drop(node* n) noexcept {
    tree* ending = nullptr;
    drop(n, ending);
    end_all(ending);
  }
  /// The same, within cancel_tree::end.
  static void drop(node* n, tree*& ending) noexcept;

  /// `child` is new. Already cancelled if its parent is, unless shielded (C-16).
  static void adopt(node& parent, node& child, bool shielded, std::int64_t deadline) noexcept;

  static bool is_cancelled(const node& n) noexcept {
    // Acquire: pairs with the release in mark(), so that the reason can be read.
    return n.marked.load(std::memory_order_acquire);
  }
  /// Requires that `n` is cancelled.
  static cancel_reason reason_of(const node& n) noexcept {
    const node* const cause = n.cause;
    cancel_reason why = cause->why;
    if (cause != &n) why.code = cancel_code::parent;
    return why;
  }

  /// Returns true if this call cancelled `n`, after all callbacks have ended (C-2, C-9).
  static bool cancel(node& n, cancel_reason why) noexcept;
  /// Cancels a root without children from within the running `r`. Its callbacks run right after `r`
  /// has ended, and it is held until then. So a chain of roots needs no stack, and the order is
  /// that of a direct call. Also returns false if nothing holds the root any more and its end waits
  /// for `r`.
  static bool cancel_within(record& r, node& n, const cancel_reason& why) noexcept;

  /// Registers with a node that the caller holds.
  static void enlist(record& r, node& n) noexcept;
  static void delist(record& r) noexcept {
    tree* ending = nullptr;
    delist(r, ending);
    end_all(ending);
  }
  /// The same, within cancel_tree::end.
  static void delist(record& r, tree*& ending) noexcept;
  /// Removes a record from its node's list, if it still is in one, for a caller that may not wait:
  /// a running callback continues. The record must still be delisted.
  static void silence(record& r, node& n) noexcept;

  static void set_shield(node& n, bool shielded) noexcept;
  static void set_deadline(node& n, std::int64_t at) noexcept;
  /// The earliest deadline of `n` and its unshielded ancestors (C-14).
  static std::int64_t deadline_of(const node& n) noexcept;
  /// Reports the time to the tree and cancels what is due: `n`, nodes below it, and ancestors whose
  /// deadline applies to it. If several deadlines led to one mark, the earliest is its reason.
  static void advance(node& n, std::int64_t now) noexcept;
  /// The earliest deadline that applies to `n` or to a node below it that is not cancelled.
  static std::int64_t next_deadline(node& n) noexcept;

 private:
  static bool is_marked(const node& n) noexcept {  // under its lock, which orders the access
    return n.marked.load(std::memory_order_relaxed);
  }
  /// Under its lock. I2
  static bool is_complete(const node& n) noexcept {
    // Acquire: pairs with the release in set_shield().
    return n.complete && n.tree->lifting.load(std::memory_order_acquire) == 0;
  }
  static std::int64_t own_deadline(const node& n) noexcept {
    return n.deadline.load(std::memory_order_relaxed);
  }
  static bool is_shielded(const node& n) noexcept {
    return n.shielded.load(std::memory_order_relaxed);
  }
  /// A visit accesses one or two cache lines of a node.
  static void fetch_ahead(const node* n) noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(n);
    __builtin_prefetch(reinterpret_cast<const void*>(address));
    __builtin_prefetch(reinterpret_cast<const void*>(address + 63));
  }
  /// Prefetches at a guessed address: nodes that were allocated in sequence lie at equal distances,
  /// and the address of the next node is known only after the current one has arrived. Forty visits
  /// take about as long as one access to memory; a wrong guess has no measurable cost.
  static void fetch_further(const void* latest, const void* next) noexcept {
    constexpr std::uintptr_t steps = 40;
    const auto at = reinterpret_cast<std::uintptr_t>(next);
    const std::uintptr_t guess = at + steps * (at - reinterpret_cast<std::uintptr_t>(latest));
    __builtin_prefetch(reinterpret_cast<const void*>(guess));
    __builtin_prefetch(reinterpret_cast<const void*>(guess + 63));
  }
  static void mark(node& n, node& cause, list& to_run) noexcept;
  static bool mark_below(node& parent, node& child, std::int64_t now, list& to_run) noexcept;
  template <class Visit, class Leave>
  static void walk(node& top, Visit visit, Leave leave) noexcept;
  static void sweep(node& top, std::int64_t now, list& to_run) noexcept;
  static void run(const list& marked) noexcept;
  static void unlink(record& r) noexcept;
  static void unlink_child(node& parent, node& child) noexcept;
  static bool forget_record(node& n) noexcept;
  static void free_all(node& n) noexcept {
    tree* ending = nullptr;
    drop(free(n, ending), ending);
    end_all(ending);
  }
  static node* free(node& n, tree*& ending) noexcept;
  /// Not inlined: stack analysis then finds the call through the pointer in one place only
  /// (tools/bast-stacks/code/annotations.txt).
  [[gnu::noinline]] static void end_all(tree* ending) noexcept {
    while (ending != nullptr) {
      tree* const dying = ending;
      ending = dying->next_ending;
      dying->end(*dying, ending);
    }
  }
  static cancel_reason overdue(const node& n) noexcept {
    return {.code = cancel_code::deadline,
            .cause = cancel_code::deadline,
            .origin = n.id,
            .error = make_error_code(errc::timed_out)};
  }
};

}  // namespace bast::inline BAST_ABI::internal

#include "bast/cancel/tree.inc"
#include "bast/cancel/tree_time.inc"
