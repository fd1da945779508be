// SPDX-License-Identifier: Apache-2.0
//
// The cancellation tree: nodes that are cancelled with all below them, and callbacks that run then.
// A template over the atomics, so that the interleaving checker runs this very code; users see
// cancel_source, cancel_token and cancel_callback.
//
// One lock per tree protects its shape, its marks and its lists. No user code runs under it, and
// nothing here allocates but the making of a node.
//
//   I1  A node is marked once and never unmarked (C-1). Its reason is written before.
//   I2  While a canceller marks, its tree is `busy`. Whoever finds a node marked and its tree busy
//       waits for the lock, and then finds every unshielded descendant marked as well (C-4). So one
//       look at one node is as good as the whole critical section.
//   I3  A record is in its node's list from registration until it is unregistered or its node is
//       marked; then in the list of the canceller that marked it, until its turn or unregistration.
//   I4  Lists are sorted, newest registration first (C-5).
//   I5  Whoever holds a node, a token, a source or a child, is counted in `references`; records,
//       which come and go under the lock, in `records`. The last of all of them frees the node.
#pragma once

#include <cstdint>
#include <limits>

#include "bast/cancel/merge.hpp"
#include "bast/cancel/reason.hpp"
#include "bast/os.hpp"

namespace bast::internal {

template <class A>
struct cancel_node;
template <class A>
struct cancel_tree;

template <class A>
struct cancel_frame;

/// A canceller's turn at callbacks, on its stack.
template <class A>
struct cancel_run {
  std::uintptr_t thread = 0;
  cancel_frame<A>* innermost = nullptr;  // whose callbacks run now
  bool gone = false;                     // the record that is running was unregistered from within
};

/// A registered callback, inside whoever registered it: in a list, running, or neither.
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
  // The rest is the lock's.
  pointer next{nullptr};
  plain<pointer*> link{nullptr};          // whichever pointer points here; null: in no list
  plain<cancel_run<A>*> runner{nullptr};  // of the canceller that is in `run`
  plain<std::uint64_t> sequence{0};
};

/// What of one cancelled tree is still to be run. A callback that cancels another tree, and is
/// nothing but that (joined tokens), leaves the frame of that tree to its own canceller, who runs
/// it before whatever comes next: a chain of them needs no stack, and the order is that of a call.
template <class A>
struct cancel_frame {
  cancel_tree<A>* of = nullptr;
  typename cancel_record<A>::pointer first{nullptr};  // under the lock of `of`
  cancel_frame* outer = nullptr;                      // what goes on afterwards
};

inline constexpr std::int64_t no_deadline = std::numeric_limits<std::int64_t>::max();

template <class A>
struct cancel_node {
  template <class T>
  using plain = typename A::template plain<T>;
  using pointer = plain<cancel_node*>;

  // First what marking needs, because it visits many.
  typename A::template atomic<bool> marked{false};
  plain<bool> shielded{false};
  plain<bool> unreferenced{false};  // only records hold it
  plain<std::uint32_t> records{0};
  // Unless a comment says otherwise, the lock protects what follows too.
  pointer newest_child{nullptr};
  pointer older{nullptr};  // its siblings
  pointer next_marked{nullptr};
  typename cancel_record<A>::pointer callbacks{nullptr};  // newest first
  pointer timed_next{nullptr};                            // among those with a deadline
  plain<pointer*> timed_link{nullptr};                    // null: not among them
  plain<cancel_reason> why{};                             // constant once marked
  pointer newer{nullptr};
  cancel_tree<A>* tree = nullptr;             // constant
  cancel_node* parent = nullptr;              // constant; null at the root
  std::uint64_t id = 0;                       // constant
  plain<std::int64_t> deadline{no_deadline};  // nanoseconds, of the tree's clock
  plain<std::uint64_t> refused{0};            // reasons that came later (C-2)
  typename A::template atomic<std::uint32_t> references{1};
};

