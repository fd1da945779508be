// SPDX-License-Identifier: Apache-2.0
//
// An unbuffered channel, the simplest object on which two choices meet: test support of layer op.
//
//   rendezvous<int> numbers;
//   perform(numbers.send(seven));      perform(numbers.receive())
#pragma once

#include <cstddef>
#include <optional>
#include <utility>

#include "bast/op.hpp"

namespace bast::test {

template <class T, class Traits = bast::internal::real_traits>
class rendezvous {
  using meeting_leaf = bast::internal::basic_meeting_leaf<Traits>;

 public:
  class sender;
  class receiver;

  class sender final : public meeting_leaf {
   public:
    sender(rendezvous& at, T& value) noexcept
        : meeting_leaf(at.lock_, at.senders_, at.receivers_), value_(value) {}
    T& value() noexcept { return value_; }

   private:
    void pass(typename meeting_leaf::leaf& peer) noexcept override {
      static_cast<receiver&>(peer).value_.emplace(std::move(value_));
    }
    T& value_;
  };

  class receiver final : public meeting_leaf {
   public:
    explicit receiver(rendezvous& at) noexcept
        : meeting_leaf(at.lock_, at.receivers_, at.senders_) {}
    std::optional<T>& value() noexcept { return value_; }

   private:
    friend sender;
    void pass(typename meeting_leaf::leaf& peer) noexcept override {
      value_.emplace(std::move(static_cast<sender&>(peer).value()));
    }
    std::optional<T> value_;
  };

  /// `slot` is moved from only if the arm commits (O-11), and lives longer than the perform.
  class send_op {
   public:
    using value_type = void;
    send_op(rendezvous& at, T& slot) : at_(&at), slot_(&slot) {}

    template <class>
    class plan : public bast::internal::leaf_plan<sender> {
     public:
      explicit plan(send_op op) : plan::leaf_plan(*op.at_, *op.slot_) {}
      [[nodiscard]] result<void> take(const bast::internal::basic_leaf<Traits>* /*leaf*/) {
        return {};
      }
    };

   private:
    rendezvous* at_;
    T* slot_;
  };

  class receive_op {
   public:
    using value_type = T;
    explicit receive_op(rendezvous& at) : at_(&at) {}

    template <class>
    class plan : public bast::internal::leaf_plan<receiver> {
     public:
      explicit plan(receive_op op) : plan::leaf_plan(*op.at_) {}
      [[nodiscard]] result<T> take(const bast::internal::basic_leaf<Traits>* /*leaf*/) {
        return *std::move(this->leaf_.value());
      }
    };

   private:
    rendezvous* at_;
  };

  send_op send(T& slot) { return send_op(*this, slot); }
  receive_op receive() { return receive_op(*this); }
  /// Performs that are linked here.
  std::size_t waiting() { return waiting_in(senders_) + waiting_in(receivers_); }
  std::size_t sending() { return waiting_in(senders_); }
  std::size_t receiving() { return waiting_in(receivers_); }

 private:
  std::size_t waiting_in(bast::internal::wait_list_of<Traits>& list) {
    lock_.lock();
    const std::size_t count = list.size();
    lock_.unlock();
    return count;
  }

  bast::internal::lock_of<Traits> lock_;
  bast::internal::wait_list_of<Traits> senders_, receivers_;
};

}  // namespace bast::test
