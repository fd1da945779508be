// SPDX-License-Identifier: Apache-2.0
#include "read/process_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bast_stacks {
namespace {

constexpr std::size_t vectors_max = 1024;  // IOV_MAX of Linux

}  // namespace

process_memory::process_memory(pid_t pid)
    : pid_(pid),
      pagemap_(::open(fmt::format("/proc/{}/pagemap", pid).c_str(), O_RDONLY | O_CLOEXEC)) {}

int process_memory::try_read(std::uint64_t address) {
  std::byte into{};
  const iovec ours{.iov_base = &into, .iov_len = 1};
  const iovec theirs{.iov_base = reinterpret_cast<void*>(address), .iov_len = 1};
  return ::process_vm_readv(pid_, &ours, 1, &theirs, 1, 0) == 1 ? 0 : errno;
}

void process_memory::read_pieces(std::span<piece> pieces) {
  while (!pieces.empty() && !broken()) {
    const std::size_t count = std::min(pieces.size(), vectors_max);
    read_batch(pieces.first(count));
    pieces = pieces.subspan(count);
  }
}

/// The kernel stops at the first absent piece, and within a piece at the first absent page. The
/// piece where it stopped is absent; the rest is retried.
void process_memory::read_batch(std::span<piece> pieces) {
  iovec ours[vectors_max];
  iovec theirs[vectors_max];
  while (!pieces.empty()) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      ours[i] = {.iov_base = pieces[i].into.data(), .iov_len = pieces[i].into.size()};
      theirs[i] = {.iov_base = reinterpret_cast<void*>(pieces[i].address),
                   .iov_len = pieces[i].into.size()};
    }
    const ssize_t result = ::process_vm_readv(pid_, ours, pieces.size(), theirs, pieces.size(), 0);
    if (result < 0 && errno == ESRCH) {
      return set_broken(
          {.what = fmt::format("process {} ended while it was read", pid_), .remedy = {}});
    }
    if (result < 0 && errno != EFAULT && errno != EINVAL) {
      return set_broken({.what = fmt::format("cannot read the memory of process {} any more: {}",
                                             pid_, std::strerror(errno)),
                         .remedy = {}});
    }
    auto left = static_cast<std::size_t>(std::max<ssize_t>(result, 0));
    std::size_t next = 0;
    while (next < pieces.size() && pieces[next].into.size() <= left) {
      left -= pieces[next].into.size();
      pieces[next++].present = true;
    }
    pieces = pieces.subspan(std::min(next + 1, pieces.size()));
  }
}

bool process_memory::residency(extent where, std::vector<resident_extent>& found) {
  return pagemap_ && scan_pagemap(pagemap_.get(), where, found);
}

}  // namespace bast_stacks