template <class A>
struct cancel_tree {
  template <class T>
  using plain = typename A::template plain<T>;

  os::basic_lock<A> lock;
  typename A::template atomic<bool> busy{false};  // I2
  /// Counts callbacks that ended while somebody waited for one.
  typename A::template atomic<std::uint32_t> ended{0};
  plain<std::uint32_t> waiting{0};
  plain<std::uint64_t> registrations{0};
  plain<std::int64_t> now{std::numeric_limits<std::int64_t>::min()};  // as it was last told
  typename cancel_node<A>::pointer timed{nullptr};
  /// Frees the tree, when it is part of something larger; null: it is of the heap. Trees that this
  /// would end in turn are put before `ending` instead: the chain may be longer than a stack is
  /// deep.
  void (*end)(cancel_tree& self, cancel_tree*& ending) noexcept = nullptr;
  cancel_tree* next_ending = nullptr;
  cancel_frame<A> within;  // when it is cancelled from within a callback, which happens once
  cancel_node<A> root;
};

/// What is done with a tree. Every function is thread-safe.
template <class A>
class cancel_operations {
 public:
  using node = cancel_node<A>;
  using tree = cancel_tree<A>;
  using record = cancel_record<A>;
  using frame = cancel_frame<A>;

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
    // Acquire: pairs with the release in mark_one(), so that the reason can be read, and `busy` is
    // seen.
    if (!n.marked.load(std::memory_order_acquire)) [[likely]]
      return false;
    // Acquire: pairs with the release at the end of mark(), so that all marks are seen. I2
    if (n.tree->busy.load(std::memory_order_acquire)) {
      n.tree->lock.lock();
      n.tree->lock.unlock();
    }
    return true;
  }

  /// True when this call is the one that cancelled `n`, after all callbacks ended (C-2, C-9).
  static bool cancel(node& n, cancel_reason why) noexcept;
  /// The same from within `r`, which is running: what `n` has of callbacks runs when `r` has ended,
  /// before whatever follows, and `n` is held until then. Of each tree once, at its root. False
  /// also where nothing holds `n` any more, and its end waits for `r`.
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
  /// Tells the tree the time, and cancels whatever is due, earliest deadline first.
  static void advance(tree& t, std::int64_t now) noexcept;
  /// The earliest deadline of a node that is not cancelled.
  static std::int64_t next_deadline(tree& t) noexcept;

 private:
  struct newest_first {
    static auto& next(record& r) noexcept { return r.next; }
    static void linked(record& before, record& after) noexcept { after.link = &before.next; }
    static bool before(record& a, record& b) noexcept {
      if (BAST_MUTANT(oldest_callback_first)) return a.sequence < b.sequence;
      return a.sequence > b.sequence;
    }
  };
  struct earliest_first {
    static auto& next(node& n) noexcept { return n.timed_next; }
    static void linked(node&, node&) noexcept {}
    static bool before(node& a, node& b) noexcept {
      if (a.deadline != b.deadline) return a.deadline < b.deadline;
      return a.id < b.id;  // An ancestor is older.
    }
  };
  using callbacks = merge_stack<record, newest_first>;

  static void mark_one(node& n, const cancel_reason& why, node*& last, callbacks& found) noexcept;
  static void mark(node& top, const cancel_reason& why, callbacks& found) noexcept;
  /// Under the lock, where no order is needed.
  static bool is_marked(const node& n) noexcept { return n.marked.load(std::memory_order_relaxed); }
  static void arrange(frame& f, tree& t, callbacks& found) noexcept;
  static void run(tree& t, callbacks& found) noexcept;
  static void mark_and_run(node& n, const cancel_reason& why) noexcept;
  static void unlink(record& r) noexcept;
  static void unlink_timed(node& n) noexcept;
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
  static cancel_reason inherited(const cancel_reason& from) noexcept {
    cancel_reason why = from;
    why.code = cancel_code::parent;
    return why;
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
