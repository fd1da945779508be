// SPDX-License-Identifier: Apache-2.0
#include "model/scope_model.hpp"

#include <algorithm>

#include "model/scope_language.hpp"

namespace bast::model {

const char* scope_script_name(std::uint32_t which) {
  static constexpr const char* of_scripts[scope_scripts] = {"f0",  "f1",  "f2",  "f3", "f4",  "f5",
                                                            "f6",  "f7",  "f8",  "f9", "f10", "f11",
                                                            "f12", "f13", "f14", "f15"};
  return of_scripts[which];
}

// --- nodes ---------------------------------------------------------------------------------------

scope_model::number scope_model::add_node(number above, bool ends_with_all) {
  node born{.above = above, .ends_with_all = ends_with_all};
  if (is_cancelled(above)) {
    born.is_cancelled = true;
    born.origin = nodes_[above].origin;
    born.code = nodes_[above].code;
  }
  nodes_.push_back(born);
  return static_cast<number>(nodes_.size() - 1);
}

// C-4. Those below have higher numbers, so one pass in their order reaches all.
bool scope_model::cancel(number which, cancel_code code) {
  if (nodes_[which].is_cancelled) return false;
  nodes_[which].is_cancelled = true;
  nodes_[which].origin = which;
  nodes_[which].code = code;
  for (std::size_t i = which + 1; i < nodes_.size(); ++i) {
    node& below = nodes_[i];
    if (below.is_cancelled || below.above == none || !nodes_[below.above].is_cancelled) continue;
    below.is_cancelled = true;
    below.origin = which;
    below.code = code;
  }
  return true;
}

// --- scopes --------------------------------------------------------------------------------------

scope_model::number scope_model::open(number owner, number around, number governs,
                                      unsigned options) {
  one_scope born;
  born.around = around;
  born.owner = owner;
  born.supervise = (options & open_value::supervise) != 0;
  born.has_grace = (options & open_value::no_grace) == 0;
  born.has_report = (options & open_value::report) != 0;
  born.reports = born.has_report || (around != none && scopes_[around].reports);
  born.self = add_node((options & open_value::shielded) != 0 ? none : governs, true);
  scopes_.push_back(born);
  return static_cast<number>(scopes_.size() - 1);
}

bool scope_model::may_spawn(number into) const {
  if (into == none) return true;
  return !scopes_[into].is_closed && scopes_[into].at < phase::finalizing;
}

scope_model::number scope_model::spawn(number into, bool is_daemon) {
  if (into == none) return root;
  one_scope& s = scopes_[into];
  if (!is_daemon) {
    ++s.members;
    return s.self;
  }
  ++s.daemons_left;
  if (s.daemons == none) s.daemons = add_node(s.self, true);
  return s.daemons;
}

// S-3
void scope_model::fail(number which, const failed& why) {
  one_scope& s = scopes_[which];
  s.failures.push_back(why);
  if (s.failures.size() == 1) (void)cancel(s.self, cancel_code::sibling_failed);
}

void scope_model::body_ended(number which, const ending& how) {
  one_scope& s = scopes_[which];
  s.at = phase::joining;
  if (how.how == ending::kind::value) return;
  if (how.how != ending::kind::cancelled) return fail(which, {how, s.owner});
  if (is_cancelled(s.self)) {
    s.saw_cancelled = true;
  } else {
    fail(which, {{ending::kind::stray}, s.owner});  // C-17
  }
}

ending scope_model::fiber_ended(number in, number who, bool is_daemon, const ending& how) {
  if (in == none) return how;
  one_scope& s = scopes_[in];
  --(is_daemon ? s.daemons_left : s.members);
  if (how.how == ending::kind::value) return how;
  failed why{how, who};
  if (how.how == ending::kind::cancelled) {
    if (is_cancelled(is_daemon ? s.daemons : s.self)) {
      s.saw_cancelled |= !is_daemon;
      return how;
    }
    why.how = {ending::kind::stray};  // C-17
  }
  if (!s.supervise) fail(in, why);  // S-5
  return why.how;
}

scope_model::number scope_model::finalize(number which) {
  one_scope& s = scopes_[which];
  if (s.at == phase::finalizing) return s.grace;
  s.at = phase::finalizing;
  s.grace = add_node(none, false);
  if (!s.has_grace) (void)cancel(s.grace, cancel_code::grace_expired);  // S-7
  return s.grace;
}

void scope_model::defer_ended(number which, const ending& how) {
  if (how.how != ending::kind::value) fail(which, {how, scopes_[which].owner});
}

scope_status scope_model::status(number which) const {
  const one_scope& s = scopes_[which];
  if (!s.failures.empty()) return scope_status::failed;
  return s.saw_cancelled ? scope_status::cancelled : scope_status::ok;
}

void scope_model::close(number which) {
  one_scope& s = scopes_[which];
  s.at = phase::done;
  if (s.has_report || s.around == none || !s.reports) return;
  scopes_[s.around].reported.push_back(which);
}

// --- comparisons ---------------------------------------------------------------------------------

std::string scope_model::compare(number which, const scope_failure& got,
                                 const std::vector<std::uint64_t>& ids) const {
  const one_scope& s = scopes_[which];
  const node& mine = nodes_[s.self];
  if (got.status != status(which)) return "S-4: a scope ends with another status";
  if (got.reason.has_value() != mine.is_cancelled) return "C-3: a reason without a cancellation";
  if (got.absorbed != has_cancelled_itself(s.self)) return "C-15: absorbed by another scope";
  if (mine.is_cancelled) {
    const bool is_own = mine.origin == s.self;
    if (got.reason->code != (is_own ? mine.code : cancel_code::parent)) return "C-3: a code";
    if (got.reason->cause != mine.code) return "C-3: a cause";
    for (std::size_t i = 0; i < scopes_.size(); ++i) {
      if (scopes_[i].self == mine.origin && got.reason->origin != ids[i]) return "C-3: an origin";
    }
  }
  if (s.failures.empty()) {
    return got.primary.why == errc::cancelled ? "" : "S-4: a cancelled scope has another error";
  }
  constexpr std::size_t kept = failures::kept_max;
  const std::size_t later = s.failures.size() - 1;
  if (got.suppressed_count != std::min(later, kept)) return "S-3: suppressed failures are lost";
  if (got.dropped != later - got.suppressed_count) return "S-3: dropped failures are not counted";
  for (std::size_t i = 0; i <= got.suppressed_count; ++i) {
    const failure& each = i == 0 ? got.primary : got.suppressed[i - 1];
    if (ending_of(each) != s.failures[i].how) return "S-3: a failure is not in its order";
    if (each.fiber != scope_script_name(s.failures[i].fiber))
      return "S-3: a failure of another fiber";
  }
  return {};
}

std::string scope_model::compare(number which, const scope_report& got,
                                 const std::vector<std::uint64_t>& ids) const {
  const one_scope& s = scopes_[which];
  constexpr std::size_t kept = failures::kept_max + 1;
  if (got.id != ids[which] || got.status != status(which)) return "a report of another scope";
  if (got.failures.size() != std::min(s.failures.size(), kept) ||
      got.dropped != s.failures.size() - got.failures.size()) {
    return "a report without a failure";
  }
  if (got.children.size() != s.reported.size()) return "a report without a scope";
  for (std::size_t i = 0; i < s.reported.size(); ++i) {
    if (auto wrong = compare(s.reported[i], got.children[i], ids); !wrong.empty()) return wrong;
  }
  return {};
}

ending ending_of(const error& why) {
  switch (why.kind()) {
    case errc::invalid: return {ending::kind::failure, why.value().value_or(0)};
    case errc::cancelled: return {ending::kind::cancelled};
    case errc::stray_cancel: return {ending::kind::stray};
    case errc::timed_out: return {ending::kind::timed_out};
    default: return {ending::kind::other, static_cast<std::int64_t>(why.kind())};
  }
}

ending ending_of(const failure& why) {
#if BAST_EXCEPTIONS
  if (why.exception != nullptr) {
    try {
      std::rethrow_exception(why.exception);
    } catch (const scripted_exception& thrown) {
      return {ending::kind::exception, thrown.number};
    } catch (...) {
      return {ending::kind::other};
    }
  }
#endif
  return why.why ? ending_of(*why.why) : ending{ending::kind::other};
}

}  // namespace bast::model
