// SPDX-License-Identifier: Apache-2.0
#include "inspector_samples.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "model/recording.hpp"

namespace bast_stacks::test {

void showValue(const any_snapshot& s, std::ostream& out) { out << to_json(s.it); }
void showValue(const likely_snapshot& s, std::ostream& out) { out << to_json(s.it); }

rc::Gen<std::uint64_t> below(std::uint64_t end) {
  return at_any_size(rc::gen::inRange<std::uint64_t>(0, end));
}
rc::Gen<bool> flags() { return at_any_size(rc::gen::arbitrary<bool>()); }

rc::Gen<std::uint64_t> numbers() {
  return at_any_size(rc::gen::map(
      rc::gen::pair(rc::gen::arbitrary<std::uint64_t>(), rc::gen::inRange(0, 64)),
      [](const std::pair<std::uint64_t, int>& raw) { return raw.first >> raw.second; }));
}

rc::Gen<std::uint64_t> depths() {
  return at_any_size(
      rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 26), rc::gen::arbitrary<std::uint32_t>()),
                   [](const std::pair<int, std::uint32_t>& raw) {
                     const std::uint64_t octave = std::uint64_t{1} << raw.first;
                     return octave + raw.second % octave - (raw.first == 0 ? 1 : 0);
                   }));
}

rc::Gen<std::string> texts() {
  const std::vector<std::string> pieces{"a", "b", "/", ":",  ".", "\"", "\\", "\n",
                                        ",", ";", "<", "&",  "'", "=",  "*",  "?",
                                        " ", "@", "ä", "\t", "{", "}",  "-",  "\x01"};
  auto parts = rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(pieces));
  return rc::gen::map(rc::gen::resize(6, std::move(parts)),
                      [](const std::vector<std::string>& words) {
                        std::string all;
                        for (const std::string& word : words) all += word;
                        return all;
                      });
}

site site_of(const std::vector<std::uint64_t>& uses, std::uint64_t times) {
  site made;
  std::map<std::uint32_t, std::uint64_t> counts;
  for (const std::uint64_t depth : uses) {
    counts[bast::watch::bucket_of(depth)] += times;
    made.max = std::max(made.max, depth);
  }
  for (const auto& [index, count] : counts) made.histogram.push_back({index, count});
  made.uses = made.samples = uses.size() * times;
  return made;
}

namespace {

rc::Gen<frame> frames() {
  return rc::gen::exec([] {
    frame made;
    made.pc = *numbers();
    made.function = *texts();
    made.file = *texts();
    made.line = narrow<std::uint32_t>(*numbers());
    made.module = *texts();
    made.module_offset = *numbers();
    made.stack_bytes = *below(1 << 20);
    made.confirmed = *flags();
    return made;
  });
}

}  // namespace

backtrace some_backtrace() {
  backtrace made;
  made.frames = list_of(frames(), 20);
  made.inner = *below(made.frames.size() + 1);
  if (*flags()) made.omitted_bytes = *below(1 << 20);
  made.depth = 1 + *depths();
  return made;
}

namespace {

/// Sites of some pools: a label or a place in one of a few files.
rc::Gen<site> likely_sites(const std::vector<pool>& pools) {
  return rc::gen::exec([pools] {
    const std::uint64_t times = *rc::gen::element<std::uint64_t>(1, 10, 1000, 100'000);
    // Without its own bound, nearly every site of many uses would have one of megabytes.
    const std::uint64_t most = std::uint64_t{256} << *below(18);
    std::vector<std::uint64_t> uses = list_of(depths(), 30);
    for (std::uint64_t& depth : uses) depth %= most;
    site made = site_of(uses, times);
    made.kind = static_cast<bast::watch::site_kind>(*below(3));
    made.where = *rc::gen::oneOf(
        rc::gen::element<std::string>("/src/a.cpp", "/src/x/a.cpp", "b.cpp", "job"), texts());
    if (made.kind == bast::watch::site_kind::other) made.where = "(other)";
    if (made.kind == bast::watch::site_kind::source) {
      made.line = 1 + narrow<std::uint32_t>(*below(3));
      made.column = narrow<std::uint32_t>(*below(2));
    }
    made.uses += made.pending = made.uses == 0 ? 0 : *below(10);
    made.live = made.uses == 0 ? 0 : *below(4);
    made.held = made.live + *below(4);
    if (*flags()) made.deepest = some_backtrace();
    const pool& home = pools[*below(pools.size())];
    made.limit = home.limit;
    made.window = home.window;
    if (*flags()) made.pools = {home.id};
    return made;
  });
}

rc::Gen<pool> likely_pools() {
  return rc::gen::exec([] {
    pool made;
    made.limit = 4096 * (4 + *rc::gen::oneOf(below(64), below((16 << 10) - 3)));
    made.window = 4096 * (1 + *below(made.limit / 4096));
    made.where = *rc::gen::element<std::string>("", "/src/a.cpp:9", "/src/b.cpp:1");
    made.stacks = *below(1000);
    return made;
  });
}

rc::Gen<snapshot> likely_snapshots() {
  return rc::gen::exec([] {
    snapshot made;
    made.pools = list_of(likely_pools(), 3);
    if (made.pools.empty()) made.pools.push_back(*likely_pools());
    for (std::size_t i = 0; i < made.pools.size(); ++i) made.pools[i].id = i + 1;
    made.sites = list_of(likely_sites(made.pools));
    const auto place = [](const site& s) {
      return std::tie(s.where, s.line, s.column, s.kind, s.where_is_cut);
    };
    std::ranges::sort(made.sites, {}, place);
    const auto repeated = std::ranges::unique(made.sites, {}, place);
    made.sites.erase(repeated.begin(), repeated.end());
    return made;
  });
}

}  // namespace
}  // namespace bast_stacks::test

namespace rc {

Gen<bast_stacks::test::likely_snapshot> Arbitrary<bast_stacks::test::likely_snapshot>::arbitrary() {
  return gen::map(bast_stacks::test::likely_snapshots(), [](bast_stacks::snapshot&& s) {
    return bast_stacks::test::likely_snapshot{std::move(s)};
  });
}

}  // namespace rc
