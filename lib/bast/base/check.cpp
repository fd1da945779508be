// SPDX-License-Identifier: Apache-2.0
#include "bast/base/check.hpp"

#include <atomic>

namespace bast::inline BAST_ABI {
namespace {

std::atomic<violation_handler> handler_in_force{nullptr};
std::atomic<internal::check_context> context_in_force{nullptr};

}  // namespace

violation_handler set_violation_handler(violation_handler handler) noexcept {
  return handler_in_force.exchange(handler);
}

namespace internal {

void set_check_context(check_context context) noexcept { context_in_force.store(context); }

void append_check_context(text& out) noexcept {
  const check_context context = context_in_force.load();
  if (context != nullptr) context(out);
}

void check_failed(const char* expression, const char* file, int line, const char* why) noexcept {
  text diagnostic;
  diagnostic << "bast: " << why << ": check failed: " << expression << ", at " << file << ':'
             << line;
  append_check_context(diagnostic);
  diagnostic << '\n';
  violation(diagnostic);
}

void violation(const text& diagnostic) noexcept {
  const violation_handler handler = handler_in_force.load();
  if (handler != nullptr) handler(diagnostic.c_str());
  die(diagnostic.view().data(), diagnostic.view().size());
}

}  // namespace internal
}  // namespace bast::inline BAST_ABI
