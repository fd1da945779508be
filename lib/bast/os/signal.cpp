// SPDX-License-Identifier: Apache-2.0
#include "bast/os/signal.hpp"

#include <execinfo.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

#include "bast/os/fault_injection.hpp"
#include "bast/os/keep_loaded.hpp"

namespace bast::inline BAST_ABI::os {
namespace {

using internal::system_call;

constinit std::mutex install_lock;
constinit std::atomic<fault_filter> filter_in_force{nullptr};
// Written under install_lock before our handler is installed, constant afterwards.
constinit struct sigaction previous_action{};
constinit std::atomic<bool> previous_is_spent{false};  // SA_RESETHAND: valid for one signal only

int set_action(const struct sigaction* action, struct sigaction* before) noexcept {
  return system_call(call::sigaction, -1, [=] { return ::sigaction(SIGSEGV, action, before); });
}

/// As if this library were absent: restores the default action. A genuine fault recurs when the
/// handler returns and kills the process at the faulting instruction, with its core file. Other
/// signals are raised once more and kill at the interrupted instruction: a signal that a process
/// sent, and the kernel's report (SI_KERNEL) that another signal's frame does not fit.
void fall_to_default(const siginfo_t* info) noexcept {
  struct sigaction fallback{};
  fallback.sa_handler = SIG_DFL;
  (void)::sigaction(SIGSEGV, &fallback, nullptr);
  // si_code <= 0 is "sent by a process" (SI_USER, SI_TKILL, SI_QUEUE).
  if (info->si_code <= 0 || info->si_code == SI_KERNEL) (void)::raise(SIGSEGV);
}

void forward(int signal_number, siginfo_t* info, void* context) noexcept {
  if (BAST_MUTANT(chain_to_wrong_handler)) return fall_to_default(info);
  const struct sigaction& before = previous_action;
  const bool is_function = before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN;
  if (is_function) {
    // A one-shot crash reporter returns and expects the repeated fault to kill.
    const bool once = (before.sa_flags & static_cast<int>(SA_RESETHAND)) != 0;
    if (once && previous_is_spent.exchange(true)) return fall_to_default(info);
    // Applies its signal mask, too; the kernel restores the interrupted one when our handler
    // returns.
    sigset_t blocked = before.sa_mask;
    (void)::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    if ((before.sa_flags & SA_NODEFER) != 0) {
      sigemptyset(&blocked);
      sigaddset(&blocked, SIGSEGV);
      (void)::pthread_sigmask(SIG_UNBLOCK, &blocked, nullptr);
    }
  }
  if ((before.sa_flags & SA_SIGINFO) != 0 && is_function) {
    before.sa_sigaction(signal_number, info, context);
  } else if (before.sa_handler == SIG_IGN && info->si_code <= 0) {
    return;  // Sent by a process, and ignored. A genuine fault cannot be ignored.
  } else if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
    fall_to_default(info);
  } else {
    before.sa_handler(signal_number);
  }
}

void on_sigsegv(int signal_number, siginfo_t* info, void* context) {
  handle_fault(signal_number, info, context);
}

/// Marks a signal's context as passed on during its lifetime. Neither a thread-local nor a table: a
/// handler that leaves by siglongjmp cleans nothing up, and the next signal has a new frame.
class passed_on {
 public:
  explicit passed_on(void* context) noexcept
      : context_(static_cast<ucontext_t*>(context)),
        before_(context_ == nullptr ? nullptr : context_->uc_link) {
    if (context_ != nullptr) context_->uc_link = &mark;
  }
  ~passed_on() {
    if (context_ != nullptr) context_->uc_link = before_;
  }
  passed_on(const passed_on&) = delete;
  passed_on& operator=(const passed_on&) = delete;

  bool already() const noexcept { return before_ == &mark && !BAST_MUTANT(circle_not_noticed); }

 private:
  static inline constinit ucontext_t mark{};  // Only its address is used.
  ucontext_t* context_;
  ucontext_t* before_;
};

}  // namespace

bool cure_fault(siginfo_t* info, void* context) noexcept {
  const int saved_errno = errno;  // The interrupted code may be between a call and its errno.
  const fault_filter filter = filter_in_force.load(std::memory_order_relaxed);
  const bool cured = filter != nullptr && filter(info, context);
  errno = BAST_MUTANT(errno_clobbered) ? EDOM : saved_errno;
  return cured;
}

void handle_fault(int signal_number, siginfo_t* info, void* context) noexcept {
  if (cure_fault(info, context)) return;
  const int saved_errno = errno;
  const passed_on mark(context);
  if (mark.already()) {
    fall_to_default(info);
  } else {
    forward(signal_number, info, context);
  }
  errno = saved_errno;
}

result<void> install_fault_filter(fault_filter filter) noexcept {
  if (filter_in_force.load() != nullptr) return {};
  // Before install_lock: both take the dynamic linker's lock, and a constructor that holds that
  // lock may call this function. The first backtrace() loads the unwinder with malloc and dlopen;
  // later ones are async-signal-safe.
  keep_loaded();
  void* frame = nullptr;
  (void)::backtrace(&frame, 1);
  const std::lock_guard guard(install_lock);
  if (filter_in_force.load() != nullptr) return {};

  // SA_ONSTACK: the stack that faulted has no room. No SA_NODEFER: a fault inside the handler is
  // our bug and must kill at once instead of recursing. SA_RESTART does not matter: faults are
  // synchronous.
  struct sigaction ours{};
  ours.sa_sigaction = on_sigsegv;
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  // Read before the exchange, not by it: a fault in another thread may arrive at once.
  if (::sigaction(SIGSEGV, nullptr, &previous_action) != 0 || set_action(&ours, nullptr) != 0) {
    return std::unexpected<error>(
        error::from_errno(errno, "os.install_fault_filter", "sigaction(SIGSEGV) refused"));
  }
  struct sigaction now{};
  if (::sigaction(SIGSEGV, nullptr, &now) != 0 || now.sa_sigaction != on_sigsegv) {
    return fail(errc::unsupported, "os.install_fault_filter",
                "the SIGSEGV handler was swallowed; a sanitizer runs with handle_segv=2 or "
                "allow_user_segv_handler=0");
  }
  // Pairs only with the signal itself, which runs on a thread that saw this store, or finds no
  // filter and forwards. Release would suffice; seq_cst for simplicity.
  filter_in_force.store(filter);
  return {};
}

void write_backtrace() noexcept {
  constexpr int frames_max = 48;
  void* frames[frames_max];
  const int count = ::backtrace(frames, frames_max);
  ::backtrace_symbols_fd(frames, count, STDERR_FILENO);
}

}  // namespace bast::inline BAST_ABI::os
