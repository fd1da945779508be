// SPDX-License-Identifier: Apache-2.0
//
// The standard streams of a child (P-4, P-5, P-16, P-17).
#include "bast/process/spawn_streams.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "bast/testing/in_child.hpp"
#include "bast/testing/run_child.hpp"

namespace bast {
namespace {

using test::child;

class SpawnStreams : public test::spawn_test {};
INSTANTIATE_TEST_SUITE_P(Memory, SpawnStreams, test::both_memories, test::memory_name);

/// An unnamed file of our own, and its contents.
class temporary {
 public:
  temporary() : file_(std::tmpfile()) {}
  ~temporary() { std::fclose(file_); }
  temporary(const temporary&) = delete;
  temporary& operator=(const temporary&) = delete;
  int fd() const { return ::fileno(file_); }
  std::string text() const {
    std::string all(1 << 16, '\0');
    const ssize_t size = ::pread(fd(), all.data(), all.size(), 0);
    all.resize(static_cast<std::size_t>(size));
    return all;
  }

 private:
  std::FILE* file_;
};

std::string contents_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_P(SpawnStreams, P4_StdinIsEmptyUnlessAskedFor) {
  auto c = child({"fds", "cat"});
  const auto ended = run(c.out(to::pipe{}));
  ASSERT_TRUE(ended.exited(0)) << ended;
  const std::string first = ended.out.substr(0, ended.out.find('\n'));
  EXPECT_TRUE(first.starts_with("0 ") && first.ends_with(" /dev/null")) << first;
  EXPECT_EQ(std::stoi(first.substr(2), nullptr, 16) & O_ACCMODE, O_RDONLY) << first;
}

TEST_P(SpawnStreams, P4_StdinMayBeAFile) {
  const os::descriptor file(::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(file);
  ASSERT_EQ(::write(file.get(), "of the file", 11), 11);
  const std::string path =
      "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.get());
  auto c = child({"cat"});
  const auto ended = run(c.in(from::path{path}).out(to::pipe{}));
  EXPECT_TRUE(ended.exited(0)) << ended;
  EXPECT_EQ(ended.out, "of the file");
  auto d = child({"change_stdin"});
  EXPECT_TRUE(run(d.in(from::path{path})).exited(0)) << "opened for reading only";
}

// The other end of a FIFO is not waited for: that would stop the thread, where nothing ends it.
TEST_P(SpawnStreams, P4_AFifoStopsNoThread) {
  const std::string path = "/tmp/bast-fifo-" + std::to_string(::getpid());
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  auto reads = child({"cat", "exit", "0"});
  const auto nothing = run(reads.in(from::path{path}).out(to::pipe{}));
  EXPECT_TRUE(nothing.exited(0)) << nothing;
  EXPECT_EQ(nothing.out, "") << "without a writer it is at its end";
  auto writes = child({"say", "x"});
  const auto refused = run(writes.out(to::path{path}));
  ASSERT_TRUE(refused.failure);
  EXPECT_EQ(refused.failure->error_number(), ENXIO);
  const os::descriptor reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  auto again = child({"say", "through"});
  EXPECT_TRUE(run(again.out(to::path{path})).exited(0));
  char text[16] = {};
  EXPECT_EQ(::read(reader.get(), text, sizeof text), 8);
  ::unlink(path.c_str());
}

TEST_P(SpawnStreams, P4_TwoPathsToOneFileAreOneStream) {
  char directory[] = "/tmp/bast-streams-XXXXXX";
  ASSERT_NE(::mkdtemp(directory), nullptr);
  const std::string file = std::string(directory) + "/file";
  const std::string symbolic = std::string(directory) + "/symbolic";
  const std::string hard = std::string(directory) + "/hard";
  std::ofstream(file) << "before ";
  ASSERT_EQ(::symlink(file.c_str(), symbolic.c_str()), 0);
  ASSERT_EQ(::link(file.c_str(), hard.c_str()), 0);
  for (const std::string& other : {file, symbolic, hard}) {
    for (const unsigned appends : {0U, 1U, 2U, 3U}) {
      std::ofstream(file) << "before ";
      auto c = child({"out", "6", "err", "4", "out", "3", "err", "2"});
      c.out(to::path{file, (appends & 1) != 0}).err(to::path{other, (appends & 2) != 0});
      ASSERT_TRUE(run(c).exited(0));
      // Truncated if either requests it.
      const std::string kept = appends == 3 ? "before " : "";
      EXPECT_EQ(contents_of(file), kept + "abcdefabcdghief") << other << " " << appends;
    }
  }
  // Two files remain two.
  const std::string second = std::string(directory) + "/second";
  auto c = child({"out", "3", "err", "2"});
  ASSERT_TRUE(run(c.out(to::path{file}).err(to::path{second})).exited(0));
  EXPECT_EQ(contents_of(file), "abc");
  EXPECT_EQ(contents_of(second), "ab");
  for (const std::string& each : {file, symbolic, hard, second}) ::unlink(each.c_str());
  ::rmdir(directory);
}

/// A descriptor and a path of one file are two streams: only paths are compared.
TEST_P(SpawnStreams, P4_ADescriptorAndAPathStayTwo) {
  for (const bool appends : {false, true}) {
    const temporary file;
    ASSERT_EQ(::pwrite(file.fd(), "before", 6, 0), 6);
    ASSERT_EQ(::lseek(file.fd(), 8, SEEK_SET), 8);
    const std::string path =
        "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(file.fd());
    auto c = child({"out", "3", "err", "2"});
    ASSERT_TRUE(run(c.out(to::fd{file.fd()}).err(to::path{path, appends})).exited(0));
    const std::string gap(appends ? 2 : 6, '\0');
    EXPECT_EQ(file.text(), appends ? "before" + gap + "abcab" : "ab" + gap + "abc");
  }
}

TEST_P(SpawnStreams, P16_StdinBytesAreNotTheChildsToChange) {
  auto c = child({"fds", "change_stdin"});
  const auto ended = run(c.in(from::bytes{"contents"}).out(to::pipe{}));
  EXPECT_TRUE(ended.exited(0)) << ended;
}

TEST_P(SpawnStreams, P17_StdinBytesBeyondRlimitFsizeAreAnErrorAndNoSignal) {
  if (test::emulated) GTEST_SKIP() << "qemu-user keeps such limits to itself";
  EXPECT_EQ(test::in_child([] {
              const rlimit few{.rlim_cur = 4096, .rlim_max = RLIM_INFINITY};
              if (::setrlimit(RLIMIT_FSIZE, &few) != 0) return 1;
              auto c = child({"drain"});
              c.in(from::bytes{std::string(4097, 'x')});
              const auto refused = start(c);
              if (refused || refused.error().error_number() != EFBIG) return 2;
              if (c.failure().stage != spawn_stage::descriptors) return 3;
              return run(c.in(from::bytes{std::string(4096, 'x')})).exited(0) ? 0 : 4;
            }),
            0);
}

TEST_P(SpawnStreams, P4_NullIsForWritingToo) {
  auto c = child({"out", "100", "err", "100"});
  EXPECT_TRUE(run(c.in(from::null{}).out(to::null{}).err(to::null{})).exited(0));
}

TEST_P(SpawnStreams, P16_BytesOfAnySizeNeedNoWriter) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5} << 20}) {
    std::string bytes(size, '\0');
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 + i / 256);
    auto c = child({"cat"});
    const auto ended = run(c.in(from::bytes{bytes}).out(to::pipe{}));
    ASSERT_TRUE(ended.exited(0));
    EXPECT_TRUE(ended.out == bytes) << size;
  }
}

