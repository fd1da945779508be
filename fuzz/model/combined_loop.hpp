// SPDX-License-Identifier: Apache-2.0
//
// `combined_loop`: a real process_driver with simulated processes and a simulated kernel, so that
// events happen when the program chooses, and in the order of its options. Its eventfd is real, and
// so is the clock of the driver's own functions: the world's clock is far in the future, where
// theirs is ignored.
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "bast/process.hpp"
#include "model/combined_language.hpp"
#include "model/combined_model.hpp"
#include "model/fault_schedule.hpp"
#include "model/process_world.hpp"

namespace bast::model {

class combined_loop {
 public:
  /// A process of the world, and its result.
  struct followed {
    combined_loop* loop = nullptr;
    world_child* child = nullptr;
    std::size_t owner = 0;
    std::array<int, 2> pipes = {-1, -1};
    bool ended = false;
    std::string result;
    process_finished finished = nullptr;
    void* state = nullptr;
  };

  combined_loop(const combined_choice& chosen, fault_schedule& faults);
  combined_loop(const combined_loop&) = delete;
  combined_loop& operator=(const combined_loop&) = delete;
  ~combined_loop() { leak_when_at_work(); }

  /// Creates the driver, or returns why that failed.
  result<void> open();
  /// Requires that it is idle.
  void close();
  bool is_open() const { return driver_ != nullptr; }
  process_driver& driver() { return *driver_; }

  /// Acts as a process_starter: creates a simulated process of `owner` and supervises it.
  result<process_id> start(std::size_t owner, const combined_order& order,
                           const process_follower& follower);
  /// Performs everything that can happen without time passing, in some order.
  void settle();
  void pass(std::int64_t duration_ns);
  void act(followed& who, const op& o);
  void shut_down() { driver_->machine().shut_down(); }
  /// All running children exit, and no pipe is held; then everything settles.
  void end_children();
  /// Whether everything that it wrote to a captured stream was read.
  static bool all_is_read(const followed& who, std::size_t stream);
  /// As text, like the model's combined_child::result; the bytes read must be those that `who`
  /// wrote.
  std::string describe_result(const process_result& seen, const followed& who);

  std::deque<followed>& processes() { return processes_; }
  followed* latest_of(std::size_t owner) {
    return by_owner_[owner].empty() ? nullptr : by_owner_[owner].back();
  }
  const std::vector<followed*>& processes_of(std::size_t owner) const { return by_owner_[owner]; }
  std::size_t live() const;
  const process_machine_stats& stats() const { return driver_->machine().stats(); }
  /// Of the latest operation: see combined_memory.
  std::array<std::deque<std::array<bool, 2>>, coro_places> lacked;

  /// Errors in any program: violations of the world's rules, and of a driver whose world is honest.
  std::string complaint() const;
  std::size_t open_descriptors() const { return world_.open_descriptors() - (is_open() ? 1 : 0); }

 private:
  /// A driver that this model drives.
  class bare_driver final : public process_driver {
   public:
    bare_driver(os::descriptor wake, std::unique_ptr<process_machine> machine) noexcept
        : process_driver(std::move(wake), std::move(machine)) {}
    static result<std::unique_ptr<bare_driver>> create(process_machine_options options) {
      auto wake = os::make_event();
      if (!wake) return std::unexpected(wake.error());
      options.wake_fd = wake->get();
      auto machine = process_machine::create(options);
      if (!machine) return std::unexpected(machine.error());
      std::unique_ptr<bare_driver> made(
          os::make<bare_driver>(std::move(*wake), std::move(*machine)));
      if (made == nullptr) return fail(errc::no_memory, "combined_loop.open", "no memory for it");
      made->awake_.emplace(made->ready());
      return made;
    }
    /// As a loop does after it has notified the machine.
    void complete(std::uint64_t user_data, std::int64_t status) {
      machine_->complete(user_data, status);
      ready().run();
    }
    void tick(std::int64_t now_ns) {
      machine_->tick(bast::internal::time_of(now_ns));
      ready().run();
    }

   private:
    void machine_changed() noexcept override {}
    std::optional<attended> awake_;
  };

  /// Its destructor would end the process; the complaint is more specific.
  void leak_when_at_work();
  bool hand_over();
  bool complete_one();
  void look_at_the_event();
  static bool is_lacking(const captured_output& stream);

  combined_choice chosen_;
  fault_schedule& faults_;
  process_world world_;
  std::unique_ptr<bare_driver> driver_;
  int event_ = -1;       // in the world
  int real_event_ = -1;  // the machine's
  unsigned turn_ = 0;
  std::deque<followed> processes_;  // of all times
  std::array<std::vector<followed*>, coro_places> by_owner_;
  std::string complaint_;
};

}  // namespace bast::model
