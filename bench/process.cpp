// SPDX-License-Identifier: Apache-2.0
//
// Processes, from start to reaping, with and without their output: bast's three ways against libuv,
// and against posix_spawn in a bare loop.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include <bast/config.hpp>
#include <bast/process.hpp>
#include <deque>
#include <string>

#if BAST_BENCH_URING
#include <liburing.h>
#endif

#include "processors.hpp"
#include "support.hpp"

namespace {

constexpr std::size_t output_bytes = std::size_t{1} << 20;

/// The program to run: one that does nothing, its output discarded; or one that writes 1 MiB, which
/// is kept, with a second pipe for standard error.
struct task {
  bool captures;

  std::vector<const char*> words() const {
    if (!captures) return {"/bin/true"};
    return {"/usr/bin/head", "-c", "1048576", "/dev/zero"};
  }
};

void check_end(bool exited_with_0, std::size_t size, const task& what) {
  if (!exited_with_0 || size != (what.captures ? output_bytes : 0)) bench::give_up("running");
}

/// The peers' output buffer: doubled when full, like bast's.
class sink {
 public:
  sink() = default;
  ~sink() { std::free(bytes_); }
  sink(const sink&) = delete;
  char* tail() {
    if (size_ == capacity_) {
      capacity_ = std::max(std::size_t{1} << 16, 2 * capacity_);
      bytes_ = static_cast<char*>(std::realloc(bytes_, capacity_));
      if (bytes_ == nullptr) bench::give_up("realloc");
    }
    return bytes_ + size_;
  }
  std::size_t room() const { return capacity_ - size_; }
  void commit(std::size_t count) { size_ += count; }
  std::size_t size() const { return size_; }

 private:
  char* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

// ---- posix_spawn: the floor.

struct floor_child {
  pid_t pid = -1;
  int pipes[2] = {-1, -1};
  sink kept[2];
};

class floor_side {
 public:
  void run(std::size_t count, const task& what) {
    std::deque<floor_child> children(count);
    for (floor_child& c : children) start(c, what);
    read_all(children);
    for (floor_child& c : children) {
      int status = -1;
      if (::waitpid(c.pid, &status, 0) != c.pid) bench::give_up("waitpid");
      check_end(status == 0, c.kept[0].size(), what);
    }
  }

 private:
  static void start(floor_child& c, const task& what) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    int theirs[2] = {-1, -1};
    for (int i = 0; i < 2; ++i) {
      if (!what.captures) {
        ::posix_spawn_file_actions_addopen(&actions, i + 1, "/dev/null", O_WRONLY, 0);
        continue;
      }
      int ends[2];
      if (::pipe2(ends, O_CLOEXEC) != 0) bench::give_up("pipe2");
      c.pipes[i] = ends[0];
      theirs[i] = ends[1];
      ::posix_spawn_file_actions_adddup2(&actions, theirs[i], i + 1);
    }
    auto words = what.words();
    words.push_back(nullptr);
    if (::posix_spawn(&c.pid, words[0], &actions, nullptr, const_cast<char**>(words.data()),
                      environ) != 0) {
      bench::give_up("posix_spawn");
    }
    ::posix_spawn_file_actions_destroy(&actions);
    for (const int fd : theirs) {
      if (fd >= 0) ::close(fd);
    }
  }

  /// One poll for all pipes.
  static void read_all(std::deque<floor_child>& children) {
    std::vector<pollfd> polled;
    std::vector<sink*> sinks;
    for (floor_child& c : children) {
      for (int i = 0; i < 2; ++i) {
        if (c.pipes[i] < 0) continue;
        polled.push_back({.fd = c.pipes[i], .events = POLLIN, .revents = 0});
        sinks.push_back(&c.kept[i]);
      }
    }
    for (std::size_t open = polled.size(); open > 0;) {
      if (::poll(polled.data(), polled.size(), -1) < 0) bench::give_up("poll");
      for (std::size_t i = 0; i < polled.size(); ++i) {
        if (polled[i].revents == 0) continue;
        char* const tail = sinks[i]->tail();
        const ssize_t size = ::read(polled[i].fd, tail, sinks[i]->room());
        if (size < 0) bench::give_up("read");
        sinks[i]->commit(static_cast<std::size_t>(size));
        if (size > 0) continue;
        ::close(std::exchange(polled[i].fd, -1));  // poll ignores it from here on.
        --open;
      }
    }
  }
};

// ---- libuv, as its guide shows it.

struct uv_child {
  uv_process_t process{};
  uv_pipe_t pipes[2] = {};
  sink kept[2];
  std::int64_t status = -1;
};

class libuv_side {
 public:
  libuv_side() {
    if (::uv_loop_init(&loop_) != 0) bench::give_up("uv_loop_init");
  }
  ~libuv_side() { ::uv_loop_close(&loop_); }
  libuv_side(const libuv_side&) = delete;
  libuv_side& operator=(const libuv_side&) = delete;

