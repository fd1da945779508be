// SPDX-License-Identifier: Apache-2.0
//
// The descriptors of a child: {0, 1, 2}, those that were passed, and no other (P-6).
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <set>
#include <string>
#include <vector>

#include "bast/process/spawn_child.hpp"
#include "bast/testing/random.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using internal::child_plan;
using internal::descriptor_move;
using test::child;

class SpawnDescriptors : public test::spawn_test {};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnDescriptors, test::both_memories, test::memory_name);

/// Many of the child's descriptors, by number, and where they lead.
std::map<int, std::string> descriptors_in(const std::string& listing) {
  std::map<int, std::string> all;
  std::istringstream lines(listing);
  for (std::string line; std::getline(lines, line);) {
    all[std::stoi(line)] = line.substr(line.find(' ', line.find(' ') + 1) + 1);
  }
  return all;
}

/// Named files in memory under chosen numbers, not closed on exec.
class numbered_files {
 public:
  int add(int number) {
    const std::string name = "file" + std::to_string(number);
    const int fd = ::memfd_create(name.c_str(), 0);
    EXPECT_EQ(::dup2(fd, number), number);
    if (fd != number) ::close(fd);
    open_.push_back(number);
    return number;
  }
  ~numbered_files() {
    for (const int fd : open_) ::close(fd);
  }
  static std::string target(int number) {
    return "/memfd:file" + std::to_string(number) + " (deleted)";
  }

 private:
  std::vector<int> open_;
};

TEST_P(SpawnDescriptors, P6_NothingForeignIsInherited) {
  numbered_files foreign;
  for (int i = 0; i < 50; ++i) foreign.add(100 + 3 * i);
  auto c = child({"fds"});
  const auto found = descriptors_in(run(c.out(to::pipe{})).out);
  ASSERT_EQ(found.size(), 3U);
  for (int fd = 0; fd < 3; ++fd) EXPECT_TRUE(found.contains(fd));
}

TEST_P(SpawnDescriptors, P6_ForeignOnesAreKeptWhenAskedFor) {
  numbered_files foreign;
  for (int i = 0; i < 5; ++i) foreign.add(100 + 3 * i);
  auto c = child({"fds"});
  const auto found = descriptors_in(run(c.keep_foreign_fds().out(to::pipe{})).out);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(found.contains(100 + 3 * i));
  // And still none of the library's own: no pipe except stdout.
  int pipes = 0;
  for (const auto& [fd, target] : found) pipes += target.starts_with("pipe:") && fd != 1;
  int ours = 0;  // left open by the test runner
  for (int fd = 0; fd < 256; ++fd) {
    char target[64] = "";
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const bool is_pipe = ::readlink(link.c_str(), target, sizeof target - 1) > 0 &&
                         std::string_view(target).starts_with("pipe:");
    ours += is_pipe && fd != 0 && fd != 1 && (::fcntl(fd, F_GETFD) & FD_CLOEXEC) == 0;
  }
  EXPECT_EQ(pipes, ours);
}

struct passing {
  const char* name;
  std::vector<descriptor_move> moves;
};

TEST_P(SpawnDescriptors, P6_PassedOnesAreMovedAsideWhereTheyCollide) {
  const passing cases[] = {
      {"the same number", {{200, 200}}},
      {"swapped", {{200, 201}, {201, 200}}},
      {"a chain", {{200, 201}, {201, 202}, {202, 203}}},
      {"a chain backwards", {{203, 202}, {202, 201}, {201, 200}}},
      {"a ring", {{200, 201}, {201, 202}, {202, 200}}},
      {"one for many", {{200, 200}, {200, 201}, {200, 3}}},
      {"low numbers, where the library's own are",
       {{200, 3}, {201, 4}, {202, 5}, {203, 6}, {200, 7}, {201, 8}, {202, 9}, {203, 10}}},
      {"a high number", {{200, 900}, {900, 200}}},
  };
  for (const auto& [name, moves] : cases) {
    numbered_files files;
    std::set<int> sources;
    for (const auto& move : moves) sources.insert(move.source);
    for (const int source : sources) files.add(source);
    auto c = child({"fds"});
    for (const auto& [source, target] : moves) c.pass_fd(source, target);
    const auto ended = run(c.out(to::pipe{}));
    ASSERT_TRUE(ended.exited(0)) << name << ": " << ended;
    auto found = descriptors_in(ended.out);
    EXPECT_EQ(found.size(), 3 + moves.size()) << name;
    for (const auto& [source, target] : moves) {
      EXPECT_EQ(found[target], numbered_files::target(source)) << name << " at " << target;
    }
  }
}

