// SPDX-License-Identifier: Apache-2.0
//
// `fiber_local<T>`: a value for the running fiber and the fibers that it spawns: a request's id,
// its deadline, the user on whose behalf it runs.
//
//   inline const bast::fiber_local<std::string> request_id;
//   const auto bound = request_id.bind("r-17").value();   // until the end of this block
//   bast::spawn([] { log(*request_id); });                 // the child sees it too
//
// What is bound is immutable and shared: a child keeps what its parent had bound at the spawn, and
// a later binding of either is unseen by the other. Bindings nest.
#pragma once

#include <atomic>
#include <new>
#include <utility>

#include "bast/base.hpp"
#include "bast/os.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// One binding in the list of a fiber, which shares its tail with its parent's.
struct local_node {
  const void* key;
  const void* value;
  local_node* outer;
  void (*destroy)(local_node& self) noexcept;
  std::atomic<std::uint32_t> holders{1};
};

local_node* keep(local_node& shared) noexcept;
void drop(local_node* held) noexcept;
/// Of the running fiber, or of the thread outside a fiber.
local_node*& locals_here() noexcept;
const void* find_local(const void* key) noexcept;

}  // namespace internal

/// A key: an object of static lifetime, whose address identifies it. Thread-safe.
template <class T>
class fiber_local {
  static_assert(std::is_nothrow_move_constructible_v<T>, "a value that is bound is moved");

 public:
  fiber_local() = default;
  fiber_local(const fiber_local&) = delete;
  fiber_local& operator=(const fiber_local&) = delete;
  ~fiber_local() = default;

  /// What is bound for the running fiber, or the thread outside a fiber; null if nothing is. Valid
  /// until the end of the binding, or of the fiber that inherited it. O(bindings inside it).
  [[nodiscard]] const T* get() const noexcept {
    return static_cast<const T*>(internal::find_local(this));
  }
  /// Requires that there is one.
  const T& operator*() const noexcept { return *get(); }
  const T* operator->() const noexcept { return get(); }

  class binding;
  /// Binds a value until the result is destroyed, in the fiber that called this. Allocates. Errors:
  /// no_memory.
  [[nodiscard]] result<binding> bind(T value) const;

 private:
  struct node : internal::local_node {
    node(const void* of, T&& v) noexcept
        : local_node{of, &held, nullptr, destroy_node}, held(std::move(v)) {}
    static void destroy_node(internal::local_node& self) noexcept {
      os::destroy(static_cast<node*>(&self));
    }
    T held;
  };
};

template <class T>
class [[nodiscard]] fiber_local<T>::binding {
 public:
  binding(binding&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  binding& operator=(binding&&) = delete;
  binding(const binding&) = delete;
  binding& operator=(const binding&) = delete;
  /// In the fiber that bound it, innermost first (checked).
  ~binding() {
    if (node_ == nullptr) return;
    internal::local_node*& here = internal::locals_here();
    BAST_CHECK(here == node_, "bindings of fiber_locals must end innermost first");
    here = node_->outer != nullptr ? internal::keep(*node_->outer) : nullptr;
    internal::drop(node_);
  }

 private:
  friend class fiber_local;
  explicit binding(internal::local_node* made) noexcept : node_(made) {}
  internal::local_node* node_;
};

template <class T>
result<typename fiber_local<T>::binding> fiber_local<T>::bind(T value) const {
  node* const made = os::make<node>(this, std::move(value));
  if (made == nullptr) {
    return fail(errc::no_memory, "fiber_local.bind", "no memory for the value");
  }
  internal::local_node*& here = internal::locals_here();
  made->outer = std::exchange(here, made);
  return binding(made);
}

}  // namespace bast::inline BAST_ABI
