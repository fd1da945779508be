// SPDX-License-Identifier: Apache-2.0
//
// What a scope reports of its end, and how a report is printed.
#include <initializer_list>
#include <mutex>
#include <string_view>

#include "bast/scope/core.hpp"

namespace bast::inline BAST_ABI {

namespace internal {

namespace {

scope_report report_of(std::uint64_t id, const char* name, scope_status status,
                       const failures* why) {
  scope_report made{.id = id, .name = name != nullptr ? name : "", .status = status};
  if (why == nullptr) return made;
  made.failures.reserve(1 + why->suppressed_count);
  made.failures.push_back(why->primary.message());
  for (std::size_t i = 0; i < why->suppressed_count; ++i) {
    made.failures.push_back(why->suppressed[i].message());
  }
  made.dropped = why->dropped;
  return made;
}

}  // namespace

// What has ended below this one is there already.
void scope_core::report() noexcept {
  if (report_ == nullptr) return;
#if BAST_EXCEPTIONS
  try {
#endif
    scope_report mine =
        report_of(id(), options_.name, status(), has_failed() ? &failures_here() : nullptr);
    mine.children = std::move(report_->children);
    *report_ = std::move(mine);
    if (options_.report == nullptr) parent_->attach(std::move(*report_));
#if BAST_EXCEPTIONS
  } catch (...) {  // NOLINT(bugprone-empty-catch): without memory it is omitted
  }
#endif
}

void scope_core::attach(scope_report&& child) {
  const std::lock_guard held(lock());
  report_->children.push_back(std::move(child));
}

}  // namespace internal

const char* name_of(scope_status status) noexcept {
  switch (status) {
    case scope_status::ok: return "ok";
    case scope_status::failed: return "failed";
    case scope_status::cancelled: return "cancelled";
  }
  return "unknown";
}

namespace {

void print(const scope_report& of, std::size_t depth, std::string& out) {
  const auto line = [&](std::initializer_list<std::string_view> words) {
    out.append(2 * depth, ' ');
    for (const std::string_view each : words) out += each;
    out += '\n';
  };
  line({of.name.empty() ? "(unnamed)" : std::string_view(of.name), " #", std::to_string(of.id),
        ": ", name_of(of.status)});
  for (const std::string& each : of.failures) line({"  ! ", each});
  if (of.dropped != 0) line({"  ! and ", std::to_string(of.dropped), " more"});
  for (const scope_report& child : of.children) print(child, depth + 1, out);
}

}  // namespace

std::string scope_report::to_string() const {
  std::string all;
  print(*this, 0, all);
  return all;
}

}  // namespace bast::inline BAST_ABI
