// SPDX-License-Identifier: Apache-2.0
//
// Laws about cancellation: of whole programs, of a forest with several cancels, and of tokens that
// are joined repeatedly.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "bast/cancel.hpp"
#include "model/target.hpp"
#include "programs.hpp"

namespace bast::model {
namespace {

RC_GTEST_PROP(CancelProgram, CalmOnesAreAnsweredAsTheLawsSay, (const calm_cancel_program& p)) {
  RC_ASSERT(run_cancel_order(p.it, {}).complaint == "");
}

RC_GTEST_PROP(CancelProgram, AnyIsAnsweredAsTheLawsSay, (const any_cancel_program& p)) {
  RC_ASSERT(run_cancel_order(p.it, {}).complaint == "");
}

struct counter {
  int* runs;
  void operator()(const cancel_reason&) noexcept { ++*runs; }
};

/// Some trees, with a callback at each node.
class forest {
 public:
  explicit forest(std::size_t size) {
    runs_.resize(size);
    for (std::size_t i = 0; i < size; ++i) {
      const auto parent = *rc::gen::inRange<std::size_t>(0, i + 1);
      const cancel_source_options options{.shielded = *rc::gen::arbitrary<bool>()};
      auto made = parent == i ? cancel_source::create(options) : sources[parent].child(options);
      RC_ASSERT(made.has_value());
      sources.push_back(std::move(*made));
      callbacks_.push_back(
          std::make_unique<cancel_callback<counter>>(sources.back().token(), counter{&runs_[i]}));
    }
  }

  /// Its visible state, without the number of refused reasons.
  struct look {
    std::vector<int> runs;
    std::vector<std::optional<std::pair<cancel_code, std::uint64_t>>> reasons;
    friend bool operator==(const look&, const look&) = default;
  };
  look now() const {
    look seen{.runs = runs_, .reasons = {}};
    for (const cancel_source& each : sources) {
      const auto why = each.reason();
      RC_ASSERT(why.has_value() == each.is_cancelled());
      auto& told = seen.reasons.emplace_back();
      if (why) told.emplace(why->code, why->origin);
    }
    return seen;
  }

  std::vector<cancel_source> sources;

 private:
  std::vector<int> runs_;  // never grows: callbacks point into it
  std::vector<std::unique_ptr<cancel_callback<counter>>> callbacks_;
};

RC_GTEST_PROP(Cancel, C2_CancellingTwiceIsCancellingOnce, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(1, 20);
  forest all(size);
  const auto cancels =
      *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, size));
  for (const std::size_t i : cancels) {
    const bool was = all.sources[i].is_cancelled();
    RC_ASSERT(all.sources[i].cancel() != was);
    const auto once = all.now();
    const std::uint64_t refused = all.sources[i].refused();
    RC_ASSERT(!all.sources[i].cancel({.code = cancel_code::shutdown}));
    RC_ASSERT(all.now() == once);
    RC_ASSERT(all.sources[i].refused() == refused + 1);
  }
  // C-6: a callback ran once, if its source is cancelled.
  const auto end = all.now();
  for (std::size_t i = 0; i < size; ++i) {
    RC_ASSERT(end.runs[i] == (end.reasons[i].has_value() ? 1 : 0));
  }
}

RC_GTEST_PROP(Cancel, C19_ATokenOfTokensFiresIffOneOfThemDoes, ()) {
  const auto size = *rc::gen::inRange<std::size_t>(1, 12);
  std::vector<cancel_source> sources;
  std::vector<cancel_token> tokens;     // of the sources, then joined ones
  std::vector<std::uint32_t> inputs;    // which sources can fire each
  std::vector<std::uint64_t> first_of;  // the id of the first that fired, or 0
  for (std::size_t i = 0; i < size; ++i) {
    sources.push_back(std::move(*cancel_source::create()));
    tokens.push_back(sources.back().token());
    inputs.push_back(1U << i);
  }
  std::uint32_t fired = 0;
  const auto fire = [&](std::size_t which) {
    RC_ASSERT(sources[which].cancel() == ((fired >> which & 1) == 0));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (first_of[i] == 0 && (inputs[i] >> which & 1) != 0) first_of[i] = sources[which].id();
    }
    fired |= 1U << which;
  };
  const auto join = [&] {
    const auto count = *rc::gen::inRange<std::size_t>(0, 4);
    std::vector<cancel_token> some;
    std::uint32_t all = 0;
    std::uint64_t first = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto which = *rc::gen::inRange<std::size_t>(0, tokens.size());
      some.push_back(tokens[which]);
      all |= inputs[which];
      if (first == 0) first = first_of[which];
    }
    tokens.push_back(*cancel_token::any_of(some));
    inputs.push_back(all);
    first_of.push_back(first);
  };
  first_of.resize(size);
  const auto steps = *rc::gen::container<std::vector<std::uint8_t>>(anything<std::uint8_t>());
  for (const std::uint8_t step : steps) {
    if (step % 4 == 0) {
      fire(step / 4U % size);
    } else {
      join();
    }
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      RC_ASSERT(tokens[i].is_cancelled() == ((inputs[i] & fired) != 0));
      const auto why = tokens[i].reason();
      RC_ASSERT(why.has_value() == (first_of[i] != 0));
      if (why) RC_ASSERT(why->origin == first_of[i]);
    }
  }
  RC_CLASSIFY(fired != 0, "some fired");
}

}  // namespace
}  // namespace bast::model