  void run(std::size_t count, const task& what) {
    std::deque<uv_child> children(count);
    for (uv_child& c : children) start(c, what);
    ::uv_run(&loop_, UV_RUN_DEFAULT);
    for (uv_child& c : children) check_end(c.status == 0, c.kept[0].size(), what);
  }

 private:
  static void close(uv_handle_t* handle) { ::uv_close(handle, nullptr); }
  template <class Handle>
  static uv_handle_t* as_handle(Handle* handle) {
    return reinterpret_cast<uv_handle_t*>(handle);
  }
  static uv_stream_t* as_stream(uv_pipe_t* pipe) { return reinterpret_cast<uv_stream_t*>(pipe); }

  void start(uv_child& c, const task& what) {
    uv_stdio_container_t streams[3] = {};  // UV_IGNORE: /dev/null
    for (int i = 0; what.captures && i < 2; ++i) {
      ::uv_pipe_init(&loop_, &c.pipes[i], 0);
      c.pipes[i].data = &c.kept[i];
      streams[i + 1].flags = static_cast<uv_stdio_flags>(UV_CREATE_PIPE | UV_WRITABLE_PIPE);
      streams[i + 1].data.stream = as_stream(&c.pipes[i]);
    }
    auto words = what.words();
    words.push_back(nullptr);
    uv_process_options_t options{};
    options.file = words[0];
    options.args = const_cast<char**>(words.data());
    options.stdio = streams;
    options.stdio_count = 3;
    options.exit_cb = [](uv_process_t* process, std::int64_t status, int) {
      static_cast<uv_child*>(process->data)->status = status;
      close(as_handle(process));
    };
    c.process.data = &c;
    if (::uv_spawn(&loop_, &c.process, &options) != 0) bench::give_up("uv_spawn");
    for (int i = 0; what.captures && i < 2; ++i) {
      ::uv_read_start(as_stream(&c.pipes[i]), give_room, take_bytes);
    }
  }

  static void give_room(uv_handle_t* handle, std::size_t, uv_buf_t* into) {
    auto& kept = *static_cast<sink*>(handle->data);
    into->base = kept.tail();
    into->len = kept.room();
  }
  static void take_bytes(uv_stream_t* stream, ssize_t size, const uv_buf_t*) {
    if (size < 0) return close(as_handle(stream));
    static_cast<sink*>(stream->data)->commit(static_cast<std::size_t>(size));
  }

  uv_loop_t loop_{};
};

// ---- bast.

bast::command command_for(const task& what) {
  const auto words = what.words();
  const std::vector<std::string_view> arguments(words.begin(), words.end());
  auto c = bast::command::argv(arguments);
  if (what.captures) {
    c.out(bast::to::capture{}).err(bast::to::capture{});
  } else {
    c.out(bast::to::null{}).err(bast::to::null{});
  }
  return c;
}

void check_result(const bast::process_result& ended, const task& what) {
  check_end(ended.status.success(), ended.output.bytes.size(), what);
}

/// Starts `count` on a driver, and calls `turn` until all have ended.
template <class Turn>
void run_on(bast::process_driver& driver, std::size_t count, const task& what, Turn turn) {
  struct progress {
    const task& what;
    std::size_t left;
  } seen{.what = what, .left = count};
  const auto finished = [](void* context, bast::process_id, bast::process_result&& ended) noexcept {
    auto& p = *static_cast<progress*>(context);
    check_result(ended, p.what);
    --p.left;
  };
  for (std::size_t i = 0; i < count; ++i) {
    auto c = command_for(what);
    (void)bench::must(c.start(driver, finished, &seen), "start");
  }
  while (seen.left > 0) turn();
}

class epoll_side {
 public:
  void run(std::size_t count, const task& what) {
    run_on(loop_, count, what, [this] { turn(); });
  }

