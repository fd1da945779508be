// SPDX-License-Identifier: Apache-2.0
//
// An unbuffered channel, the simplest object on which two choices meet: test support of layer op.
//
//   rendezvous<int> numbers;
//   perform(numbers.send(7));  /  perform(numbers.receive())
#pragma once

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

 private:
  bast::internal::lock_of<Traits> lock_;
  bast::internal::wait_list_of<Traits> senders_, receivers_;
};

}  // namespace bast::test
