// SPDX-License-Identifier: Apache-2.0
//
// Snapshots as arguments of properties, shrunk member by member and printed as recordings.
//
//   RC_GTEST_PROP(Inspector, Something, (const likely_snapshot& s)) { ... s.it.sites ... }
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "model/recording.hpp"
#include "model/snapshot.hpp"

namespace bast_stacks::test {

/// Any that a recording can hold: numbers of every size, and nothing belongs together.
struct any_snapshot {
  snapshot it;
};
/// One that a process could have: histograms are of uses, places differ, pools have sites.
struct likely_snapshot {
  snapshot it;
};

inline void showValue(const any_snapshot& s, std::ostream& out) { out << to_json(s.it); }
inline void showValue(const likely_snapshot& s, std::ostream& out) { out << to_json(s.it); }

/// The same choice in the first case and in the last.
template <class T>
rc::Gen<T> at_any_size(rc::Gen<T> what) {
  return rc::gen::resize(rc::kNominalSize, std::move(what));
}
inline rc::Gen<std::uint64_t> below(std::uint64_t end) {
  return at_any_size(rc::gen::inRange<std::uint64_t>(0, end));
}
inline rc::Gen<bool> flags() { return at_any_size(rc::gen::arbitrary<bool>()); }

/// As many of each length in bits.
inline rc::Gen<std::uint64_t> numbers() {
  return at_any_size(rc::gen::map(
      rc::gen::pair(rc::gen::arbitrary<std::uint64_t>(), rc::gen::inRange(0, 64)),
      [](const std::pair<std::uint64_t, int>& raw) { return raw.first >> raw.second; }));
}
template <class T>
T narrow(std::uint64_t number) {
  return static_cast<T>(number);
}

/// As many of each octave, up to what a stack can be: 64 MiB.
inline rc::Gen<std::uint64_t> depths() {
  return at_any_size(
      rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 26), rc::gen::arbitrary<std::uint32_t>()),
                   [](const std::pair<int, std::uint32_t>& raw) {
                     const std::uint64_t octave = std::uint64_t{1} << raw.first;
                     return octave + raw.second % octave - (raw.first == 0 ? 1 : 0);
                   }));
}

/// UTF-8 that every format must escape or refuse somewhere.
inline rc::Gen<std::string> texts() {
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

/// At most `most` of them, in the first case as in the last.
template <class T>
std::vector<T> list_of(const rc::Gen<T>& what, int most = 6) {
  return *rc::gen::resize(most, rc::gen::container<std::vector<T>>(what));
}

/// A site whose uses went this deep, each `times` times.
inline site site_of(const std::vector<std::uint64_t>& uses, std::uint64_t times = 1) {
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

inline rc::Gen<frame> frames() {
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

inline backtrace some_backtrace() {
  backtrace made;
  made.frames = list_of(frames(), 20);
  made.inner = *below(made.frames.size() + 1);
  if (*flags()) made.omitted_bytes = *below(1 << 20);
  made.depth = 1 + *depths();
  return made;
}

/// Sites of some pools: a label or a place in one of a few files.
inline rc::Gen<site> likely_sites(const std::vector<pool>& pools) {
  return rc::gen::exec([pools] {
    const std::uint64_t times = *rc::gen::element<std::uint64_t>(1, 10, 1000, 100'000);
    site made = site_of(list_of(depths(), 30), times);
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

inline rc::Gen<pool> likely_pools() {
  return rc::gen::exec([] {
    pool made;
    made.limit = 4096 * (4 + *rc::gen::oneOf(below(64), below((16 << 10) - 3)));
    made.window = 4096 * (1 + *below(made.limit / 4096));
    made.where = *rc::gen::element<std::string>("", "/src/a.cpp:9", "/src/b.cpp:1");
    made.stacks = *below(1000);
    return made;
  });
}

inline rc::Gen<snapshot> likely_snapshots() {
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

}  // namespace bast_stacks::test

namespace rc {

template <>
struct Arbitrary<bast_stacks::test::likely_snapshot> {
  static Gen<bast_stacks::test::likely_snapshot> arbitrary() {
    return gen::map(bast_stacks::test::likely_snapshots(), [](bast_stacks::snapshot&& s) {
      return bast_stacks::test::likely_snapshot{std::move(s)};
    });
  }
};

}  // namespace rc
