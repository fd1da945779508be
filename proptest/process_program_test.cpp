// SPDX-License-Identifier: Apache-2.0
//
// Laws about whole process programs: supervised processes (P-10 .. P-22), and commands (P-1 ..
// P-3).
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bast/process/image.hpp"
#include "model/target.hpp"
#include "programs.hpp"

namespace bast::model {
namespace {

using strings = std::vector<std::string>;

strings strings_at(char* const* from) {
  strings all;
  for (; *from != nullptr; ++from) all.emplace_back(*from);
  return all;
}

/// Every byte but NUL.
rc::Gen<std::string> verbatim() {
  return rc::gen::map(rc::gen::container<std::string>(anything<char>()), [](std::string text) {
    std::erase(text, '\0');
    return text;
  });
}

/// From a few names, so that they collide.
rc::Gen<std::string> names() {
  return rc::gen::element<std::string>("A", "AB", "B", "PATH", "\xff", "A B\n");
}

internal::image image_of(const command& c) {
  internal::image built;
  RC_ASSERT(c.verify().has_value());
  RC_ASSERT(built.build(internal::command_access::settings(c)).has_value());
  return built;
}

RC_GTEST_PROP(ProcessProgram, CalmOnesAreFollowedAsTheLawsSay, (const calm_process_program& p)) {
  RC_ASSERT(run_process_driver(p.it, {}).complaint == "");
}

RC_GTEST_PROP(ProcessProgram, AnyIsFollowedAsTheLawsSay, (const any_process_program& p)) {
  RC_ASSERT(run_process_driver(p.it, {}).complaint == "");
}

RC_GTEST_PROP(CommandProgram, CalmOnesAreBuiltAsTheLawsSay, (const calm_command_program& p)) {
  RC_ASSERT(run_command_argv_env(p.it, {}).complaint == "");
}

RC_GTEST_PROP(CommandProgram, AnyIsBuiltAsTheLawsSay, (const any_command_program& p)) {
  RC_ASSERT(run_command_argv_env(p.it, {}).complaint == "");
}

RC_GTEST_PROP(CommandProgram, P1_ArgumentsComeBackByteForByte, ()) {
  auto wanted = *rc::gen::container<strings>(verbatim());
  wanted.insert(wanted.begin(), "/bin/true");
  const std::vector<std::string_view> given(wanted.begin(), wanted.end());
  const auto c = command::argv(given);
  const auto built = image_of(c);
  RC_ASSERT(strings_at(built.arguments()) == wanted);
  RC_ASSERT(std::string(built.program()) == wanted.front());
}

RC_GTEST_PROP(CommandProgram, P2_TheLastWordAboutANameWins, ()) {
  using edit = std::pair<std::string, rc::Maybe<std::string>>;
  const auto edits =
      *rc::gen::container<std::vector<edit>>(rc::gen::pair(names(), rc::gen::maybe(verbatim())));
  auto c = command::argv({"/bin/true"});
  c.clear_env();
  std::map<std::string, std::string> wanted;
  for (const auto& [name, value] : edits) {
    wanted.erase(name);
    if (value) {
      c.env(name, *value);
      wanted[name] = *value;
    } else {
      c.unset_env(name);
    }
  }
  const auto built = image_of(c);
  const strings seen = strings_at(built.environment());
  RC_CLASSIFY(seen.size() < edits.size(), "a name was edited twice");
  RC_ASSERT(seen.size() == wanted.size());
  for (const auto& [name, value] : wanted) {
    RC_ASSERT(std::ranges::count(seen, name + "=" + value) == 1);
  }
}

}  // namespace
}  // namespace bast::model
