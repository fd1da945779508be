// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/failure.hpp"

namespace bast::inline BAST_ABI {

void failure::describe(text& out) const noexcept {
  out << "fiber ";
  if (fiber != nullptr) {
    out << '\'' << fiber << '\'';
  } else {
    out << "(unnamed)";
  }
  out << ": ";
#if BAST_EXCEPTIONS
  if (exception != nullptr) {
    try {
      std::rethrow_exception(exception);
    } catch (const std::exception& e) {
      out << e.what();
    } catch (...) {
      out << "an exception that is no std::exception";
    }
    return;
  }
#endif
  if (why) {
    why->describe(out);
  } else {
    out << "no failure";
  }
}

std::string failure::message() const {
  text line;
  describe(line);
  return std::string(line.view());
}

error failures::as_error() const noexcept {
  return primary.why.value_or(
      error{errc::failed_scope, "run_scope", "an exception ended the scope"});
}

void failures::add(failure&& later) noexcept {
  if (suppressed_count < kept_max) {
    suppressed[suppressed_count++] = std::move(later);
  } else {
    ++dropped;
  }
}

std::string failures::message() const {
  std::string all = primary.message();
  for (std::size_t i = 0; i < suppressed_count; ++i) {
    all += "\nsuppressed: " + suppressed[i].message();
  }
  if (dropped != 0) all += "\nand " + std::to_string(dropped) + " more";
  return all;
}

}  // namespace bast::inline BAST_ABI
