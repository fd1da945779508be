// SPDX-License-Identifier: Apache-2.0
#include "read/fault_events.hpp"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <set>
#include <string>

namespace bast_stacks {
namespace {

// In pages of a ring: the preferred size, and the least useful one. The kernel allows every user
// 129 pages of 4 KiB per CPU (kernel.perf_event_mlock_kb), and more if memory may be locked.
constexpr std::size_t ring_pages_most = 512;
constexpr std::size_t ring_pages_least = 16;
// Gives up on a program that starts threads as fast as we find them.
constexpr int passes_max = 16;

perf_event_attr attributes(const sampled_registers& registers, bool with_kernel) {
  perf_event_attr asked{};
  asked.size = sizeof asked;
  asked.type = PERF_TYPE_SOFTWARE;
  asked.config = PERF_COUNT_SW_PAGE_FAULTS_MIN;
  asked.sample_period = 1;
  asked.sample_type = fault_sample_fields;
  asked.sample_regs_user = registers.bits;
  asked.sample_stack_user = fault_stack_bytes;
  asked.exclude_kernel = with_kernel ? 0 : 1;
  asked.exclude_hv = 1;
  asked.inherit = 1;
  asked.inherit_thread = 1;
  // No wakeup_events: waking us for every fault would cost the process more than its faults, since
  // it loses its CPU to us each time. The default wakes us when half of a ring is full.
  return asked;
}

/// The threads of a process. Errors: errno; ESRCH if it has ended.
std::expected<std::vector<pid_t>, int> threads_of(pid_t pid) {
  std::vector<pid_t> found;
  std::error_code failure;
  std::filesystem::directory_iterator each(fmt::format("/proc/{}/task", pid), failure);
  for (; !failure && each != std::filesystem::directory_iterator(); each.increment(failure)) {
    const std::string name = each->path().filename();
    pid_t thread = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), thread);
    if (error == std::errc{} && *end == '\0') found.push_back(thread);
  }
  if (failure && failure != std::errc::no_such_file_or_directory)
    return std::unexpected(failure.value());
  if (found.empty()) return std::unexpected(ESRCH);
  return found;
}

perf_event_mmap_page& control_of(std::byte* pages) {
  return *reinterpret_cast<perf_event_mmap_page*>(pages);
}

}  // namespace

void fault_events::unmap::operator()(std::byte* at) const noexcept { ::munmap(at, bytes); }

std::expected<fault_events, problem> fault_events::open(pid_t pid, std::uint16_t machine) {
  const auto* const registers =
      std::ranges::find(sampled_registers_of, machine, &sampled_registers::machine);
  if (registers == std::ranges::end(sampled_registers_of)) {
    return std::unexpected(problem{
        .what = fmt::format("process {} runs on a CPU (ELF machine {}) whose registers this "
                            "program does not know",
                            pid, machine),
        .remedy = {}});
  }
  fault_events made(pid, *registers);
  std::set<pid_t> watched;
  for (int pass = 0; pass < passes_max; ++pass) {
    const std::size_t before = watched.size();
    const auto threads = threads_of(pid);
    if (!threads) return std::unexpected(made.refused(threads.error(), perf_step::list));
    for (const pid_t thread : *threads) {
      if (!watched.insert(thread).second) continue;
      if (auto good = made.watch(thread); !good) return std::unexpected(good.error());
    }
    // New threads were started by a thread that we had not reached yet, or by one that we watch. In
    // the second case their faults are reported twice, which is harmless.
    if (watched.size() == before) break;
  }
  if (made.rings_.empty()) return std::unexpected(made.refused(ESRCH, perf_step::open));
  return made;
}

problem fault_events::refused(int error, perf_step step) const {
  return explain({.pid = pid_,
                  .error = error,
                  .step = step,
                  .paranoid = perf_paranoid(),
                  .descriptors = opened_});
}

int fault_events::open_event(pid_t thread, int cpu) {
  for (;;) {
    perf_event_attr asked = attributes(*registers_, sees_kernel_);
    const long fd = ::syscall(SYS_perf_event_open, &asked, thread, cpu, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd >= 0 || (errno != EACCES && errno != EPERM) || !sees_kernel_ || opened_ != 0)
      return static_cast<int>(fd);
    sees_kernel_ = false;
  }
}

std::expected<void, problem> fault_events::watch(pid_t thread) {
  const auto cpus = static_cast<int>(::sysconf(_SC_NPROCESSORS_CONF));
  for (int cpu = 0; cpu < cpus; ++cpu) {
    if (auto good = watch(thread, cpu); !good) return good;
  }
  return {};
}

std::expected<void, problem> fault_events::watch(pid_t thread, int cpu) {
  descriptor event(open_event(thread, cpu));
  if (!event) {
    // The thread has ended, or the CPU is offline.
    if (errno == ESRCH || errno == ENODEV) return {};
    return std::unexpected(refused(errno, perf_step::open));
  }
  ++opened_;
  ring& into = rings_[cpu];
  const int fd = event.get();
  into.events.push_back(std::move(event));
  if (into.pages == nullptr) return map(into);
  if (::ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, into.events.front().get()) == 0) return {};
  return std::unexpected(refused(errno, perf_step::redirect));
}

std::expected<void, problem> fault_events::map(ring& into) {
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  for (std::size_t pages = ring_pages_most; pages >= ring_pages_least; pages /= 2) {
    const std::size_t bytes = (pages + 1) * page;
    // Writable, so that the kernel does not overwrite what we have not read.
    void* const at =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, into.events.front().get(), 0);
    if (at == MAP_FAILED) continue;
    into.pages = {static_cast<std::byte*>(at), {.bytes = bytes}};
    return {};
  }
  return std::unexpected(refused(errno, perf_step::map));
}

void fault_events::wait_on(std::vector<pollfd>& into) const {
  for (const auto& [cpu, each] : rings_) {
    if (each.awake < each.events.size())
      into.push_back({.fd = each.events[each.awake].get(), .events = POLLIN, .revents = 0});
  }
}

/// The event of an ended thread stays in POLLHUP; any other event of its ring wakes us as well.
void fault_events::heed(std::span<const pollfd> answered) {
  for (const pollfd& each : answered) {
    if ((each.revents & (POLLHUP | POLLERR)) == 0) continue;
    for (auto& [cpu, from] : rings_) {
      if (from.awake < from.events.size() && from.events[from.awake].get() == each.fd) ++from.awake;
    }
  }
}

std::expected<void, problem> fault_events::read(fault_records& into) {
  for (auto& [cpu, each] : rings_) {
    perf_event_mmap_page& control = control_of(each.pages.get());
    const std::atomic_ref head(control.data_head);
    const std::atomic_ref tail(control.data_tail);
    // pairs with the kernel's barrier between what it wrote and the counter.
    const std::uint64_t behind = head.load(std::memory_order_acquire);
    const ring_part part{.ring = {each.pages.get() + control.data_offset, control.data_size},
                         .tail = tail.load(std::memory_order_relaxed),
                         .head = behind};
    const auto parsed = parse_ring(part, *registers_, into);
    // pairs with the kernel's reading of it before it writes there again.
    tail.store(behind, std::memory_order_release);
    if (!parsed) return parsed;
  }
  return {};
}

}  // namespace bast_stacks