TEST_P(SpawnStreams, P17_AChildThatReadsNothingRaisesNoSignal) {
  auto c = child({"close", "0", "exit", "0"});
  EXPECT_TRUE(run(c.in(from::bytes{std::string(1 << 20, 'x')})).exited(0));
}

TEST_P(SpawnStreams, P4_AStdinPipeIsOursToWriteAndToClose) {
  auto c = child({"cat"});
  auto started = start(c.in(from::pipe{}).out(to::pipe{}));
  ASSERT_TRUE(started) << started.error().message();
  ASSERT_TRUE(started->stdin_pipe);
  const std::string text = "over the pipe";
  ASSERT_EQ(os::write_some(started->stdin_pipe.get(), std::as_bytes(std::span(text))), text.size());
  started->stdin_pipe.reset();
  EXPECT_EQ(test::finish(std::move(*started)).out, text);
}

TEST_P(SpawnStreams, P5_OnlyOurEndsDoNotBlock) {
  auto c = child({"fds"});
  auto started = start(c.in(from::pipe{}).out(to::pipe{}).err(to::capture{}));
  ASSERT_TRUE(started);
  for (const auto* const end :
       {&started->stdin_pipe, &started->stdout_pipe, &started->stderr_pipe}) {
    const int ours = end->get();
    ASSERT_GE(ours, 3);
    EXPECT_TRUE(::fcntl(ours, F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(::fcntl(ours, F_GETFD) & FD_CLOEXEC);
  }
  EXPECT_TRUE(::fcntl(started->process.pidfd.get(), F_GETFD) & FD_CLOEXEC);
  const auto ended = test::finish(std::move(*started));
  std::istringstream lines(ended.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto flags = std::stoul(line.substr(2), nullptr, 16);
    EXPECT_FALSE(flags & O_NONBLOCK) << line;
    EXPECT_NE(line.find("pipe:"), std::string::npos) << line;
  }
  EXPECT_EQ(count, 3);
}

TEST_P(SpawnStreams, P4_BothPipesAreSeparate) {
  auto c = child({"out", "200000", "err", "100000"});
  const auto ended = run(c.out(to::pipe{}).err(to::pipe{}));
  ASSERT_TRUE(ended.exited(0));
  EXPECT_EQ(ended.out.size(), 200000U);
  EXPECT_EQ(ended.err.size(), 100000U);
  EXPECT_TRUE(ended.out.starts_with("abcdefghijklmnopqrstuvwxyzab"));
}

TEST_P(SpawnStreams, P4_StderrToStdoutKeepsTheOrder) {
  auto c = child({"say", "1", "err", "2", "say", "3", "err", "1"});
  EXPECT_EQ(run(c.out(to::pipe{}).err(to::out{})).out, "1\nab3\nc");
  const temporary file;
  auto d = child({"say", "1", "err", "2"});
  ASSERT_TRUE(run(d.out(to::fd{file.fd()}).err(to::out{})).exited(0));
  EXPECT_EQ(file.text(), "1\nab");
}

TEST_P(SpawnStreams, P4_CallersDescriptorsAreBorrowed) {
  const temporary in;
  const temporary out;
  ASSERT_EQ(::pwrite(in.fd(), "input", 5, 0), 5);
  auto c = child({"cat", "err", "3"});
  c.in(from::fd{in.fd()}).out(to::fd{out.fd()}).err(to::fd{out.fd()});
  ASSERT_TRUE(run(c).exited(0));
  EXPECT_EQ(out.text(), "inputabc");
  EXPECT_GE(::fcntl(in.fd(), F_GETFD), 0) << "still open";
}

TEST_P(SpawnStreams, P4_StandardStreamsCanBeSwapped) {
  const temporary out;
  const temporary err;
  const int saved_out = ::dup(1);
  const int saved_err = ::dup(2);
  ::dup2(out.fd(), 1);
  ::dup2(err.fd(), 2);
  auto c = child({"out", "3", "err", "5"});
  const auto ended = run(c.out(to::fd{2}).err(to::fd{1}));
  ::dup2(saved_out, 1);
  ::dup2(saved_err, 2);
  ::close(saved_out);
  ::close(saved_err);
  EXPECT_TRUE(ended.exited(0)) << ended;
  EXPECT_EQ(out.text(), "abcde");
  EXPECT_EQ(err.text(), "abc");
}

TEST_P(SpawnStreams, P4_PathsAreMadeEmptiedOrAppendedTo) {
  const std::string path = testing::TempDir() + "bast_stream_" + std::to_string(::getpid());
  ::unlink(path.c_str());
  const auto write = [&](const char* text, bool append) {
    auto c = child({"say", text});
    EXPECT_TRUE(run(c.out(to::path{path, append})).exited(0));
  };
  write("a longer first line", false);
  EXPECT_EQ(contents_of(path), "a longer first line\n");
  write("second", false);
  EXPECT_EQ(contents_of(path), "second\n");
  write("third", true);
  auto c = child({"err", "3"});
  EXPECT_TRUE(run(c.err(to::path{path, true})).exited(0));
  EXPECT_EQ(contents_of(path), "second\nthird\nabc");
  ::unlink(path.c_str());
}

TEST_P(SpawnStreams, P8_AFileThatCannotBeOpenedIsNamedByItsStage) {
  auto c = child({"exit", "0"});
  const auto ended = run(c.out(to::path{"/nonexistent/file"}));
  ASSERT_TRUE(ended.failure);
  EXPECT_EQ(ended.failure->error_number(), ENOENT);
  EXPECT_EQ(c.failure().stage, spawn_stage::descriptors);
}

TEST_P(SpawnStreams, P8_ADescriptorThatIsClosedIsNotMistakenForOneOfOurs) {
  const int closed = ::dup(0);
  ::close(closed);
  auto c = child({"exit", "0"});
  auto d = child({"exit", "0"});
  for (command* const asked : {&c.out(to::fd{closed}), &d.pass_fd(closed, 9)}) {
    const auto ended = run(*asked);
    ASSERT_TRUE(ended.failure) << "the library reused the number";
    EXPECT_EQ(ended.failure->error_number(), EBADF);
    EXPECT_EQ(asked->failure().stage, spawn_stage::descriptors);
  }
}

}  // namespace
}  // namespace bast
