// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/core.hpp"

#include <cstring>
#include <utility>

#include "bast/sched/join.hpp"
#include "bast/sched/spawn.hpp"

namespace bast::inline BAST_ABI::internal {
// --- life ----------------------------------------------------------------------------------------

result<std::shared_ptr<runtime_core>> runtime_core::create(const run_options& options) noexcept {
  if (auto valid = check_options(options); !valid) return std::unexpected(valid.error());
  abandonable::choose_secret();
  auto root = cancel_source::create();
  if (!root) return std::unexpected(root.error());
#if BAST_EXCEPTIONS
  try {
#endif
    auto made = std::make_shared<runtime_core>(options);
    made->root_.emplace(std::move(*root));
    if (auto ready = made->make_workers(); !ready) return std::unexpected(ready.error());
    return made;
#if BAST_EXCEPTIONS
  } catch (...) {
    return fail(errc::no_memory, "run", "no memory for the workers");
  }
#endif
}

result<void> runtime_core::make_workers() {
  if (options_.unhandled.take == nullptr) options_.unhandled.take = write_untaken;
  if (options_.workers == 0) options_.workers = default_workers();
  auto threads_of_blocking = thread_pool::create(options_.blocking);
  if (!threads_of_blocking) return std::unexpected(threads_of_blocking.error());
  blocking_.emplace(std::move(*threads_of_blocking));
  const auto add_group = [&](const char* name, std::size_t count, scheduling threads) {
    auto group = std::make_unique<worker_group>();
    group->name = name;
    group->first = workers_.size();
    group->count = count;
    group->threads = threads;
    for (std::size_t i = 0; i < count; ++i) {
      workers_.push_back(std::make_unique<worker>(*this, *group, workers_.size()));
    }
    groups_.push_back(std::move(group));
  };
  add_group(nullptr, options_.workers, scheduling::normal);
  for (const pool_options& pool : options_.pools) add_group(pool.name, pool.workers, pool.threads);
  options_.pools = {};
  stack_classes_.assign(options_.stack_classes.begin(), options_.stack_classes.end());
  options_.stack_classes = {};
  threads_.resize(workers_.size() - 1);
  for (const auto& each : workers_) {
    if (auto ready = each->prepare(); !ready) return ready;
  }
  auto slab = record_slab::create(nullptr, weak_from_this());
  if (!slab) return std::unexpected(slab.error());
  guest_slab_ = *slab;
  return {};
}

runtime_core::~runtime_core() {
  if (guest_slab_ != nullptr) record_slab::end(guest_slab_);
  for (const auto& each : workers_) each->end_slab();
}

/// What the threads of the other workers tell the one that starts them, and why the first failed.
struct runtime_core::starting {
  std::atomic<std::size_t> ready{0};
  std::atomic<bool> failed{false};
  error why{errc::limit, "run", "no more threads"};

