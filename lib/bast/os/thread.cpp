// SPDX-License-Identifier: Apache-2.0
#include "bast/os/thread.hpp"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <csignal>

#include "bast/os/failed.hpp"
#include "bast/os/fault_injection.hpp"

namespace bast::inline BAST_ABI::os {

result<thread> thread::start(function body, void* argument, thread_signals signals) noexcept {
  // The new thread inherits the mask. A blocked signal that an instruction raises kills the
  // process, without the handler of this library: sigprocmask(2).
  sigset_t blocked;
  sigset_t before;
  ::sigfillset(&blocked);
  for (const int raised : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    ::sigdelset(&blocked, raised);
  }
  const bool blocks = signals == thread_signals::none;
  if (blocks) (void)::pthread_sigmask(SIG_SETMASK, &blocked, &before);
  thread made;
  const int status = internal::system_call(call::thread, -1, [&] {
    errno = ::pthread_create(&made.id_, nullptr, body, argument);
    return errno == 0 ? 0 : -1;
  });
  const int refused = status == 0 ? 0 : errno;
  if (blocks) (void)::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (refused != 0) {
    return std::unexpected(error::from_errno(refused, "os.thread", "pthread_create refused",
                                             error::no_value, errc::limit));
  }
  made.joinable_ = true;
  return made;
}

void thread::lower(thread_class to) noexcept {
  const sched_param none{};
  (void)::pthread_setschedparam(::pthread_self(),
                                to == thread_class::batch ? SCHED_BATCH : SCHED_IDLE, &none);
}

void thread::yield() noexcept { ::sched_yield(); }

void thread::join() noexcept {
  BAST_CHECK(joinable_, "a thread is joined twice");
  joinable_ = false;
  const int refused = ::pthread_join(id_, nullptr);
  BAST_CHECK(refused == 0, "a thread is joined by itself");
}

}  // namespace bast::inline BAST_ABI::os
