// SPDX-License-Identifier: Apache-2.0
#include "bast/base/error.hpp"

#include <cerrno>

namespace bast::inline BAST_ABI {
namespace {

constexpr const char* words_of(errc code) noexcept {
  switch (code) {
    case errc::cancelled: return "cancelled";
    case errc::timed_out: return "timed out";
    case errc::closed: return "closed";
    case errc::broken_promise: return "broken promise";
    case errc::deadlock: return "deadlock";
    case errc::stale_handle: return "stale handle";
    case errc::bad_state: return "not legal in this state";
    case errc::busy: return "busy";
    case errc::not_owner: return "not the owner";
    case errc::wrong_thread: return "wrong thread";
    case errc::not_in_fiber: return "not inside a coroutine";
    case errc::finished: return "finished";
    case errc::limit: return "limit reached";
    case errc::invalid: return "invalid argument";
    case errc::unsupported: return "not supported here";
    case errc::shutdown: return "shutting down";
    case errc::server_down: return "server down";
    case errc::no_reply: return "no reply";
    case errc::lost: return "lost";
    case errc::forked: return "belongs to the process before fork";
    case errc::no_memory: return "no memory";
    case errc::io: return "system error";
    case errc::would_block: return "would block";
    case errc::failed_exit: return "the program failed";
    case errc::concurrency_unavailable: return "concurrency unavailable";
    case errc::stray_cancel: return "stray cancellation";
    case errc::failed_scope: return "the scope failed";
  }
  return "unknown error";
}

class category final : public std::error_category {
 public:
  const char* name() const noexcept override { return "bast"; }
  std::string message(int value) const override { return words_of(static_cast<errc>(value)); }
  std::error_condition default_error_condition(int value) const noexcept override {
    switch (static_cast<errc>(value)) {
      case errc::cancelled: return std::errc::operation_canceled;
      case errc::timed_out: return std::errc::timed_out;
      case errc::no_memory: return std::errc::not_enough_memory;
      case errc::invalid: return std::errc::invalid_argument;
      case errc::would_block: return std::errc::resource_unavailable_try_again;
      default: return {value, *this};
    }
  }
};

}  // namespace

const std::error_category& bast_category() noexcept {
  static const category instance;
  return instance;
}

std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), bast_category()};
}

errc errc_of_errno(int error_number) noexcept {
  switch (error_number) {
    case ENOMEM: return errc::no_memory;
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case EDQUOT: return errc::limit;
    case EAGAIN: return errc::would_block;
    case EINVAL: return errc::invalid;
    case ENOSYS:
    case EOPNOTSUPP: return errc::unsupported;
    case ETIMEDOUT:
    case ETIME: return errc::timed_out;
    case EPIPE:
    case ECONNRESET: return errc::closed;
    case EBUSY: return errc::busy;
    case EDEADLK: return errc::deadlock;
    default: return errc::io;
  }
}

error error::from_errno(int error_number, static_string operation, static_string detail,
                        std::int64_t value, errc of_eagain) noexcept {
  const errc kind = error_number == EAGAIN ? of_eagain : errc_of_errno(error_number);
  error e(kind, operation, detail, value);
  e.errno_ = error_number;
  return e;
}

std::error_code error::code() const noexcept {
  if (errno_ != 0) return {errno_, std::system_category()};
  return make_error_code(kind_);
}

void error::describe(text& out) const noexcept {
  out << operation_ << ": " << words_of(kind_) << ": " << detail_;
  if (value_ != no_value) out << " (" << value_ << ')';
  if (errno_ != 0) out << " [errno " << errno_ << ']';
}

std::string error::message() const {
  text out;
  describe(out);
  return std::string(out.view());
}

}  // namespace bast::inline BAST_ABI
