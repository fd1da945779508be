// SPDX-License-Identifier: Apache-2.0
#include "bast/io/epoll_backend.hpp"

#include <sys/epoll.h>

#include <cerrno>
#include <memory>

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr std::size_t events_per_wait = 64;
constexpr std::size_t slots_first = 64;
/// The data of the eventfd: no descriptor has this number.
constexpr std::uint64_t data_of_wake = UINT64_MAX;

constexpr std::uint64_t data_of(int fd, std::uint32_t request) noexcept {
  return std::uint64_t{request} << 32 | static_cast<std::uint32_t>(fd);
}
// A hang-up and an error end both: the call that follows says which it is.
constexpr std::uint32_t ends_reader = EPOLLIN | EPOLLHUP | EPOLLERR;
constexpr std::uint32_t ends_writer = EPOLLOUT | EPOLLHUP | EPOLLERR;

}  // namespace

result<epoll_backend*> epoll_backend::create() noexcept {
  auto poller = os::make_poller();
  if (!poller) return std::unexpected(poller.error());
  auto wake = os::make_event();
  if (!wake) return std::unexpected(wake.error());
  if (auto watched = os::watch_edges(poller->get(), wake->get(), data_of_wake); !watched) {
    return std::unexpected(watched.error());
  }
  void* const place = os::allocate(sizeof(epoll_backend));
  if (place == nullptr) {
    return fail(errc::no_memory, "epoll_backend.create", "no memory for the backend");
  }
  return ::new (place) epoll_backend(*std::move(poller), *std::move(wake));
}

void epoll_backend::destroy(epoll_backend* unused) noexcept {
  if (unused == nullptr) return;
  unused->~epoll_backend();
  os::deallocate(unused);
}

epoll_backend::~epoll_backend() {
  BAST_CHECK(watched_ == 0 || process_.is_forked(),
             "an event loop ends while something waits for a descriptor");
  os::deallocate(slots_);
}

std::uint64_t epoll_backend::now_ns() noexcept {
  return static_cast<std::uint64_t>(os::monotonic_ns());
}

epoll_backend::directions* epoll_backend::slot_of(int fd) noexcept {
  const auto number = static_cast<std::size_t>(fd);
  return fd >= 0 && number < slots_count_ ? &slots_[number] : nullptr;
}

result<void> epoll_backend::reserve(int fd) noexcept {
  if (fd < 0) return fail(errc::invalid, "epoll_backend.reserve", "no descriptor", fd);
  const auto number = static_cast<std::size_t>(fd);
  if (number < slots_count_) return {};
  std::size_t count = slots_count_ != 0 ? slots_count_ : slots_first;
  while (count <= number) count *= 2;
  void* const grown = os::reallocate(slots_, count * sizeof(directions));
  if (grown == nullptr) {
    return fail(errc::no_memory, "epoll_backend.reserve", "no memory for descriptors up to", fd);
  }
  slots_ = static_cast<directions*>(grown);
  std::uninitialized_value_construct_n(slots_ + slots_count_, count - slots_count_);
  slots_count_ = count;
  return {};
}

/// Brings the kernel's request for a descriptor up to date (I1).
result<void> epoll_backend::request(int fd, directions& slot) noexcept {
  const bool reads = slot.reader != nullptr;
  const bool writes = slot.writer != nullptr;
  const std::uint32_t number = slot.request + 1;
  if (!reads && !writes) {
    os::unwatch(poller_.get(), fd);
    slot.request = number;
    return {};
  }
  const auto awaited = reads && writes ? os::readiness::either
                       : reads         ? os::readiness::readable
                                       : os::readiness::writable;
  auto requested = os::watch_once(poller_.get(), fd, data_of(fd, number), awaited);
  // Where it was refused the kernel still has the request before.
  if (requested) slot.request = number;
  return requested;
}

result<void> epoll_backend::watch(descriptor_watch& asked) noexcept {
  BAST_ASSERT(thread_ == os::real_atomics::self());
  BAST_ASSERT(!asked.watched);
  BAST_ASSERT(asked.awaited != os::readiness::either);
  if (process_.is_forked()) {
    return fail(errc::forked, "epoll_backend.watch", "the event loop belongs to the parent");
  }
  directions* const slot = slot_of(asked.fd);
  if (slot == nullptr) {
    return fail(errc::bad_state, "epoll_backend.watch", "not reserved", asked.fd);
  }
  descriptor_watch*& place = place_of(*slot, asked.awaited);
  if (place != nullptr) {
    return fail(errc::busy, "epoll_backend.watch",
                "another wait for this direction of the descriptor goes on", asked.fd);
  }
  place = &asked;
  if (auto requested = request(asked.fd, *slot); !requested) {
    place = nullptr;
    return requested;
  }
  asked.watched = true;
  ++watched_;
  return {};
}

