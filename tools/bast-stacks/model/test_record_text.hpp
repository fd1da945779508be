// SPDX-License-Identifier: Apache-2.0
//
// All fields of a record as text, so that tests compare whole records and detect a lost, doubled or
// misplaced field.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <expected>
#include <string>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks::test {

inline std::string record_text(const module& m) {
  return fmt::format("{} id={} base={:#x} low={:#x} high={:#x} here={}", m.path, m.build_id, m.base,
                     m.low, m.high, m.here);
}

inline std::string record_text(const frame& f) {
  return fmt::format("pc={:#x} {} {}:{} {}+{:#x} bytes={} confirmed={}", f.pc, f.function, f.file,
                     f.line, f.module, f.module_offset, f.stack_bytes, f.confirmed);
}

inline std::string record_text(const bast::watch::deepest_stack& d) {
  std::vector<std::string> words;
  for (std::uint32_t i = 0; i < d.count && i < bast::watch::return_count; ++i)
    words.push_back(fmt::format("{:#x}@{}", d.return_pc[i], d.return_at[i]));
  return fmt::format("depth={} sp={} pc={:#x} fp={:#x} top={:#x} at={} first={} omitted={} [{}]",
                     d.depth, d.sp_depth, d.pc, d.fp, d.top, d.at_ns, d.first, d.omitted,
                     fmt::join(words, " "));
}

inline std::string record_text(const backtrace& b) {
  std::vector<std::string> frames;
  for (const frame& each : b.frames) frames.push_back(record_text(each));
  return fmt::format("depth={} inner={} omitted={} [{}]", b.depth, b.inner, b.omitted_bytes,
                     fmt::join(frames, " | "));
}

inline std::string record_text(const site& s) {
  std::vector<std::string> histogram;
  for (const bucket& each : s.histogram)
    histogram.push_back(fmt::format("{}:{}", each.index, each.count));
  std::string text = fmt::format(
      "{} {}{} {}:{} uses={} pending={} samples={} grows={} max={} age={} [{}] live={} held={} "
      "limit={} window={} pools={}",
      static_cast<unsigned>(s.kind), s.where_is_cut ? "..." : "", s.where, s.line, s.column, s.uses,
      s.pending, s.samples, s.grows, s.max, s.max_age_ns, fmt::join(histogram, " "), s.live, s.held,
      s.limit, s.window, s.pools);
  if (s.max_in_limit != 0) text += fmt::format(" in_limit={}", s.max_in_limit);
  if (s.overflows != 0) text += fmt::format(" overflows={}", s.overflows);
  if (s.raw.depth != 0) text += " raw={" + record_text(s.raw) + "}";
  if (s.deepest.depth != 0) text += " deepest={" + record_text(s.deepest) + "}";
  return text;
}

inline std::string record_text(const pool& p) {
  return fmt::format(
      "{} thread={} {} limit={} guard={} window={} retain={} budget={} scrub={} growth={} "
      "measured={} stacks={} live={} resident={}{}{}",
      p.id, p.owner_thread, p.where, p.limit, p.guard, p.window, p.retain, p.budget, p.scrub,
      p.growth, p.measured, p.stacks, p.live, p.resident,
      p.gone == 0 ? "" : fmt::format(" gone={}", p.gone),
      p.max == 0 ? "" : fmt::format(" max={}", p.max));
}

/// Addresses as distances below the stack's top, which do not vary between runs.
inline std::string record_text(const live_stack& s) {
  return fmt::format(
      "pool={} site={} '{}' low={} open={} depth={}..{} resident={} shared={} scanned={} sp={} "
      "pc={} fp={} coro={} state={} parked={} crashed={}",
      s.pool, s.site, s.name, s.top - s.low, s.top - s.open_low, s.depth, s.depth_at_most,
      s.resident, s.shared_with_earlier, s.scanned, s.sp == 0 ? 0 : s.top - s.sp, s.pc, s.fp,
      s.coro != 0, static_cast<unsigned>(s.state), s.parked, s.crashed);
}

inline std::string record_text(const problem& p) {
  return fmt::format("{} {}{}{}", p.status, p.what, p.remedy.empty() ? "" : " | ", p.remedy);
}

/// The whole error of a result, or "fine".
template <class T>
std::string error_text(const std::expected<T, problem>& result) {
  return result ? "fine" : record_text(result.error());
}

template <class Record>
std::vector<std::string> record_texts(const std::vector<Record>& all) {
  std::vector<std::string> texts;
  for (const Record& each : all) texts.push_back(record_text(each));
  return texts;
}

/// Everything except overhead_ns, which varies between runs.
inline std::string record_text(const snapshot& s) {
  std::string text = fmt::format(
      "from={} what={} pid={} program={} library={} compiler={} machine={} page={} built={:#x} "
      "modes={} runtime={}\n",
      static_cast<int>(s.from), s.what, s.pid, s.program, s.library, s.compiler, s.machine,
      s.page_bytes, s.built, s.modes, s.runtime_ns);
  const auto list = [&](const char* head, const auto& all) {
    for (const auto& each : all) text += fmt::format("{} {}\n", head, record_text(each));
  };
  list("module", s.modules);
  list("pool", s.pools);
  list("site", s.sites);
  list("stack", s.stacks);
  for (const std::string& each : s.not_seen) text += "not seen: " + each + "\n";
  return text;
}

}  // namespace bast_stacks::test