  void fail(const error& reason) noexcept {
    if (!failed.exchange(true)) why = reason;
  }
};

result<void> runtime_core::begin() noexcept {
  if (auto ready = first().open(); !ready) {
    first().close();
    return ready;
  }
  in_loops_.store(workers_.size(), std::memory_order_relaxed);  // before the threads start
  starting all;
  starting_ = &all;
  std::size_t started = 0;
  for (std::size_t i = 1; i < workers_.size() && !all.failed; ++i) {
    auto made = os::thread::start(
        [](void* mine) -> void* {
          auto& w = *static_cast<worker*>(mine);
          w.core().run_thread(w);
          return nullptr;
        },
        workers_[i].get(), os::thread_signals::inherited);
    if (made) {
      threads_[started++] = *std::move(made);
    } else {
      all.fail(made.error());
    }
  }
  // Relaxed: those that were not started have nothing to publish.
  in_loops_.fetch_sub(threads_.size() - started, std::memory_order_relaxed);
  // Acquire: pairs with the release in run_thread().
  for (unsigned round = 0; all.ready.load(std::memory_order_acquire) != started; ++round) {
    os::real_atomics::relax(round);
  }
  if (!all.failed) {
    stop_registration_.emplace(root()).begin(options_.stop);
    return {};
  }
  stop();
  join();
  first().close();
  return std::unexpected(all.why);
}

void runtime_core::run_thread(worker& mine) noexcept {
  if (mine.group().threads != scheduling::normal) {
    os::thread::lower(mine.group().threads == scheduling::batch ? os::thread_class::batch
                                                                : os::thread_class::idle);
  }
  const auto opened = mine.open();
  if (!opened) starting_->fail(opened.error());
  // Release: pairs with the acquire in begin(). The last access to what begin() has on its stack.
  starting_->ready.fetch_add(1, std::memory_order_release);
  if (opened) mine.loop();
  leave_together();
  mine.close();
}

void runtime_core::end_unused() noexcept {
  main_ended(true);
  finish();
}

void runtime_core::fail_arrived(const error& why) noexcept {
  guests_.close();
  for (const auto& each : workers_) each->fail_arrived(why);
}

void runtime_core::finish() noexcept {
  first().loop();
  end();
}

void runtime_core::end() noexcept {
  if (stop_registration_) stop_registration_->end();
  join();
  first().close();
}

// I3
void runtime_core::leave_together() noexcept {
  // Acquire and release: pairs with those of the others, so that what each of them has done to
  // another comes before that one's close().
  in_loops_.fetch_sub(1, std::memory_order_acq_rel);
  // Acquire: pairs with the release above, of the others.
  for (unsigned round = 0; in_loops_.load(std::memory_order_acquire) != 0; ++round) {
    os::real_atomics::relax(round);
  }
}

void runtime_core::join() noexcept {
  leave_together();
  for (os::thread& each : threads_) {
    if (each.joinable()) each.join();
  }
}

// --- the end -------------------------------------------------------------------------------------

void runtime_core::main_ended(bool failed) noexcept {
  report_lock_.lock();
  main_failed_ = failed;
  report_lock_.unlock();
  if (failed) root().cancel({.code = cancel_code::sibling_failed, .text = "the main fiber failed"});
  main_ended_.store(true, std::memory_order_seq_cst);
}

// I1
bool runtime_core::none_is_left(bool daemons_count) const noexcept {
  std::uint64_t ended = 0;
  std::uint64_t spawned = 0;
  // Each pair in the order in which the difference errs on the side of a fiber that is left: a
  // worker counts a daemon's end before the end, and its spawn after the spawn.
  for (const auto& each : workers_) {
    ended += each->ended();
    if (!daemons_count) ended -= each->daemons_ended();
  }
  for (const auto& each : workers_) {
    if (!daemons_count) spawned -= each->daemons_spawned();
    spawned += each->spawned();
  }
  if (!daemons_count) spawned -= guest_daemons_.read();
  return ended == spawned + guest_spawned_.read();
}

void runtime_core::end_if_over() noexcept {
  if (!main_ended_.load(std::memory_order_seq_cst) || is_stopping()) return;
  if (!none_is_left(false)) return;
  if (!none_is_left(true)) {
    root().cancel({.code = cancel_code::shutdown, .text = "only daemons are left"});
    return;
  }
  do {
    // One of them decides; a guest that came before has left, or is seen in the sums.
    if (is_ending_->exchange(true, std::memory_order_seq_cst)) return;
    guests_.close();  // I2
    if (none_is_left(true)) return stop();
    // An exchange, to see what those have done who have left the decision to this one.
    is_ending_->exchange(false, std::memory_order_seq_cst);
  } while (none_is_left(true));
}

void runtime_core::stop() noexcept {
  // Release: pairs with the acquire in is_stopping(), for those that the ring finds awake.
  stopping_.store(true, std::memory_order_release);
  for (const auto& each : workers_) each->ring();
}

// --- failures ------------------------------------------------------------------------------------

void write_untaken(void* /*context*/, failure&& given) noexcept {
  const failure untaken = std::move(given);
  text line;
  line << "bast: no joiner took the failure of ";
  untaken.describe(line);
  line << '\n';
  os::write_diagnostic(line.view().data(), line.view().size());
}

void runtime_core::report(failure&& untaken) noexcept {
  report_lock_.lock();
  if (!main_failed_) {
    report_lock_.unlock();
    const no_waiting guard;  // Also where a fiber has dropped the handle.
    return options_.unhandled.take(options_.unhandled.context, std::move(untaken));
  }
  untaken_.add(std::move(untaken));
  report_lock_.unlock();
}

void report_untaken(const record_slab& home, failure&& untaken) noexcept {
  if (this_worker != nullptr && home.belongs_to() == &this_worker->core()) {
    return this_worker->core().report(std::move(untaken));
  }
  // A handle that was given up elsewhere. After the end, on_unhandled may be gone.
  const std::shared_ptr<runtime_core> of = home.runtime();
  if (of == nullptr || of->is_forked()) return write_untaken(nullptr, std::move(untaken));
  const bool is_guest = !of->owns(this_worker);
  if (is_guest) of->guests().enter();
  if (!is_guest || !of->guests().is_closed()) {
    of->report(std::move(untaken));
  } else {
    write_untaken(nullptr, std::move(untaken));
  }
  if (is_guest) of->guests().leave();
}

// --- spawning ------------------------------------------------------------------------------------

worker_group* runtime_core::group(const char* name) noexcept {
  for (const auto& each : groups_) {
    if (each->name != nullptr && std::strcmp(each->name, name) == 0) return each.get();
  }
  return nullptr;
}

result<std::uint8_t> runtime_core::stack_class(const char* name) const noexcept {
  if (name == nullptr || BAST_MUTANT(stack_class_ignored)) return std::uint8_t{0};
  for (std::size_t i = 0; i < stack_classes_.size(); ++i) {
    if (std::strcmp(stack_classes_[i].name, name) == 0) return static_cast<std::uint8_t>(i + 1);
  }
  return fail(errc::invalid, "spawn", "run_options::stack_classes has no class of that name");
}

fiber_record* runtime_core::take_guest_record(error& why) noexcept {
  guest_lock_.lock();
  fiber_record* const taken = guest_slab_->take();
  if (taken == nullptr) why = guest_slab_->why();
  guest_lock_.unlock();
  return taken;
}

void runtime_core::submit_to(worker_group& group, fiber_record& f) noexcept {
  // Relaxed: any worker will do.
  const std::uint32_t turn = next_worker_.fetch_add(1, std::memory_order_relaxed);
  workers_[group.first + turn % group.count]->submit_from_elsewhere(f);
}

void runtime_core::submit_of_guest(worker_group& group, fiber_record& f) noexcept {
  guest_lock_.lock();
  guest_spawned_.add();
  if (f.is_daemon) guest_daemons_.add();
  guest_lock_.unlock();
  submit_to(group, f);
}

}  // namespace bast::inline BAST_ABI::internal
