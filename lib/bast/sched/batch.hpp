// SPDX-License-Identifier: Apache-2.0
//
// `spawn_batch`: starts many fibers of one function, or none.
//
//   auto parts = bast::spawn_batch(8, [&](std::size_t i) { return sum_of(blocks[i]); }).value();
//   ...
//   for (auto& part : parts) total += part.join().value();
#pragma once

#include <cstddef>
#include <source_location>
#include <type_traits>
#include <utility>
#include <vector>

#include "bast/sched/spawn.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

/// What one fiber of a batch runs.
template <class F>
class indexed_call {
 public:
  indexed_call(const F& function, std::size_t index) : function_(function), index_(index) {}
  decltype(auto) operator()() { return function_(index_); }

 private:
  F function_;
  std::size_t index_;
};

template <class F>
using batch_value = fiber_value<indexed_call<std::decay_t<F>>>;

/// Records that are complete but for their submission. Those that are not submitted are destroyed.
class fiber_batch {
 public:
  /// Of the calling worker; or with `guest_of`, of a runtime to which this thread is a guest.
  fiber_batch(const spawn_options& options, site_key site, const fiber_operations& operations,
              std::size_t outside_bytes, runtime_core* guest_of) noexcept
      : options_(options),
        site_(site),
        operations_(operations),
        outside_bytes_(outside_bytes),
        guest_of_(guest_of) {}
  fiber_batch(const fiber_batch&) = delete;
  fiber_batch& operator=(const fiber_batch&) = delete;
  ~fiber_batch();

  /// One more, without its callable, and not in the batch yet. Errors: those of spawn().
  [[nodiscard]] result<fiber_record*> prepare() noexcept;
  /// Its callable is in place.
  void append(fiber_record& complete) noexcept { fibers_.append(complete); }
  /// After the last one, so that submit() cannot fail. Errors: no_memory.
  [[nodiscard]] result<void> reserve() noexcept;
  /// All may run.
  void submit() noexcept;
  fiber_record* first() const noexcept { return fibers_.oldest(); }

 private:
  /// Any worker of the caller's pool may take them.
  bool is_usual() const noexcept {
    return guest_of_ == nullptr && options_.pool == nullptr && !options_.pinned &&
           options_.stack == nullptr;
  }

  spawn_options options_;
  site_key site_;
  const fiber_operations& operations_;
  std::size_t outside_bytes_;
  runtime_core* guest_of_;
  fifo<fiber_record> fibers_;
};

template <class F>
[[nodiscard]] result<std::vector<fiber<batch_value<F>>>> spawn_all(std::size_t count,
                                                                   const F& function,
                                                                   const spawn_options& options,
                                                                   site_key site,
                                                                   runtime_core* guest_of) {
  using callable = indexed_call<std::decay_t<F>>;
  using code = fiber_code<callable>;
  std::vector<fiber<batch_value<F>>> handles;
  const auto no_room = [count] {
    return fail(errc::no_memory, "spawn_batch", "no memory for the handles",
                static_cast<std::int64_t>(count));
  };
  if (count > handles.max_size()) return no_room();
#if BAST_EXCEPTIONS
  try {
#endif
    handles.reserve(count);
#if BAST_EXCEPTIONS
  } catch (...) {
    return no_room();
  }
#endif
  fiber_batch batch(options, site, code::operations, code::outside_bytes, guest_of);
  for (std::size_t i = 0; i < count; ++i) {
    const auto made = batch.prepare();
    if (!made) return std::unexpected(made.error());
    place_callable<callable>(**made, function, i);
    batch.append(**made);
  }
  if (auto room = batch.reserve(); !room) return std::unexpected(room.error());
  for (fiber_record* f = batch.first(); f != nullptr; f = f->next) {
    handles.push_back(fiber_access::make<batch_value<F>>(*f));
  }
  batch.submit();
  return handles;
}

}  // namespace internal

/// Makes `count` fibers, of which fiber i runs `function(i)` on its own copy of `function`, and
/// returns their handles in this order. All or nothing: after an error or an exception none has
/// started, and none will. Otherwise as `count` calls of spawn(), but that they are published at
/// once, and sleeping workers are called once: each that finds more work calls the next. Throws
/// what a copy throws. Allocates the handles, and as spawn() does; a function of up to 24 bytes
/// fits in its record. Errors: those of spawn(); no_memory also for the handles.
template <class F>
[[nodiscard]] result<std::vector<fiber<internal::batch_value<F>>>> spawn_batch(
    std::size_t count, const F& function, const spawn_options& options = {},
    const std::source_location& where = std::source_location::current()) {
  return internal::spawn_all(count, function, options, site_key::at(where), nullptr);
}

}  // namespace bast::inline BAST_ABI