TEST_P(SpawnDescriptors, P6_AnyPermutationArrives) {
  auto random = test::random_numbers::of_this_test();
  for (int round = 0; round < 30; ++round) {
    numbered_files files;
    for (int fd = 100; fd < 110; ++fd) files.add(fd);
    std::map<int, int> source_of;
    auto c = child({"fds"});
    for (int i = 0; i < 10; ++i) {
      const int source = 100 + static_cast<int>(random.below(10));
      const int target = random.below(2) != 0 ? 100 + static_cast<int>(random.below(12))
                                              : 3 + static_cast<int>(random.below(12));
      if (source_of.emplace(target, source).second) c.pass_fd(source, target);
    }
    const auto ended = run(c.out(to::pipe{}));
    ASSERT_TRUE(ended.exited(0)) << ended;
    auto found = descriptors_in(ended.out);
    ASSERT_EQ(found.size(), 3 + source_of.size());
    for (const auto& [target, source] : source_of) {
      EXPECT_EQ(found[target], numbered_files::target(source));
    }
  }
}

/// Runs `body` with some of 0, 1 and 2 closed, in its own process; returns its exit status.
template <class F>
int with_closed(unsigned closed, F body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (int fd = 0; fd < 3; ++fd) {
      if ((closed >> fd & 1) != 0) ::close(fd);
    }
    ::_exit(body());
  }
  int status = -1;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Returns 0, or the number of the failed check.
int inherit_all(unsigned closed, test::child_memory memory) {
  // The library's open descriptors do not use these numbers.
  if (const auto loop = epoll_adapter::create({.processes_max = 4}); !loop) return 7;
  os::descriptor out(::memfd_create("listing", MFD_CLOEXEC));
  // High, so that the standard numbers stay closed.
  out = os::descriptor(::fcntl(out.get(), F_DUPFD_CLOEXEC, 50));
  auto c = child({"fds"});
  c.in(from::inherit{}).err(to::inherit{}).out(to::fd{out.get()});
  auto started = test::start(c, memory);
  if (!started) return 1;
  if (started->process.pidfd.get() < 3) return 2;
  if (!test::finish(std::move(*started)).exited(0)) return 3;
  std::string text(4096, '\0');
  const ssize_t size = ::pread(out.get(), text.data(), text.size(), 0);
  text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  auto found = descriptors_in(text);
  if (found.size() != 3) return 4;
  for (const int fd : {0, 2}) {
    if ((closed >> fd & 1) != 0 && found[fd] != "/dev/null") return 5;
  }
  // And our own are closed again.
  for (int fd = 0; fd < 3; ++fd) {
    if ((::fcntl(fd, F_GETFD) == -1) != ((closed >> fd & 1) != 0)) return 6;
  }
  return 0;
}

int pipe_all(unsigned closed, test::child_memory memory) {
  auto c = child({"cat", "err", "4"});
  c.in(from::pipe{}).out(to::pipe{}).err(to::pipe{});
  auto started = test::start(c, memory);
  if (!started) return 1;
  for (const auto* const end :
       {&started->stdin_pipe, &started->stdout_pipe, &started->stderr_pipe}) {
    if (end->get() < 3) return 2;
  }
  const std::byte byte{'x'};
  if (!os::write_some(started->stdin_pipe.get(), {&byte, 1})) return 3;
  started->stdin_pipe.reset();
  const auto ended = test::finish(std::move(*started));
  if (!ended.exited(0) || ended.out != "x" || ended.err != "abcd") return 4;
  for (int fd = 0; fd < 3; ++fd) {
    if ((::fcntl(fd, F_GETFD) == -1) != ((closed >> fd & 1) != 0)) return 5;
  }
  return 0;
}

TEST_P(SpawnDescriptors, P6_OurStandardStreamsMayBeClosed) {
  for (unsigned closed = 0; closed < 8; ++closed) {
    EXPECT_EQ(with_closed(closed, [&] { return inherit_all(closed, GetParam()); }), 0) << closed;
    EXPECT_EQ(with_closed(closed, [&] { return pipe_all(closed, GetParam()); }), 0) << closed;
  }
}

/// Each way to mark foreign descriptors, tried on this test's own.
TEST(SpawnMarking, P6_EachWayMarksAllButTheTargets) {
  using way = bool (*)(const child_plan&) noexcept;
  for (const way mark : {way{internal::mark_by_range}, way{internal::mark_by_listing},
                         way{internal::mark_by_trying}}) {
    EXPECT_EQ(with_closed(0,
                          [&] {
                            numbered_files files;
                            for (int fd = 20; fd < 30; ++fd) files.add(fd);
                            // The last is past the end.
                            descriptor_move moves[] = {{0, 0},   {1, 1},   {2, 2},  {20, 20},
                                                       {25, 25}, {29, 29}, {23, 23}};
                            child_plan plan;
                            plan.moves = moves;
                            plan.move_count = 6;
                            if (!mark(plan)) return 100;
                            for (const int kept : {0, 1, 2, 20, 25, 29}) {
                              if ((::fcntl(kept, F_GETFD) & FD_CLOEXEC) != 0) return kept + 1;
                            }
                            for (const int marked : {21, 22, 23, 24, 26, 27, 28}) {
                              if ((::fcntl(marked, F_GETFD) & FD_CLOEXEC) == 0) return marked;
                            }
                            return 0;
                          }),
              0);
  }
}

}  // namespace
}  // namespace bast
