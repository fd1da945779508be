// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/listen.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "bast/os.hpp"
#include "bast/watch/memory_image.hpp"
#include "bast/watch/registry.hpp"

namespace bast::watch {

struct listener::state {
  text path;
  os::descriptor listening;
  os::pipe_ends stop;  // signalled by closing the write end, which cannot fail
  os::descriptor poller;
  pthread_t thread{};
  bool started = false;
  os::fork_mark process = os::fork_mark::here();
};

namespace {

/// The directory that `bast-stacks` searches, created if it is missing.
result<void> find_place(text& path) noexcept {
  const char* const run_time = ::secure_getenv("XDG_RUNTIME_DIR");
  if (run_time != nullptr && *run_time == '/') {
    path << run_time << "/bast-stacks";
  } else {
    path << "/tmp/bast-stacks-" << static_cast<std::uint64_t>(::geteuid());
  }
  if (auto made = os::private_directory(path.c_str()); !made) return made;
  path << '/' << static_cast<std::uint64_t>(::getpid()) << ".sock";
  return {};
}

/// False if the connection could not be accepted. Later errors are not reported here: the visitor
/// sees the connection end.
bool serve_visitor(int listening) noexcept {
  const auto visitor = os::accept_from(listening);
  if (!visitor) return false;
  const auto who = os::peer_of(visitor->get());
  if (!who || (who->user != 0 && who->user != ::geteuid())) return true;
  os::allow_tracer(who->pid);
  const auto file = make_memory_image();
  if (!file) return true;
  constexpr std::string_view greeting = "BASTWTCH";
  (void)os::send_descriptor(visitor->get(), std::as_bytes(std::span(greeting)), file->get());
  return true;
}

enum class told : std::uint64_t { nothing, visitor, stop };

/// Waits for the next event until `deadline_ns`; for `stop` as well if that cannot be polled.
told wait_for(int poller, int stop, int listening, std::int64_t deadline_ns) noexcept {
  if (!os::watch_once(poller, stop, static_cast<std::uint64_t>(told::stop))) return told::stop;
  if (listening >= 0 &&
      !os::watch_once(poller, listening, static_cast<std::uint64_t>(told::visitor))) {
    return told::stop;
  }
  epoll_event events[2];
  const auto count = os::wait_events(poller, events, deadline_ns);
  if (!count) return told::stop;
  told what = told::nothing;
  for (std::size_t i = 0; i < *count; ++i) {
    what = std::max(what, static_cast<told>(events[i].data.u64));
  }
  return what;
}

}  // namespace

void* listener::serve(void* running) noexcept {
  auto& self = *static_cast<state*>(running);
  const auto wait = [&](int listening, std::int64_t deadline_ns) {
    return wait_for(self.poller.get(), self.stop.read_end.get(), listening, deadline_ns);
  };
  constexpr std::int64_t pause_ns = 100'000'000;
  told next = told::nothing;
  while (next != told::stop) {
    next = wait(self.listening.get(), INT64_MAX);
    if (next != told::visitor || serve_visitor(self.listening.get())) continue;
    // No descriptor is free: pause, and leave the visitor in the queue.
    next = wait(-1, os::monotonic_ns() + pause_ns);
  }
  self.listening.reset();  // Resets connections that are still queued.
  return nullptr;
}

result<listener> listener::create(const char* path) noexcept {
  if (auto opened = open_registry(); !opened) return std::unexpected(opened.error());
  auto* const made = os::make<state>();
  if (made == nullptr) return fail(errc::no_memory, "watch.listener", "no memory");
  listener self(made);  // Releases everything on return.
  if (path != nullptr) {
    made->path << path;
  } else if (auto found = find_place(made->path); !found) {
    return std::unexpected(found.error());
  }
  auto stop = os::make_pipe();
  if (!stop) return std::unexpected(stop.error());
  auto poller = os::make_poller();
  if (!poller) return std::unexpected(poller.error());
  auto listening = os::listen_at(made->path.c_str());
  if (!listening) return std::unexpected(listening.error());
  made->stop = std::move(*stop);
  made->poller = std::move(*poller);
  made->listening = std::move(*listening);
  os::keep_loaded();               // A plug-in may be closed without stopping the thread.
  const os::signals_blocked none;  // Inherited by the thread: signals go to the program's threads.
  const int refused = ::pthread_create(&made->thread, nullptr, serve, made);
  if (refused != 0) {
    os::remove_socket(made->path.c_str());
    return std::unexpected(error::from_errno(refused, "watch.listener", "pthread_create refused",
                                             error::no_value, errc::limit));
  }
  made->started = true;
  return self;
}

void listener::stop() noexcept {
  if (state_ == nullptr) return;
  // A forked child has no such thread and does not own the file.
  if (state_->started && !state_->process.is_forked()) {
    state_->stop.write_end.reset();
    ::pthread_join(state_->thread, nullptr);
    os::remove_socket(state_->path.c_str());
  }
  os::destroy(std::exchange(state_, nullptr));
}

const char* listener::path() const noexcept {
  return state_ == nullptr ? "" : state_->path.c_str();
}

}  // namespace bast::watch
