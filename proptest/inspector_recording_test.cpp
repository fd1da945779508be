// SPDX-License-Identifier: Apache-2.0
//
// Recordings preserve their contents. The oracle is the list of all members here, separate from the
// one that writer and reader share: no other test detects a member that both forget.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "inspector_samples.hpp"
#include "model/recording.hpp"

namespace bast_stacks::test {
namespace {

// --- any snapshot --------------------------------------------------------------------------------

rc::Gen<site> any_sites() {
  return rc::gen::exec([] {
    site made;
    made.kind = static_cast<bast::watch::site_kind>(*below(3));
    made.where = *texts();
    made.where_is_cut = *flags();
    made.line = narrow<std::uint32_t>(*numbers());
    made.column = narrow<std::uint32_t>(*numbers());
    for (std::uint64_t* const member :
         {&made.uses, &made.pending, &made.samples, &made.grows, &made.max, &made.max_age_ns,
          &made.live, &made.held, &made.limit, &made.window})
      *member = *numbers();
    const auto buckets = *rc::gen::container<std::set<std::uint32_t>>(
        at_any_size(rc::gen::inRange<std::uint32_t>(0, bast::watch::bucket_count)));
    for (const std::uint32_t index : buckets) made.histogram.push_back({index, *numbers()});
    made.pools = list_of(numbers());
    made.deepest = some_backtrace();
    return made;
  });
}

rc::Gen<pool> any_pools() {
  return rc::gen::exec([] {
    pool made;
    made.owner_thread = narrow<std::uint32_t>(*numbers());
    made.where = *texts();
    made.scrub = narrow<std::uint8_t>(*numbers());
    made.growth = narrow<std::uint8_t>(*numbers());
    made.measured = *flags();
    for (std::uint64_t* const member :
         {&made.id, &made.limit, &made.guard, &made.window, &made.retain, &made.budget,
          &made.stacks, &made.live, &made.resident})
      *member = *numbers();
    return made;
  });
}

rc::Gen<live_stack> any_stacks(std::uint64_t sites) {
  return rc::gen::exec([sites] {
    live_stack made;
    for (std::uint64_t* const member :
         {&made.pool, &made.top, &made.low, &made.open_low, &made.depth, &made.depth_at_most,
          &made.resident, &made.sp, &made.pc, &made.fp, &made.coro})
      *member = *numbers();
    made.site = *below(sites);
    made.name = *texts();
    made.state = static_cast<bast::watch::coro_state>(*below(6));
    for (bool* const member :
         {&made.shared_with_earlier, &made.scanned, &made.parked, &made.crashed})
      *member = *flags();
    if (made.scanned) made.depth_at_most = std::max(made.depth, made.depth_at_most);
    return made;
  });
}

rc::Gen<module> any_modules() {
  return rc::gen::exec(
      [] { return module{*texts(), *texts(), *numbers(), *numbers(), *numbers()}; });
}

}  // namespace
}  // namespace bast_stacks::test

namespace rc {

template <>
struct Arbitrary<bast_stacks::test::any_snapshot> {
  static Gen<bast_stacks::test::any_snapshot> arbitrary() {
    using namespace bast_stacks::test;
    return gen::exec([] {
      bast_stacks::snapshot made;
      made.pid = *numbers();
      made.program = *texts();
      made.library = *texts();
      made.compiler = *texts();
      made.machine = narrow<std::uint16_t>(*numbers());
      made.page_bytes = std::uint32_t{512} << *below(23);
      made.built = *numbers();
      made.modes = narrow<std::uint32_t>(*numbers());
      made.runtime_ns = *numbers();
      made.overhead_ns = *numbers();
      made.not_seen = list_of(texts());
      made.modules = list_of(any_modules());
      made.pools = list_of(any_pools());
      made.sites = list_of(any_sites());
      if (!made.sites.empty()) made.stacks = list_of(any_stacks(made.sites.size()));
      return any_snapshot{std::move(made)};
    });
  }
};

}  // namespace rc

namespace bast_stacks::test {
namespace {

// --- all members ---------------------------------------------------------------------------------

auto members(const module& m) { return std::tie(m.path, m.build_id, m.base, m.low, m.high); }
auto members(const frame& f) {
  return std::tie(f.pc, f.function, f.file, f.line, f.module, f.module_offset, f.stack_bytes,
                  f.confirmed);
}
auto members(const bucket& b) { return std::tie(b.index, b.count); }
auto members(const pool& p) {
  return std::tie(p.id, p.owner_thread, p.where, p.limit, p.guard, p.window, p.retain, p.budget,
                  p.scrub, p.growth, p.measured, p.stacks, p.live, p.resident);
}
auto members(const live_stack& s) {
  return std::tie(s.pool, s.site, s.name, s.top, s.low, s.open_low, s.depth, s.depth_at_most,
                  s.resident, s.shared_with_earlier, s.scanned, s.sp, s.pc, s.fp, s.coro, s.state,
                  s.parked, s.crashed);
}
// Records with lists are compared in two parts.
auto members(const site& s) {
  return std::tie(s.kind, s.where, s.where_is_cut, s.line, s.column, s.uses, s.pending, s.samples,
                  s.grows, s.max, s.max_age_ns, s.live, s.held, s.limit, s.window, s.pools,
                  s.deepest.depth, s.deepest.inner, s.deepest.omitted_bytes);
}
auto members(const snapshot& s) {
  return std::tie(s.pid, s.program, s.library, s.compiler, s.machine, s.page_bytes, s.built,
                  s.modes, s.runtime_ns, s.overhead_ns, s.not_seen);
}

template <class T>
void expect_same(const std::vector<T>& a, const std::vector<T>& b) {
  RC_ASSERT(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) RC_ASSERT(members(a[i]) == members(b[i]));
}

RC_GTEST_PROP(InspectorRecording, RoundTripIsTheIdentity, (const any_snapshot& s)) {
  const auto read = from_json(to_json(s.it), "x.json");
  RC_ASSERT(read.has_value());
  RC_ASSERT(members(*read) == members(s.it));
  expect_same(read->modules, s.it.modules);
  expect_same(read->pools, s.it.pools);
  expect_same(read->stacks, s.it.stacks);
  expect_same(read->sites, s.it.sites);
  for (std::size_t i = 0; i < s.it.sites.size(); ++i) {
    expect_same(read->sites[i].histogram, s.it.sites[i].histogram);
    expect_same(read->sites[i].deepest.frames, s.it.sites[i].deepest.frames);
  }
  RC_CLASSIFY(!s.it.sites.empty(), "has sites");
}

RC_GTEST_PROP(InspectorRecording, TheSameSnapshotIsTheSameText, (const any_snapshot& s)) {
  const std::string text = to_json(s.it);
  RC_ASSERT(to_json(snapshot(s.it)) == text);
  RC_ASSERT(to_json(from_json(text, "x.json").value()) == text);
}

}  // namespace
}  // namespace bast_stacks::test
