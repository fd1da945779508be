// SPDX-License-Identifier: Apache-2.0
//
// The cancellation tree: nodes that are cancelled with all below them, and callbacks that run then.
// A template over the atomics, so that the interleaving checker runs this very code; users see
// cancel_source, cancel_token and cancel_callback.
//
// Each node has a lock. It protects the node's mark, its callbacks and the list of its children, so
// that making and ending children of different parents never meet. Locks are taken downwards, a
// parent's before a child's. No user code runs under one, and nothing here allocates.
//
// Cancelling a node takes two steps. The sweep goes through all that is below it, parents before
// children, and marks it; then the callbacks of what it marked run, node by node, descendants
// before their parent (C-4, C-5).
//
//   I1  A node is marked once and never unmarked (C-1). What led to it is written before.
//   I2  A node that is `complete` is marked, and so is every unshielded descendant, unless a shield
//       is being lifted in the tree. A sweep goes through what another one marked, unless it is
//       complete; so one that has returned leaves no unshielded descendant unmarked, whoever marked
//       it (C-4).
//   I3  Whoever marks a node runs its callbacks. Until then they stay in the node's list, where
//       their owners can unregister them; nothing is added to a marked node's list.
//   I4  A child is in its parent's list from adoption until it is freed, and holds the parent.
//   I5  Whoever holds a node, a token, a source or a child, is counted in `references`. What comes
//       and goes under the node's lock, its records and those who are at work on it, is counted in
//       `records`. The last of all of them frees the node.
#pragma once

#include <cstdint>
#include <limits>

#include "bast/cancel/reason.hpp"
#include "bast/os.hpp"

namespace bast::internal {

template <class A>
struct cancel_node;
template <class A>
struct cancel_tree;

/// Nodes whose callbacks are still to be run, by `next_run`. Each is held by a record's count.
template <class A>
struct cancel_list {
  cancel_node<A>* first = nullptr;
  const void* record = nullptr;  // the first one's newest
};

/// What of a cancel is still to be run, on the canceller's stack.
template <class A>
struct cancel_run {
  cancel_list<A> nodes;  // the first one's callbacks run now
  bool gone = false;     // the record that is running was unregistered from within
};

/// A registered callback, inside whoever registered it: in its node's list, running, or neither.
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
  // The rest is the node's lock's, unless a comment says otherwise.
  pointer next{nullptr};
  plain<pointer*> link{nullptr};  // whichever pointer points here; null: in no list
  typename A::template atomic<std::uintptr_t> runner{0};  // the thread that is in `run`, or 0
  cancel_run<A>* turn = nullptr;                          // and its turn; that thread's alone
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

  // First what a sweep and a run need, because they visit many: 64 bytes. Unless a comment says
  // otherwise, the node's lock protects it.
  os::basic_lock<A> lock;
  atomic<bool> marked{false};       // written under the lock
  plain<bool> complete{false};      // I2
  atomic<bool> shielded{false};     // written under the parent's lock and the node's
  plain<bool> unreferenced{false};  // only records hold it
  plain<std::uint32_t> records{0};
  pointer newer{nullptr};  // a ring of siblings: the newest one's is the oldest; the parent's lock
  pointer newest_child{nullptr};
  typename cancel_record<A>::pointer callbacks{nullptr};  // newest first
  plain<cancel_node*> cause{nullptr};  // itself or an ancestor, whose reason counts; once marked
  pointer next_run{nullptr};           // the canceller's that marked it, and the next one
  plain<const void*> next_record{nullptr};  // of next_run, as it was marked: to be fetched ahead

  atomic<std::uint32_t> references{1};
  cancel_node* parent = nullptr;               // constant; null at the root
  pointer older{nullptr};                      // the other way round the ring; the parent's lock
  cancel_tree<A>* tree = nullptr;              // constant
  std::uint64_t id = 0;                        // constant
  atomic<std::int64_t> deadline{no_deadline};  // nanoseconds; written under the lock
  plain<std::uint64_t> refused{0};             // reasons that came later (C-2)
  plain<cancel_reason> why{};                  // where it is its own cause; constant once marked
};

/// What a root has besides.
template <class A>
struct cancel_tree {
  /// The time that the tree was last told.
  typename A::template atomic<std::int64_t> now{no_time};
  /// How many shields are being lifted: what they kept out is not marked yet. I2
  typename A::template atomic<std::uint32_t> lifting{0};
  /// Frees the tree, when it is part of something larger; null: it is of the heap. Trees that this
  /// would end in turn are put before `ending` instead: the chain may be longer than a stack is
  /// deep.
  void (*end)(cancel_tree& self, cancel_tree*& ending) noexcept = nullptr;
  cancel_tree* next_ending = nullptr;
  cancel_node<A> root;
};

/// What is done with a tree. Every function is thread-safe.
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
  /// The same, for what ends a tree: see cancel_tree::end.
  static void drop(node* n, tree*& ending) noexcept;

  /// `child` is new. Born cancelled when its parent is, unless shielded (C-16).
  static void adopt(node& parent, node& child, bool shielded, std::int64_t deadline) noexcept;

  static bool is_cancelled(const node& n) noexcept {
    // Acquire: pairs with the release in mark(), so that the reason can be read.
    return n.marked.load(std::memory_order_acquire);
  }
  /// Of a cancelled node.
  static cancel_reason reason_of(const node& n) noexcept {
    const node* const cause = n.cause;
    cancel_reason why = cause->why;
    if (cause != &n) why.code = cancel_code::parent;
    return why;
  }

  /// True when this call is the one that cancelled `n`, after all callbacks ended (C-2, C-9).
  static bool cancel(node& n, cancel_reason why) noexcept;
  /// The same of a root without children from within `r`, which is running: its callbacks run when
  /// `r` has ended, before whatever follows, and it is held until then. So a chain of them needs no
  /// stack, and the order is that of a call. False also where nothing holds it any more, and its
  /// end waits for `r`.
  static bool cancel_within(record& r, node& n, const cancel_reason& why) noexcept;

  /// Registers with a node that the caller holds.
  static void enlist(record& r, node& n) noexcept;
  static void delist(record& r) noexcept {
    tree* ending = nullptr;
    delist(r, ending);
    end_all(ending);
  }
  /// The same, for what ends a tree: see cancel_tree::end.
  static void delist(record& r, tree*& ending) noexcept;
  /// Takes a record of that node out of its list, if it still is in one, for who may not wait: a
  /// callback that is running goes on. The record remains to be delisted.
  static void silence(record& r, node& n) noexcept;

  static void set_shield(node& n, bool shielded) noexcept;
  static void set_deadline(node& n, std::int64_t at) noexcept;
  /// The earliest of its own and its unshielded ancestors' (C-14).
  static std::int64_t deadline_of(const node& n) noexcept;
  /// Tells the tree the time, and cancels what is due: `n`, what is below it, and ancestors whose
  /// deadline is its own in effect. Where several deadlines led to one mark, the earliest did.
  static void advance(node& n, std::int64_t now) noexcept;
  /// The earliest deadline of `n` in effect, and of all below it that is not cancelled.
  static std::int64_t next_deadline(node& n) noexcept;

 private:
  static bool is_marked(const node& n) noexcept {  // under its lock, where no order is needed
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
  /// What a visit needs of a node lies in one cache line or in two.
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
  /// Not inline: an analysis of stacks finds the call through the pointer in one place only
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

}  // namespace bast::internal

#include "bast/cancel/tree.inc"
#include "bast/cancel/tree_time.inc"