 protected:
  void turn() { bench::must(loop_.turn(std::chrono::hours(1)), "turn"); }
  std::unique_ptr<bast::epoll_adapter> owner_ =
      bench::must(bast::epoll_adapter::create(), "epoll_adapter::create");
  bast::epoll_adapter& loop_ = *owner_;
};

class coroutine_side : epoll_side {
 public:
  void run(std::size_t count, const task& what) {
    std::vector<bast::coro<>> all;
    for (std::size_t i = 0; i < count; ++i) {
      auto body = [&what] {
        auto c = command_for(what);
        check_result(bench::must(c.run(), "run"), what);
      };
      all.push_back(bench::must(pool_.make(body), "make"));
      (void)all.back().resume();
    }
    while (!loop_.idle()) turn();
    for (const auto& one : all) {
      if (one.state() != bast::coro_state::finished) bench::give_up("waiting");
    }
  }

 private:
  bast::coro_pool pool_ = bench::must(bast::coro_pool::create(), "coro_pool::create");
};

#if BAST_BENCH_URING

class uring_side {
 public:
  uring_side() : status_(::io_uring_queue_init(512, &ring_, 0)) {
    if (status_ == 0)
      loop_ = bench::must(bast::uring_adapter::create(ring_), "uring_adapter::create");
  }
  ~uring_side() {
    if (status_ != 0) return;
    (void)loop_->shut_down();
    for (prepare(); !loop_->idle(); prepare()) wait();
    loop_.reset();
    ::io_uring_queue_exit(&ring_);
  }
  uring_side(const uring_side&) = delete;

  bool works() const { return status_ == 0; }
  void run(std::size_t count, const task& what) {
    run_on(*loop_, count, what, [this] {
      prepare();
      if (!is_idle()) wait();
    });
  }

 private:
  bool is_idle() const { return loop_->machine().stats().live == 0; }
  void prepare() {
    while (!loop_->prepare()) ::io_uring_submit(&ring_);
  }
  void wait() {
    ::io_uring_submit_and_wait(&ring_, 1);
    io_uring_cqe* completion = nullptr;
    while (::io_uring_peek_cqe(&ring_, &completion) == 0) {
      (void)loop_->handle(*completion);
      ::io_uring_cqe_seen(&ring_, completion);
    }
  }

  io_uring ring_{};
  int status_;
  std::unique_ptr<bast::uring_adapter> loop_;
};

#endif

// ---- Timing.

/// Wall time, since a process is work of other cores too. The median of some runs of as many
/// processes at once as the benchmark's argument.
template <class Side>
void measure(benchmark::State& state, const task& what) {
  Side side;
  if constexpr (requires { side.works(); }) {
    if (!side.works()) {
      state.SkipWithError("io_uring is refused here");
      return;
    }
  }
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::size_t laps = count == 1 ? 30 : 1;
  for (auto _ : state) {
    bench::stopwatch watch(laps);
    for (std::size_t i = 0; i < laps; ++i) {
      watch.lap([&] { side.run(count, what); });
    }
    state.SetIterationTime(watch.median() / static_cast<double>(count));
  }
}

void both_counts(benchmark::internal::Benchmark* made) {
  made->Arg(1)->Arg(64)->UseManualTime()->Iterations(4);
}

template <class Side>
void life(benchmark::State& state) {
  measure<Side>(state, {.captures = false});
}
template <class Side>
void capture(benchmark::State& state) {
  measure<Side>(state, {.captures = true});
}

#define BAST_BENCH_SIDE(side)                                            \
  BENCHMARK(life<side##_side>)->Name(#side "_life")->Apply(both_counts); \
  BENCHMARK(capture<side##_side>)->Name(#side "_capture")->Apply(both_counts)

BAST_BENCH_SIDE(epoll);
BAST_BENCH_SIDE(coroutine);
#if BAST_BENCH_URING
BAST_BENCH_SIDE(uring);
#endif
BAST_BENCH_SIDE(libuv);
BAST_BENCH_SIDE(floor);

}  // namespace

int main(int count, char** words) { return bench::run_on_all_processors(count, words); }