void epoll_backend::unwatch(descriptor_watch& asked) noexcept {
  BAST_ASSERT(thread_ == os::real_atomics::self());
  if (!asked.watched) return;
  directions& slot = slots_[asked.fd];
  place_of(slot, asked.awaited) = nullptr;
  asked.watched = false;
  --watched_;
  // A forked child shares the set with its parent, and must not change it. A refusal: the
  // descriptor was closed meanwhile, and its request with it.
  if (!process_.is_forked()) (void)request(asked.fd, slot);
}

/// Ends a watch, if there is one, and calls its user; returns how many.
std::size_t epoll_backend::end_watch(directions& slot, os::readiness awaited) noexcept {
  descriptor_watch* const ended = std::exchange(place_of(slot, awaited), nullptr);
  if (ended == nullptr) return 0;
  ended->watched = false;
  --watched_;
  ended->ready(*ended);  // May watch, unwatch, and move slots_.
  return 1;
}

std::size_t epoll_backend::report(std::uint64_t data, std::uint32_t mask) noexcept {
  const int fd = static_cast<int>(static_cast<std::uint32_t>(data));
  const auto number = static_cast<std::uint32_t>(data >> 32);
  // What a user that is called asks for has a new number: it is reported by a later event.
  const auto current = [&]() noexcept -> directions* {
    directions* const slot = slot_of(fd);
    if (slot == nullptr) return nullptr;
    return slot->request == number || BAST_MUTANT(old_event_taken) ? slot : nullptr;
  };
  std::size_t called = 0;
  directions* slot = current();
  if (slot != nullptr && (mask & ends_reader) != 0) {
    called += end_watch(*slot, os::readiness::readable);
    slot = current();
  }
  if (slot != nullptr && (mask & ends_writer) != 0) {
    called += end_watch(*slot, os::readiness::writable);
    slot = current();
  }
  const bool has_rest = slot != nullptr && (slot->reader != nullptr || slot->writer != nullptr);
  if (!has_rest || BAST_MUTANT(other_direction_forgotten) || request(fd, *slot)) return called;
  // Closed meanwhile. The call that follows says so.
  called += end_watch(*slot, os::readiness::readable);
  slot = current();
  return slot != nullptr ? called + end_watch(*slot, os::readiness::writable) : called;
}

result<std::size_t> epoll_backend::wait(std::uint64_t until_ns) noexcept {
  BAST_ASSERT(thread_ == os::real_atomics::self());
  if (process_.is_forked()) {
    return fail(errc::forked, "epoll_backend.wait", "the event loop belongs to the parent");
  }
  epoll_event events[events_per_wait];
  const auto deadline = until_ns < static_cast<std::uint64_t>(INT64_MAX)
                            ? static_cast<std::int64_t>(until_ns)
                            : INT64_MAX;
  const auto count = os::wait_events(poller_.get(), events, deadline);
  if (!count) return count;
  std::size_t called = 0;
  for (std::size_t i = 0; i < *count; ++i) {
    if (events[i].data.u64 == data_of_wake) {
      took_wake();
    } else {
      called += report(events[i].data.u64, events[i].events);
    }
  }
  return called;
}

void epoll_backend::took_wake() noexcept {
  if (BAST_MUTANT(wake_flag_kept)) return;
  // Acquire and release: pairs with wake(). A caller that finds the flag set still before this has
  // done its work, which is seen after this wait.
  woken_.exchange(false, std::memory_order_acq_rel);
}

void epoll_backend::wake() noexcept {
  // Acquire and release: pairs with the exchange in took_wake().
  if (woken_.exchange(true, std::memory_order_acq_rel) || process_.is_forked()) return;
  auto set = os::set_event(wake_.get());
  BAST_CHECK(set.has_value(), "an event loop cannot be woken: its eventfd was closed");
}

void epoll_backend::check_invariants() const noexcept {
  std::size_t found = 0;
  for (std::size_t i = 0; i < slots_count_; ++i) {
    for (const descriptor_watch* each : {slots_[i].reader, slots_[i].writer}) {
      if (each == nullptr) continue;
      ++found;
      BAST_CHECK(each->watched && each->fd == static_cast<int>(i), "a slot has another's watch");
    }
    const auto* const reader = slots_[i].reader;
    BAST_CHECK(reader == nullptr || reader->awaited == os::readiness::readable, "not a reader");
    const auto* const writer = slots_[i].writer;
    BAST_CHECK(writer == nullptr || writer->awaited == os::readiness::writable, "not a writer");
  }
  BAST_CHECK(found == watched_, "I2");
}

}  // namespace bast::inline BAST_ABI::internal
