// SPDX-License-Identifier: Apache-2.0
//
// Programs are the same in memory, as bytes and as text.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>
#include <vector>

#include "programs.hpp"

namespace bast::model {
namespace {

void comes_back(const program& p, const language& words) {
  const auto decoded = decode(encode(p), words);
  RC_ASSERT(decoded.has_value());
  RC_ASSERT(*decoded == p);
  const std::string text = print(p, words);
  const auto parsed = parse(text, words);
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->ops == p.ops);
  RC_ASSERT(print(*parsed, words) == text);
  RC_TAG(p.ops.empty() ? "empty" : p.ops.size() < 10 ? "short" : "long");
}

RC_GTEST_PROP(Language, PoolProgramsComeBack, (const any_pool_program& p)) {
  comes_back(p.it, pool_language);
}

RC_GTEST_PROP(Language, GrowthProgramsComeBack, (const any_growth_program& p)) {
  comes_back(p.it, growth_language);
}

RC_GTEST_PROP(Language, CancelProgramsComeBack, (const any_cancel_program& p)) {
  comes_back(p.it, cancel_language);
}

RC_GTEST_PROP(Language, ProcessProgramsComeBack, (const any_process_program& p)) {
  comes_back(p.it, process_language);
}

RC_GTEST_PROP(Language, CommandProgramsComeBack, (const any_command_program& p)) {
  comes_back(p.it, command_language);
}

RC_GTEST_PROP(Language, TimersProgramsComeBack, (const any_timers_program& p)) {
  comes_back(p.it, timers_language);
}

RC_GTEST_PROP(Language, ChoiceProgramsComeBack, (const any_choice_program& p)) {
  comes_back(p.it, choice_language);
}

RC_GTEST_PROP(Language, SchedProgramsComeBack, (const any_sched_program& p)) {
  comes_back(p.it, sched_language);
}

RC_GTEST_PROP(Language, ReducingTwiceIsReducingOnce, ()) {
  const op raw = *raw_operations();
  for (const language* const words :
       {&pool_language, &growth_language, &cancel_language, &process_language, &command_language,
        &timers_language, &choice_language, &sched_language}) {
    const op once = reduced(raw, *words);
    RC_ASSERT(reduced(once, *words) == once);
  }
}

/// Splicing is what fuzzers do: the operations of a spliced input are those of its parts.
RC_GTEST_PROP(Language, OperationsKeepTheirMeaningWhenInputsAreSpliced,
              (const any_pool_program& head, const any_pool_program& tail)) {
  const program all{.ops = head.it.ops};
  const program rest{.ops = tail.it.ops};
  auto bytes = encode(all);
  const auto more = encode(rest);
  bytes.insert(bytes.end(), more.begin() + header_bytes, more.end());
  auto wanted = head.it.ops;
  wanted.insert(wanted.end(), tail.it.ops.begin(), tail.it.ops.end());
  wanted.resize(std::min(wanted.size(), ops_max));
  RC_ASSERT(decode(bytes, pool_language)->ops == wanted);
}

RC_GTEST_PROP(Language, NoTextBreaksTheParser, (const any_pool_program& p)) {
  std::string text = print(p.it, pool_language);
  const auto at = *rc::gen::inRange<std::size_t>(0, text.size() + 1);
  text.insert(at, *rc::gen::arbitrary<std::string>());
  const auto parsed = parse(text, pool_language);
  RC_CLASSIFY(parsed.has_value(), "still a program");
  if (parsed) {
    RC_ASSERT(parse(print(*parsed, pool_language), pool_language)->ops == parsed->ops);
  } else {
    RC_ASSERT(parsed.error().starts_with("line "));
  }
}

}  // namespace
}  // namespace bast::model
