// SPDX-License-Identifier: Apache-2.0
//
// The subjects of op_conformance.hpp for the kinds of object that layer op knows.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "bast/op.hpp"
#include "bast/testing/once_event.hpp"
#include "bast/testing/rendezvous.hpp"

namespace bast::test {

struct receive_subject {
  struct object {
    rendezvous<int> at;
  };
  static auto op(object& of) { return of.at.receive(); }
  static void make_ready(object& of) {
    int value = 7;
    (void)perform(of.at.send(value));
  }
  static std::size_t waiting(object& of) { return of.at.receiving(); }
  static constexpr bool stays_ready = false;
};

struct send_subject {
  struct object {
    rendezvous<int> at;
    int value = 7;
  };
  static auto op(object& of) { return of.at.send(of.value); }
  static void make_ready(object& of) { (void)perform(of.at.receive()); }
  static std::size_t waiting(object& of) { return of.at.sending(); }
  static constexpr bool stays_ready = false;
};

struct once_subject {
  using object = once_event;
  static auto op(object& of) { return of.happened(); }
  static void make_ready(object& of) { of.fire(); }
  static std::size_t waiting(object& of) { return of.waiting(); }
  static constexpr bool stays_ready = true;
};

struct permits {
  wait_queue queue;
  int left = 0;
  bool take() noexcept {
    if (left == 0) return false;
    --left;
    return true;
  }
};
struct retry_subject {
  using object = permits;
  static auto op(object& of) {
    return retry_on(of.queue, [&of]() noexcept { return of.take(); });
  }
  static void make_ready(object& of) {
    of.queue.wake_one([&of]() noexcept { ++of.left; });
  }
  static std::size_t waiting(object& of) { return of.queue.waiting(); }
  static constexpr bool stays_ready = false;
  static constexpr bool keeps_what_is_ready = true;
};
/// An object that all wait for, and with a value.
struct open_subject {
  using object = permits;
  static auto op(object& of) {
    return retry_on(of.queue, [&of]() noexcept -> std::optional<std::string> {
      if (of.left == 0) return std::nullopt;
      return "open";
    });
  }
  static void make_ready(object& of) {
    of.queue.wake_all([&of]() noexcept { of.left = 1; });
  }
  static std::size_t waiting(object& of) { return of.queue.waiting(); }
  static constexpr bool stays_ready = true;
};

}  // namespace bast::test
