// SPDX-License-Identifier: Apache-2.0
//
// The failure of a schedule and its cleanup: the second half of `machine`.
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "interleave/machine.hpp"

namespace bast::interleave::internal {

void machine::check(bool holds, const char* what, const place& where) {
  if (holds) [[likely]]
    return;
  if (proves_nothing()) return;
  if (mode_ == mode::unwinding) return step_after_failure();
  record("thread " + std::to_string(running_) + ": " + what + " (" + print(where) + ")");
  me().state = life::refusing;
  rest();
}

void machine::fail(const std::string& what) {
  if (mode_ != mode::exploring || proves_nothing()) return;
  record(what);
  rest();
}

void machine::lose(const char* what) {
  if (mode_ == mode::exploring) {
    record("thread " + std::to_string(running_) + " cannot continue: " + what);
  }
  me().state = life::lost;
  me().out->yield();
  std::abort();  // It is never resumed.
}

bool machine::proves_nothing() noexcept {
  if (has_promised()) {
    impossible_ = true;
    open_loads_.clear();
  }
  return impossible_;
}

// Before the cleanup, so that the choices are known if that crashes.
void machine::record(const std::string& what) {
  next_ = nobody;
  if (mode_ != mode::exploring || !failure_.empty()) return;
  failure_ = what;
  if (proves_nothing() || options_.quiet) return;
  std::fprintf(stderr, "interleave: %s\ninterleave: replay = \"%s\"\n%s", what.c_str(),
               schedule_.print().c_str(), trace_.print().c_str());
}

std::string machine::who_waits() const {
  std::string out;
  for (unsigned i = 0; i <= spawned_; ++i) {
    const virtual_thread& t = threads_[i];
    const bool sleeps = t.state == life::asleep;
    if (!sleeps && t.state != life::relaxing && t.state != life::joining) continue;
    if (!out.empty()) out += "; ";
    out += "thread " + std::to_string(i);
    if (sleeps) out += " sleeps on " + print(t.word);
    if (t.state == life::relaxing) out += " spins";
    out += t.state == life::joining ? " joins" : " at " + print(t.waits_at);
  }
  return out;
}

void machine::step_after_failure() {
  if (mode_ == mode::finishing) return rest();
  if (std::uncaught_exceptions() == 0) throw stopped{};
  // A destructor, on the way out. Its checks are bounded.
  if (++steps_ > options_.steps) lose("it waits in a destructor");
}

void machine::wind_up() {
  finish();
  mode_ = mode::unwinding;
  for (unsigned i = spawned_ + 1; i-- > 0;) unwind(i);
}

void machine::finish() {
  mode_ = mode::finishing;
  std::uint64_t left = options_.steps;
  for (bool any = true; any && left > 0;) {
    any = false;
    for (unsigned i = 0; i <= spawned_; ++i) {
      virtual_thread& t = threads_[i];
      if (t.state == life::relaxing) t.state = life::ready;
      if (t.state != life::ready || !t.started) continue;
      resume(i);
      any = true;
      if (--left == 0) return;
    }
  }
}

void machine::unwind(unsigned thread) {
  virtual_thread& t = threads_[thread];
  if (t.state == life::finished || t.state == life::unused) return;
  steps_ = 0;
  if (!t.started) {
    t.work = nullptr;
    t.state = life::finished;
    return;
  }
  if (t.state != life::lost) resume(thread);
  if (t.state == life::finished) return;
  lost_a_thread_ = true;
  (void)t.body.detach();
  t.work = nullptr;
}

}  // namespace bast::interleave::internal
