// SPDX-License-Identifier: Apache-2.0
#include "bast/watch/listen.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

#include "bast/os.hpp"
#include "bast/watch/capsule.hpp"
#include "bast/watch/registry.hpp"

namespace bast::watch {

struct listener::state {
  text path;
  os::descriptor listening;
  os::descriptor stop;  // an event
  os::descriptor poller;
  pthread_t thread{};
  pid_t process = ::getpid();
};

namespace {

/// The directory where `bast-stacks` looks, made if it is missing.
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

/// Nobody waits for what goes wrong here: the visitor sees a connection that ends.
void serve_visitor(int listening) noexcept {
  const auto visitor = os::accept_from(listening);
  if (!visitor) return;
  const auto who = os::peer_of(visitor->get());
  if (!who || (who->user != 0 && who->user != ::geteuid())) return;
  os::allow_tracer(who->pid);
  const auto file = make_capsule();
  if (!file) return;
  constexpr std::string_view greeting = "BASTWTCH";
  (void)os::send_descriptor(visitor->get(), std::as_bytes(std::span(greeting)), file->get());
}

}  // namespace

void* listener::serve(void* running) noexcept {
  const auto& self = *static_cast<state*>(running);
  for (;;) {
    constexpr std::uint64_t stop_told = 1;
    if (!os::watch_once(self.poller.get(), self.stop.get(), stop_told)) return nullptr;
    if (!os::watch_once(self.poller.get(), self.listening.get(), 0)) return nullptr;
    epoll_event events[2];
    const auto count = os::wait_events(self.poller.get(), events, INT64_MAX);
    if (!count) return nullptr;
    for (std::size_t i = 0; i < *count; ++i) {
      if (events[i].data.u64 == stop_told) return nullptr;
      serve_visitor(self.listening.get());
    }
  }
}

result<listener> listener::start(const char* path) noexcept {
  if (auto opened = open_registry(); !opened) return std::unexpected(opened.error());
  auto* const made = os::make<state>();
  if (made == nullptr) return fail(errc::no_memory, "watch.listener", "no memory");
  listener self(made);  // Gives everything back on the way out.
  if (path != nullptr) {
    made->path << path;
  } else if (auto found = find_place(made->path); !found) {
    return std::unexpected(found.error());
  }
  auto stop = os::make_event();
  if (!stop) return std::unexpected(stop.error());
  auto poller = os::make_poller();
  if (!poller) return std::unexpected(poller.error());
  auto listening = os::listen_at(made->path.c_str());
  if (!listening) return std::unexpected(listening.error());
  made->stop = std::move(*stop);
  made->poller = std::move(*poller);
  made->listening = std::move(*listening);
  const os::signals_blocked none;  // The thread inherits it: signals are for the program's own.
  const int refused = ::pthread_create(&made->thread, nullptr, serve, made);
  if (refused != 0) {
    os::remove_socket(made->path.c_str());
    made->listening.reset();
    return std::unexpected(error::from_errno(refused, "watch.listener", "pthread_create refused"));
  }
  return self;
}

void listener::stop() noexcept {
  if (state_ == nullptr) return;
  // A forked child has neither the thread nor a claim to the file.
  if (state_->listening && state_->process == ::getpid()) {
    // An eventfd that is not readable takes a 1.
    BAST_CHECK(os::set_event(state_->stop.get()).has_value(), "the listener's thread can be told");
    ::pthread_join(state_->thread, nullptr);
    os::remove_socket(state_->path.c_str());
  }
  os::destroy(std::exchange(state_, nullptr));
}

const char* listener::path() const noexcept { return state_->path.c_str(); }

}  // namespace bast::watch
