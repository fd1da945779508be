// SPDX-License-Identifier: Apache-2.0
//
// Snapshots as arguments of properties, shrunk member by member and printed as recordings.
//
//   RC_GTEST_PROP(Inspector, Something, (const likely_snapshot& s)) { ... s.it.sites ... }
#pragma once

#include <rapidcheck.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "model/snapshot.hpp"

namespace bast_stacks::test {

/// Any snapshot that a recording can hold: numbers of every size, without consistency.
struct any_snapshot {
  snapshot it;
};
/// A snapshot that a process could have: histograms are of uses, places differ, pools have sites.
struct likely_snapshot {
  snapshot it;
};

void showValue(const any_snapshot& s, std::ostream& out);
void showValue(const likely_snapshot& s, std::ostream& out);

/// The same distribution in the first case and in the last.
template <class T>
rc::Gen<T> at_any_size(rc::Gen<T> what) {
  return rc::gen::resize(rc::kNominalSize, std::move(what));
}
rc::Gen<std::uint64_t> below(std::uint64_t end);
rc::Gen<bool> flags();
/// Equally many of each length in bits.
rc::Gen<std::uint64_t> numbers();
template <class T>
T narrow(std::uint64_t number) {
  return static_cast<T>(number);
}
/// Equally many of each octave, up to the maximum of a stack: 64 MiB.
rc::Gen<std::uint64_t> depths();
/// UTF-8 that every format must escape or refuse somewhere.
rc::Gen<std::string> texts();
/// At most `most` of them, in the first case and in the last.
template <class T>
std::vector<T> list_of(const rc::Gen<T>& what, int most = 6) {
  return *rc::gen::resize(most, rc::gen::container<std::vector<T>>(what));
}

/// A site with these depths, each `times` times.
site site_of(const std::vector<std::uint64_t>& uses, std::uint64_t times = 1);
/// Not empty; its frames and its depth need not agree. Inside a property or a generator.
backtrace some_backtrace();

}  // namespace bast_stacks::test

namespace rc {

template <>
struct Arbitrary<bast_stacks::test::likely_snapshot> {
  static Gen<bast_stacks::test::likely_snapshot> arbitrary();
};

}  // namespace rc
