// SPDX-License-Identifier: Apache-2.0
//
// `fiber_record`: one fiber, from spawn until its outcome is taken. It has a stack only from its
// first run until its function returns (D14).
//
//            unstarted               running or parked        finished
//   block    ready                   running, suspended       finished, no stack
//   stack    none                    of the worker that       none
//                                    runs it (F-5)
//                                    (one of concurrent() is
//                                    parked from its start)
//   links    the spawn site          in its domain's list     unused
//   room     the callable            unused: the callable     the value, the exception or
//                                    is on the stack          the error
//   attachment  of its domain, null  what governs it          that of its domain
//            for the root's
//
//   I1  A record lies in a chunk of fibers (coro/chunk.hpp I3): its second and third line have a
//       word that is permanently 0 where a block has its tag.
//   I2  Its worker writes everything but the words of the join. What those protect is written
//       before `finished` is published under join_lock, and read after it was seen there.
//   I3  Publishing the end is the last access of its worker. Then the record belongs to whoever
//       holds its handle, or is freed if the handle is gone.
#pragma once

#include <atomic>
#include <bast/config.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <new>

#include "bast/coro.hpp"
#include "bast/op.hpp"
#include "bast/sched/domain.hpp"

namespace bast::inline BAST_ABI::internal {

struct fiber_record;
class record_slab;
struct local_node;
local_node* keep(local_node& shared) noexcept;
void drop(local_node* held) noexcept;

/// What depends on the types of the callable and its result.
struct fiber_operations {
  /// Moves the callable to the calling fiber's stack, calls it, and leaves the outcome.
  void (*run)(fiber_record& self) noexcept;
  void (*destroy_callable)(fiber_record& self) noexcept;
  void (*destroy_value)(fiber_record& self) noexcept;  // null: none
  bool is_outside;  // callable and value lie in a block of their own: `room` holds its address
  /// The error that the value of a finished fiber is, or null. Null if it is no result<T>: else the
  /// handle is a fiber<T>.
  error* (*error_of)(fiber_record& self) noexcept;
};

/// How a fiber ended.
enum class fiber_end : std::uint8_t { none, value, exception, failed };

struct started_links {
  fiber_record** link = nullptr;  // what points here in its domain's list on its worker
  ready_link* wait = nullptr;     // while it is parked
};

struct fiber_record {
  static constexpr std::size_t room_bytes = 32;

  fiber_record() noexcept : started() {}
  fiber_record(const fiber_record&) = delete;
  fiber_record& operator=(const fiber_record&) = delete;
  ~fiber_record() = default;

  coro_block block;  // first: an entry function receives it

  // Its own line.
  const fiber_operations* operations = nullptr;
  record_slab* home = nullptr;  // where its memory belongs
  local_node* locals = nullptr;
  std::uint64_t no_tag = 0;  // I1
  const char* name = nullptr;
  fiber_record* next = nullptr;  // of its domain's list; or in an inbox, unstarted or free
  union {
    started_links started;
    site_key site;  // unstarted
  };

  // The join.
  alignas(64) shared_word<fiber_record*> parent = nullptr;  // a hint: who spawned it (turns)
  wait_node_of<real_traits>* joiners = nullptr;             // by join_lock
  os::lock join_lock;
  std::atomic<bool> finished{false};
  fiber_end end = fiber_end::none;
  bool is_dropped = false;  // no handle is left; by join_lock
  bool is_daemon = false;
  bool is_main = false;
  bool is_taken = false;         // its failure, by its scope
  std::uint8_t stack_class = 0;  // of run_options::stack_classes, from 1; 0: none
  std::uint64_t no_tag_2 = 0;    // I1
  alignas(32) std::byte room[room_bytes];

  /// Where the callable, then the value, lies.
  void* storage() noexcept {
    return operations->is_outside ? *reinterpret_cast<void**>(room) : room;
  }
  // Both lie in the room in any case: without a value no block of its own is kept.
#if BAST_EXCEPTIONS
  std::exception_ptr& exception() noexcept {
    return *std::launder(reinterpret_cast<std::exception_ptr*>(room));
  }
#endif
  error& failure() noexcept { return *std::launder(reinterpret_cast<error*>(room)); }

