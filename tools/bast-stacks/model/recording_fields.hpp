// SPDX-License-Identifier: Apache-2.0
//
// The members of each record in a recording, and their names: one list for writing and reading, so
// that the two cannot differ. An archive has
//   at(name, member)        always written, required when read
//   rare(name, member)      left out when it is zero, empty or false
// Part of recording.cpp.
#pragma once

#include <concepts>
#include <type_traits>

#include "model/snapshot.hpp"

namespace bast_stacks::internal {

template <typename T, typename Record>
concept is = std::same_as<std::remove_const_t<T>, Record>;

void fields(auto& at, is<module> auto& m) {
  at("path", m.path);
  at("build_id", m.build_id);
  at("base", m.base);
  at("low", m.low);
  at("high", m.high);
}

void fields(auto& at, is<frame> auto& f) {
  at("pc", f.pc);
  at("stack_bytes", f.stack_bytes);
  at("function", f.function);
  at.rare("file", f.file);
  at.rare("line", f.line);
  at.rare("module", f.module);
  at.rare("module_offset", f.module_offset);
  at.rare("function_start", f.function_start);
  at("confirmed", f.confirmed);
}

void fields(auto& at, is<backtrace> auto& b) {
  at("depth", b.depth);
  at("inner", b.inner);
  at("omitted_bytes", b.omitted_bytes);
  at("frames", b.frames);
}

void fields(auto& at, is<site> auto& s) {
  at("kind", s.kind);
  at("where", s.where);
  at.rare("where_is_cut", s.where_is_cut);
  at.rare("line", s.line);
  at.rare("column", s.column);
  at("uses", s.uses);
  at.rare("pending", s.pending);
  at("samples", s.samples);
  at("grows", s.grows);
  at("max", s.max);
  at.rare("overflows", s.overflows);
  at.rare("max_age_ns", s.max_age_ns);
  at("live", s.live);
  at("held", s.held);
  at("limit", s.limit);
  at("window", s.window);
  at.rare("max_in_limit", s.max_in_limit);
  at("pools", s.pools);
  at("histogram", s.histogram);
  at.rare("deepest", s.deepest);
}

void fields(auto& at, is<pool> auto& p) {
  at("id", p.id);
  at.rare("owner_thread", p.owner_thread);
  at("where", p.where);
  at("limit", p.limit);
  at("guard", p.guard);
  at("window", p.window);
  at("retain", p.retain);
  at("budget", p.budget);
  at("scrub", p.scrub);
  at("growth", p.growth);
  at("measured", p.measured);
  at.rare("gone", p.gone);
  at("stacks", p.stacks);
  at("live", p.live);
  at("resident", p.resident);
  at.rare("max", p.max);
}

void fields(auto& at, is<live_stack> auto& s) {
  at("pool", s.pool);
  at("site", s.site);
  at.rare("name", s.name);
  at("top", s.top);
  at("low", s.low);
  at("open_low", s.open_low);
  at("depth", s.depth);
  at("depth_at_most", s.depth_at_most);
  at("resident", s.resident);
  at.rare("shared_with_earlier", s.shared_with_earlier);
  at.rare("scanned", s.scanned);
  at.rare("sp", s.sp);
  at.rare("pc", s.pc);
  at.rare("fp", s.fp);
  at.rare("coro", s.coro);
  at.rare("state", s.state);
  at.rare("parked", s.parked);
  at.rare("crashed", s.crashed);
}

void fields(auto& at, is<snapshot> auto& s) {
  at("pid", s.pid);
  at.rare("others", s.others);
  at("program", s.program);
  at("library", s.library);
  at("compiler", s.compiler);
  at("machine", s.machine);
  at("page_bytes", s.page_bytes);
  at.flags("built", s.built);
  at("modes", s.modes);
  at("runtime_ns", s.runtime_ns);
  at("overhead_ns", s.overhead_ns);
  at("not_seen", s.not_seen);
  at("modules", s.modules);
  at("pools", s.pools);
  at("sites", s.sites);
  at("stacks", s.stacks);
}

}  // namespace bast_stacks::internal
