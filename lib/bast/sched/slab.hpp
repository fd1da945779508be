// SPDX-License-Identifier: Apache-2.0
//
// `record_slab`: the fiber records of one worker. Records come from it, and go back to it from any
// thread. It outlives its worker while one of its records is still held by a handle.
//
//   I1  records = free + arriving + in use. `free_` is the owner's; `arriving_` holds what others
//       have returned.
//   I2  Under `lock_` it is decided whether a record that comes back from elsewhere is passed to
//       the owner, or is one of the last of an ended owner. The last one frees the slab.
#pragma once

#include <memory>
#include <utility>

#include "bast/lockfree.hpp"
#include "bast/sched/record.hpp"

namespace bast::inline BAST_ABI::internal {

class runtime_core;

class record_slab {
 public:
  /// Of a worker of `core`, or null. Errors: no_memory.
  [[nodiscard]] static result<record_slab*> create(const void* core,
                                                   std::weak_ptr<runtime_core> runtime) noexcept;
  /// Null if it is gone.
  [[nodiscard]] std::shared_ptr<runtime_core> runtime() const noexcept { return runtime_.lock(); }
  /// Null once the owner has ended: another one may have its address then.
  [[nodiscard]] const void* belongs_to() const noexcept {
    // Relaxed: an owner at the address of an ended one was made after that has ended.
    return core_.load(std::memory_order_relaxed);
  }
  /// The owner ends: frees the slab now, or when its last record comes back.
  static void end(record_slab* slab) noexcept;

  /// The owner: a record with the next generation, in state ready; null: no_memory or limit, see
  /// why().
  fiber_record* take() noexcept {
    fiber_record* const taken = free_;
    if (taken == nullptr) [[unlikely]]
      return take_slowly();
    free_ = taken->next;
    return taken;
  }
  [[nodiscard]] const error& why() const noexcept { return why_; }
  /// The owner: it is not used any more.
  void give(fiber_record& unused) noexcept {
    renew(unused);
    unused.next = free_;
    free_ = &unused;
  }
  /// Another worker of the same runtime, in batches: give these to remote_free.
  basic_inbox<fiber_record>& arriving() noexcept { return arriving_; }
  /// Any other thread, also after the owner's end. The caller's last access to the slab.
  void give_from_elsewhere(fiber_record& unused) noexcept;

  /// Records that are not free, as far as the owner knows. The owner only.
  [[nodiscard]] std::size_t in_use() noexcept;

 private:
  record_slab(const void* core, std::weak_ptr<runtime_core>&& runtime) noexcept
      : core_(core), runtime_(std::move(runtime)) {}
  ~record_slab() = default;
  fiber_record* take_slowly() noexcept;
  void collect() noexcept;
  static void renew(fiber_record& unused) noexcept;
  static void destroy(record_slab* slab) noexcept;

  std::atomic<const void*> core_;
  std::weak_ptr<runtime_core> runtime_;
  fiber_record* free_ = nullptr;
  chunk* chunks_ = nullptr;
  std::size_t records_ = 0;
  error why_{errc::no_memory, "spawn", "no memory for the fiber"};
  basic_inbox<fiber_record> arriving_;
  os::lock lock_;
  bool has_ended_ = false;       // by lock_
  std::size_t outstanding_ = 0;  // by lock_, once it has ended
};

}  // namespace bast::inline BAST_ABI::internal
