// SPDX-License-Identifier: Apache-2.0
//
// Many children at a time on one thread, while random kernel calls of the library fail: one, two
// close together, or all of them for a few turns. Every failure is reported, and nothing stays
// behind: no zombie, no descriptor, no memory, and no byte is lost without a report (P-9, X-6).
//
// One thread, and no coroutine: a plan of failures affects the whole process, and a stack could not
// grow.
#include <malloc.h>
#include <sys/prctl.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "process_case.hpp"
#include "samples.hpp"
#include "scenario.hpp"
#include "storm.hpp"

namespace bast::stress {

namespace {

constexpr std::size_t at_once = 64;
// At intervals all end, so that resources can be compared; after the second number of processes
// everything has reached its final size.
constexpr std::uint64_t between_samples = 1000;
constexpr std::uint64_t settled_after = 2000;
// Of resident memory, in pages: the free blocks of the heap differ each time.
constexpr double pages_more = 256;
constexpr unsigned starts_max = 5;

/// One plan of failures after the other.
class rough_faults {
 public:
  explicit rough_faults(std::mt19937_64& random) : random_(random) {}

  void go_on() {
    if (scope_ && (burst_ ? turns_left_-- > 0 : scope_->injected() < wanted_)) return;
    clear();
    // Without EAGAIN: in a call that does not wait it is a valid result. And without EINTR in a
    // burst: no call is interrupted permanently.
    constexpr int errnos[] = {ENOMEM, EINVAL, EMFILE, EIO, EINTR};
    burst_ = random_() % 8 == 0;
    const std::size_t kinds = std::size(errnos) - (burst_ ? 1 : 0);
    turns_left_ = 3;
    wanted_ = !burst_ && random_() % 3 == 0 ? 2 : 1;
    const std::uint64_t nth = 1 + random_() % 300;
    scope_.emplace(os::fault_plan{.kind = os::call::any,
                                  .nth = nth,
                                  .also_nth = wanted_ == 2 ? nth + 1 + random_() % 5 : 0,
                                  .persistent = burst_,
                                  .error_number = errnos[random_() % kinds]});
  }
  void clear() {
    if (scope_) injected_ += scope_->injected();
    scope_.reset();
  }
  std::uint64_t injected() const { return injected_; }

 private:
  std::mt19937_64& random_;
  std::optional<os::fault_scope> scope_;
  bool burst_ = false;
  int turns_left_ = 0;
  std::uint64_t wanted_ = 1;
  std::uint64_t injected_ = 0;
};

class fleet {
 public:
  explicit fleet(run& r) : run_(r), random_(r.random(0)), faults_(random_) {}

  std::string sail() {
    while (run_.goes_on()) {
      some_of_them();
      compare_memory();
    }
    (void)loop_.shut_down();
    if (const auto left = loop_.machine().stats().unreaped; left != 0) {
      run_.fail("P-12: " + std::to_string(left) + " processes could not be reaped");
    }
    return summary();
  }

 private:
  struct trip {
    fleet& of;
    process_case what;
  };

  /// Until all of them have ended, and the last ones without injected faults.
  void some_of_them() {
    const std::uint64_t end = ended_ + between_samples;
    while (ended_ < end && run_.goes_on()) {
      faults_.go_on();
      if (live_ < at_once) {
        begin_one();
      } else {
        turn(std::chrono::milliseconds(20));
      }
      if (!to_cancel_.empty() && random_() % 4 == 0) cancel_one();
    }
    faults_.clear();
    while (!to_cancel_.empty()) cancel_one();
    while (live_ > 0) turn(std::chrono::hours(1));
  }

  void turn(std::chrono::nanoseconds most) {
    (void)loop_.turn(most);  // A failure loses nothing.
  }

  void cancel_one() {
    std::swap(to_cancel_[random_() % to_cancel_.size()], to_cancel_.back());
    loop_.cancel_from_anywhere(to_cancel_.back());
    to_cancel_.pop_back();
  }

  void begin_one() {
    auto next = std::make_unique<trip>(
        trip{.of = *this, .what = process_case(random_, process_case::faults::injected)});
    process_case& what = next->what;
    for (unsigned tries = 1;; ++tries) {
      const auto id = what.work().start(loop_, ended, next.get());
      if (id) {
        if (what.wants_cancel()) to_cancel_.push_back(*id);
        ++live_;
        (void)next.release();  // `ended` takes it.
        return;
      }
      const std::string complaint = what.judge(id.error());
      if (complaint.empty()) return;  // It had to be refused.
      ++refused_;
      if (!what.work().verify()) return;  // A setter had no memory, or it was started and ended.
      if (tries > starts_max) return run_.fail("P-9: without injected faults too, " + complaint);
      if (tries == starts_max) faults_.clear();
    }
  }

  static void ended(void* context, process_id, process_result&& result) noexcept {
    const std::unique_ptr<trip> one(static_cast<trip*>(context));
    fleet& self = one->of;
    --self.live_;
    ++self.ended_;
    self.bytes_ += process_case::bytes_of(result);
    if (self.run_.planted("lost") && self.ended_ > 5 && result.output.bytes.size() > 1) {
      result.output.bytes.truncate(result.output.bytes.size() - 1);
    }
    const std::string complaint = one->what.judge(result);
    if (!complaint.empty()) self.run_.fail(complaint);
  }

  void compare_memory() {
    (void)::malloc_trim(0);  // Returns free memory.
    const double pages = sample::now(0).pages;
    if (ended_ < settled_after) return;
    if (settled_pages_ == 0) settled_pages_ = pages;
    latest_pages_ = pages;
    if (pages > settled_pages_ * 1.02 + pages_more) run_.fail("memory rises: " + summary());
  }

  std::string summary() const {
    std::string out = std::to_string(ended_) + " processes, " + std::to_string(at_once) +
                      " at a time; " + std::to_string(faults_.injected()) + " calls failed, " +
                      std::to_string(refused_) + " starts for it; " + std::to_string(bytes_ >> 20) +
                      " MiB compared";
    if (settled_pages_ != 0) {
      out += "; " + std::to_string(static_cast<int>(settled_pages_)) + " resident pages at " +
             std::to_string(settled_after) + " processes, " +
             std::to_string(static_cast<int>(latest_pages_)) + " at the end";
    }
    return out;
  }

  run& run_;
  std::mt19937_64 random_;
  rough_faults faults_;
  std::unique_ptr<epoll_adapter> owner_ = epoll_adapter::create({.processes_max = at_once}).value();
  epoll_adapter& loop_ = *owner_;
  std::vector<process_id> to_cancel_;
  std::size_t live_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t refused_ = 0;
  std::uint64_t bytes_ = 0;
  double settled_pages_ = 0;
  double latest_pages_ = 0;
};

}  // namespace

std::string process_faults(run& r) {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // Makes us reap what a child leaves behind.
  const books before;
  std::string done = fleet(r).sail();
  before.balance(r);
  if (const std::string left = children_left(); !left.empty()) r.fail("P-9: " + left);
  return done;
}

}  // namespace bast::stress
