// SPDX-License-Identifier: Apache-2.0
#include "read/perf_refusal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace bast_stacks {
namespace {

using ::testing::HasSubstr;

problem said(int error, perf_step step = perf_step::open, std::optional<int> paranoid = 2) {
  return explain(
      {.pid = 42, .error = error, .step = step, .paranoid = paranoid, .descriptors = 1020});
}

TEST(PerfRefusal, NamesTheDoorAndTheLineThatOpensIt) {
  EXPECT_EQ(said(EACCES, perf_step::open, 4).what,
            "cannot watch the page faults of process 42: perf_event_open: Permission denied "
            "(kernel.perf_event_paranoid is 4: only CAP_PERFMON may watch)");
  EXPECT_EQ(said(EACCES, perf_step::open, 4).remedy, "sudo sysctl kernel.perf_event_paranoid=2");
  EXPECT_EQ(said(EPERM, perf_step::open, 3).remedy, "sudo sysctl kernel.perf_event_paranoid=2");

  EXPECT_THAT(said(EACCES).what, HasSubstr("another user"));
  EXPECT_THAT(said(EACCES).remedy, HasSubstr("as root"));

  EXPECT_THAT(said(EPERM).what, HasSubstr("a seccomp filter"));
  EXPECT_THAT(said(EPERM).remedy, HasSubstr("docker run --cap-add PERFMON"));
  EXPECT_THAT(said(EPERM, perf_step::open, {}).what, HasSubstr("a seccomp filter"));

  EXPECT_THAT(said(EPERM, perf_step::map).what, HasSubstr("mmap of a perf ring"));
  EXPECT_THAT(said(EPERM, perf_step::map).remedy, HasSubstr("ulimit -l"));

  EXPECT_THAT(said(ENOSYS).what, HasSubstr("this kernel has no perf events"));
  EXPECT_THAT(said(ENOSYS).remedy, HasSubstr("bast-stacks run --deepest -- PROGRAM"));
  EXPECT_THAT(said(EINVAL).what, HasSubstr("Linux 5.13"));

  EXPECT_THAT(said(EMFILE).what, HasSubstr("1020 are open"));
  EXPECT_THAT(said(EMFILE).remedy, HasSubstr("ulimit -n"));

  EXPECT_EQ(said(ESRCH).what, "process 42 has ended");
}

TEST(PerfRefusal, EachErrorHasItsWords) {
  const std::string start = "cannot watch the page faults of process 42: perf_event_open: ";
  const std::string other_way =
      "start the program by bast-stacks run --deepest -- PROGRAM, which needs no perf events";
  const auto expect = [&](int error, const std::string& what, const std::string& remedy) {
    const problem found = said(error);
    EXPECT_EQ(found.what, start + std::strerror(error) + what);
    EXPECT_EQ(found.remedy, remedy);
  };
  expect(EACCES, " (it belongs to another user, or is not dumpable, and we have no CAP_PERFMON)",
         "run as the user of the process, or as root");
  expect(EPERM, " (a seccomp filter, such as a container's, or a security module forbids it)",
         "run with CAP_PERFMON (docker run --cap-add PERFMON)");
  expect(ENOSYS, " (this kernel has no perf events)", other_way);
  for (const int error : {ENOENT, ENODEV, EOPNOTSUPP})
    expect(error, " (this kernel cannot count page faults)", other_way);
  for (const int error : {EINVAL, E2BIG}) expect(error, " (it takes Linux 5.13)", other_way);
  for (const int error : {EMFILE, ENFILE})
    expect(error, " (1020 are open; every thread takes one for each CPU)",
           "ulimit -n 65536, where the hard limit allows it");
  expect(ENOMEM, " (there is no memory for it)", "");
  expect(EIO, "", "");
  EXPECT_EQ(said(EPERM, perf_step::map).what,
            "cannot watch the page faults of process 42: mmap of a perf ring: Operation not "
            "permitted (the user's memory for perf events is used up)");
  EXPECT_EQ(said(EPERM, perf_step::map).remedy, "ulimit -l unlimited, or run as root");
  // Only values above 2 mean a missing right.
  EXPECT_EQ(said(EPERM, perf_step::open, 2).remedy, said(EPERM).remedy);
  EXPECT_EQ(said(EACCES, perf_step::map, 3).what,
            "cannot watch the page faults of process 42: mmap of a perf ring: Permission denied "
            "(kernel.perf_event_paranoid is 3: only CAP_PERFMON may watch)");
  EXPECT_EQ(said(EIO, perf_step::list).what.substr(44, 23), "the list of its threads");
  EXPECT_EQ(said(EIO, perf_step::redirect).what.substr(44, 25), "PERF_EVENT_IOC_SET_OUTPUT");
  EXPECT_EQ(said(ESRCH).remedy, "");
}

TEST(PerfRefusal, EveryErrorIsStatusThreeWithItsCause) {
  std::set<std::string> sentences;
  const int errors[] = {EACCES, EPERM,  ENOSYS, ENOENT, ENODEV, EOPNOTSUPP, EINVAL,
                        E2BIG,  EMFILE, ENFILE, ENOMEM, EBUSY,  ESRCH,      EIO};
  for (const int error : errors) {
    for (const perf_step step :
         {perf_step::list, perf_step::open, perf_step::map, perf_step::redirect}) {
      const problem found = said(error, step);
      EXPECT_EQ(found.status, 3);
      EXPECT_THAT(found.what, HasSubstr("process 42"));
      sentences.insert(found.what);
    }
  }
  EXPECT_EQ(sentences.size(), (std::size(errors) - 1) * 4 + 1);
}

}  // namespace
}  // namespace bast_stacks
