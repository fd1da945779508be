// SPDX-License-Identifier: Apache-2.0
//
// The effect of each setter on the settings, as a whole record: the first time, the second time,
// and on an error (P-3, P-4).
#include <gtest/gtest.h>

#include <csignal>
#include <span>
#include <string>
#include <vector>

#include "bast/process/command.hpp"
#include "bast/process/spawn.hpp"

namespace bast {
namespace {

using internal::command_settings;

const command_settings& settings_of(const command& c) {
  return internal::command_access::settings(c);
}

std::string joined(const internal::string_list& list) {
  std::string out;
  for (const char* s = list.first(); s != nullptr; s = list.next(s)) out += std::string(s) + ",";
  return out + std::to_string(list.count());
}

std::string words_of_stream(const internal::stream_settings& stream) {
  std::string out = "kind " + std::to_string(static_cast<int>(stream.to));
  out += " append " + std::to_string(stream.append) + " fd " + std::to_string(stream.fd);
  out += " path " + joined(stream.path) + " bytes ";
  for (const std::byte byte : stream.contents.all()) out += static_cast<char>(byte);
  return out;
}

template <class T>
std::string optional_word(const std::optional<T>& value) {
  return value ? std::to_string(*value) : "none";
}

/// All settings of a command, one per line.
std::string record_of(const command& c) {
  const command_settings& s = settings_of(c);
  std::string out = "argv " + joined(s.arguments) + " as " + joined(s.argv0) + "\ncwd " +
                    joined(s.directory) + "\nenv " + joined(s.environment) + " inherit " +
                    std::to_string(s.inherit_environment);
  for (const auto& stream : s.streams) out += "\n" + words_of_stream(stream);
  out += "\npassed";
  for (const auto& move : s.passed.all()) {
    out += " " + std::to_string(move.source) + ">" + std::to_string(move.target);
  }
  out += " foreign " + std::to_string(s.keep_foreign_fds);
  out += "\ngroup " + std::to_string(static_cast<int>(s.group)) + " death " +
         std::to_string(s.parent_death_signal) + " umask " + optional_word(s.umask) + "\nlimits";
  for (const auto& limit : s.limits.all()) {
    out += " " + std::to_string(limit.resource) + ":" + std::to_string(limit.value.rlim_cur) + "/" +
           std::to_string(limit.value.rlim_max);
  }
  out += "\nids " + optional_word(s.user) + " " + optional_word(s.primary_group) + " groups " +
         std::to_string(s.has_groups);
  for (const gid_t id : s.groups.all()) out += " " + std::to_string(id);
  const process_policy& p = s.policy;
  out +=
      "\nkill " + std::to_string(p.kill_group_on_exit) + " timeout " +
      (p.timeout != std::chrono::nanoseconds::max() ? std::to_string(p.timeout.count()) : "none") +
      " stop " + std::to_string(p.stop_signal) + " grace " + std::to_string(p.grace.count()) +
      " drain " + std::to_string(p.drain_grace.count()) + " captures";
  for (const to::capture& capture : {p.output, p.errors}) {
    out += " " + std::to_string(capture.limit.count) + ":" +
           std::to_string(static_cast<int>(capture.policy));
  }
  return out + (p.own_group ? " own" : "");
}

constexpr const char* untouched =
    "argv a,1 as 0\ncwd 0\nenv 0 inherit 1\n"
    "kind 1 append 0 fd -1 path 0 bytes \n"
    "kind 0 append 0 fd -1 path 0 bytes \n"
    "kind 0 append 0 fd -1 path 0 bytes \n"
    "passed foreign 0\ngroup 1 death 0 umask none\nlimits\nids none none groups 0\n"
    "kill 0 timeout none stop 15 grace 5000000000 drain 250000000 captures 16777216:0 16777216:0";

TEST(CommandSettings, P4_ANewCommandHasTheDefaults) {
  EXPECT_EQ(record_of(command::argv({"a"})), untouched);
}

void set_each(command& c, int round) {
  const std::string word = "w" + std::to_string(round);
  const auto number = static_cast<unsigned>(round);
  const gid_t groups[] = {number, number + 1};
  c.arg(word).argv0(word).stop_signal(round).cwd(word).env("N", word).unset_env("U");
  c.in(from::bytes{word}).out(to::path{word, round == 1}).err(to::fd{40 + round});
  c.pass_fd(round - 1, 2 + round).keep_foreign_fds().new_session().kill_group_on_exit();
  c.parent_death_signal(round).umask(number).limit(round, number, number + 1);
  c.user(number).group(number + 1).groups(groups);
  c.timeout(std::chrono::nanoseconds(round)).grace(std::chrono::nanoseconds(round + 1));
  c.drain_grace(std::chrono::nanoseconds(round + 2));
}

TEST(CommandSettings, P3_ASetterThatIsCalledTwiceReplacesOrAdds) {
  auto c = command::argv({"a"});
  set_each(c, 1);
  EXPECT_EQ(record_of(c),
            "argv a,w1,2 as w1,1\ncwd w1,1\nenv N=w1,U,2 inherit 1\n"
            "kind 2 append 0 fd -1 path 0 bytes w1\n"
            "kind 6 append 1 fd -1 path w1,1 bytes \n"
            "kind 5 append 0 fd 41 path 0 bytes \n"
            "passed 0>3 foreign 1\ngroup 2 death 1 umask 1\nlimits 1:1/2\n"
            "ids 1 2 groups 1 1 2\nkill 1 timeout 1 stop 1 grace 2 drain 3 captures 16777216:0 "
            "16777216:0");
  set_each(c, 2);
  EXPECT_EQ(record_of(c),
            "argv a,w1,w2,3 as w2,1\ncwd w2,1\nenv N=w1,U,N=w2,U,4 inherit 1\n"
            "kind 2 append 0 fd -1 path 0 bytes w2\n"
            "kind 6 append 0 fd -1 path w2,1 bytes \n"
            "kind 5 append 0 fd 42 path 0 bytes \n"
            "passed 0>3 1>4 foreign 1\ngroup 2 death 2 umask 2\nlimits 1:1/2 2:2/3\n"
            "ids 2 3 groups 1 2 3\nkill 1 timeout 2 stop 2 grace 3 drain 4 captures 16777216:0 "
            "16777216:0");
  c.clear_env().own_group();
  EXPECT_NE(record_of(c).find("\nenv 0 inherit 0\n"), std::string::npos) << record_of(c);
  EXPECT_NE(record_of(c).find("\ngroup 1 "), std::string::npos) << record_of(c);
  c.same_group().groups({});
  EXPECT_NE(record_of(c).find("\ngroup 0 "), std::string::npos) << record_of(c);
  EXPECT_NE(record_of(c).find(" groups 1\n"), std::string::npos) << record_of(c);
  EXPECT_TRUE(c.verify());
}

TEST(CommandSettings, P3_AfterTheStartEverySetterIsRefusedAndChangesNothing) {
  auto c = command::argv({"/bin/true"});
  internal::command_access::succeed(c);
  const std::string before = record_of(c);
  set_each(c, 1);
  c.clear_env().own_group().same_group().new_session();
  c.in(from::null{}).in(from::inherit{}).in(from::pipe{}).in(from::fd{3}).in(from::bytes{"x"});
  c.out(to::null{}).out(to::pipe{}).out(to::capture{.limit = {1}}).out(to::fd{3});
  c.err(to::null{}).err(to::pipe{}).err(to::capture{.limit = {1}}).err(to::out{});
  c.err(to::path{"x", true});
  EXPECT_EQ(record_of(c), before);
  ASSERT_FALSE(c.verify());
  EXPECT_EQ(c.verify().error().message(),
            "command.start: not legal in this state: it was started already");
}

TEST(CommandSettings, P4_EachStreamSetterChoosesItsStreamAndKind) {
  using kind = internal::stream_settings::kind;
  struct choice {
    command& (*set)(command&);
    int stream;
    kind to;
  };
  const choice all[] = {
      {[](command& c) -> command& { return c.in(from::null{}); }, 0, kind::null},
      {[](command& c) -> command& { return c.in(from::null{}); }, 0, kind::null},
      {[](command& c) -> command& { return c.in(from::inherit{}); }, 0, kind::inherit},
      {[](command& c) -> command& { return c.in(from::bytes{"x"}); }, 0, kind::bytes},
      {[](command& c) -> command& { return c.in(from::pipe{}); }, 0, kind::pipe},
      {[](command& c) -> command& { return c.in(from::fd{0}); }, 0, kind::fd},
      {[](command& c) -> command& { return c.out(to::inherit{}); }, 1, kind::inherit},
      {[](command& c) -> command& { return c.out(to::null{}); }, 1, kind::null},
      {[](command& c) -> command& { return c.out(to::pipe{}); }, 1, kind::pipe},
      {[](command& c) -> command& { return c.out(to::capture{}); }, 1, kind::capture},
      {[](command& c) -> command& { return c.out(to::fd{0}); }, 1, kind::fd},
      {[](command& c) -> command& { return c.out(to::path{"x"}); }, 1, kind::path},
      {[](command& c) -> command& { return c.err(to::inherit{}); }, 2, kind::inherit},
      {[](command& c) -> command& { return c.err(to::null{}); }, 2, kind::null},
      {[](command& c) -> command& { return c.err(to::pipe{}); }, 2, kind::pipe},
      {[](command& c) -> command& { return c.err(to::capture{}); }, 2, kind::capture},
      {[](command& c) -> command& { return c.err(to::fd{0}); }, 2, kind::fd},
      {[](command& c) -> command& { return c.err(to::path{"x"}); }, 2, kind::path},
      {[](command& c) -> command& { return c.err(to::out{}); }, 2, kind::as_stdout},
  };
  for (const auto& [set, stream, to] : all) {
    auto c = command::argv({"a"});
    c.in(from::pipe{}).out(to::null{}).err(to::null{});
    if (to == kind::null || to == kind::pipe)
      c.in(from::inherit{}).out(to::inherit{}).err(to::inherit{});
    kind expected[3];
    for (int i = 0; i < 3; ++i) expected[i] = settings_of(c).streams[i].to;
    expected[stream] = to;
    set(c);
    const std::string which =
        "stream " + std::to_string(stream) + " kind " + std::to_string(static_cast<int>(to));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(settings_of(c).streams[i].to, expected[i]) << which;
    EXPECT_TRUE(c.verify()) << which;
  }
}

}  // namespace
}  // namespace bast