  static fiber_record& of(coro_block& b) noexcept { return reinterpret_cast<fiber_record&>(b); }
};
static_assert(offsetof(fiber_record, block) == 0);
static_assert(sizeof(fiber_record) % sizeof(coro_block) == 0, "I1");
static_assert(offsetof(fiber_record, no_tag) == sizeof(coro_block) + offsetof(coro_block, tag));
static_assert(offsetof(fiber_record, no_tag_2) ==
              sizeof(coro_block) + 64 + offsetof(coro_block, tag));
#if !(BAST_WITH_ASAN || BAST_WITH_TSAN || BAST_WITH_MSAN)
static_assert(sizeof(fiber_record) == 192);
#endif

/// Nodes in a row, the oldest first, linked by their `next`.
template <class Node>
class fifo {
 public:
  void append(Node& who) noexcept {
    who.next = nullptr;
    (newest_ != nullptr ? newest_->next : oldest_) = &who;
    newest_ = &who;
    ++size_;
  }
  /// As the oldest.
  void prepend(Node& who) noexcept {
    who.next = oldest_;
    if (oldest_ == nullptr) newest_ = &who;
    oldest_ = &who;
    ++size_;
  }
  /// Null: it is empty.
  Node* pop() noexcept {
    Node* const first = oldest_;
    BAST_ASSERT((first == nullptr) == (size_ == 0));  // One was in it twice.
    if (first == nullptr) return nullptr;
    oldest_ = first->next;
    if (oldest_ == nullptr) newest_ = nullptr;
    --size_;
    return first;
  }
  /// Takes out one that is in it. O(size).
  void remove(const Node& who) noexcept {
    Node* before = nullptr;
    Node** at = &oldest_;
    while (*at != &who) {
      before = *at;
      at = &before->next;
    }
    *at = who.next;
    if (newest_ == &who) newest_ = before;
    --size_;
  }
  /// The one that pop() returns next, or null.
  Node* oldest() const noexcept { return oldest_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return oldest_ == nullptr; }

 private:
  Node* oldest_ = nullptr;
  Node* newest_ = nullptr;
  std::size_t size_ = 0;
};

/// Started fibers that are ready. Their links lie in their blocks, which are close together, unlike
/// what is on their stacks.
using ready_fibers = fifo<coro_block>;

/// The scope of an unstarted fiber, or of one whose function has ended; null: the root.
inline fiber_scope* scope_of(const fiber_record& f) noexcept {
  const auto* const domain = static_cast<const domain_attachment*>(f.block.attachment);
  return domain != nullptr ? domain->scope : nullptr;
}

/// A started fiber, as the newest of a list.
inline void link(fiber_record& f, fiber_record*& list) noexcept {
  f.next = list;
  f.started.link = &list;
  if (list != nullptr) list->started.link = &f.next;
  list = &f;
}
inline void unlink(fiber_record& f) noexcept {
  *f.started.link = f.next;
  if (f.next != nullptr) f.next->started.link = f.started.link;
}

/// A record that was free, before its callable is constructed. `governs`: null for the root's.
inline void set_up(fiber_record& f, fiber_record* parent, domain_attachment* governs, site_key site,
                   const char* name, const fiber_operations& operations) noexcept {
  constexpr coro_tag unstarted = static_cast<coro_tag>(coro_state::ready) | flag_scheduled;
  f.block.tag = (f.block.tag & tag_generation_mask) | unstarted;
  f.block.attachment = governs;
  f.operations = &operations;
  f.name = name;
  f.site = site;
  f.parent = parent;
  f.locals = parent != nullptr && parent->locals != nullptr ? keep(*parent->locals) : nullptr;
  f.joiners = nullptr;
  // Relaxed: published with the record.
  f.finished.store(false, std::memory_order_relaxed);
  f.end = fiber_end::none;
  f.is_dropped = false;
  f.is_daemon = false;
  f.is_main = false;
  f.is_taken = false;
  f.stack_class = 0;
}

/// True if a T lies in the record itself.
template <class T>
inline constexpr bool fits_record =
    sizeof(T) <= fiber_record::room_bytes && alignof(T) <= fiber_record::room_bytes;

}  // namespace bast::inline BAST_ABI::internal
