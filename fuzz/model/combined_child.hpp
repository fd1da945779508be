// SPDX-License-Identifier: Apache-2.0
//
// The laws P-11 .. P-16 for one process of a `combined` program: its actions, who ended it, how,
// and its output. Only `settle` changes state spontaneously.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "model/combined_language.hpp"

namespace bast::model {

/// In one line, complete: "exited 0 by exited, output 12+0 none, errors 0+0 none".
std::string describe(process_ending by, const exit_status& status,
                     const std::array<std::string, 2>& streams);
/// "12+3 limit": bytes kept, bytes discarded, and why.
std::string describe_stream(std::uint64_t kept, std::uint64_t discarded, truncation why);
/// Stands for a stream without memory.
inline const std::string stream_lacked = "lacked";

class combined_child {
 public:
  combined_child(const combined_order& asked, std::size_t owner, std::int64_t now);

  // The child's actions.
  void write(std::size_t stream, std::uint64_t count);
  void exit(int status, bool by_signal, bool stolen);
  void hold() { grandchild_ |= !exited_; }
  void let_go() { grandchild_ = false; }
  void become_stubborn() { stubborn_ = true; }
  /// There was no memory for what it wrote.
  void lack(std::size_t stream) { lacks_[stream] = true; }
  /// The same for the end of a stream; decided when it has ended.
  void lack_at_the_end(std::array<bool, 2> which);

  /// Requests its end, at the driver's next look.
  void ask(process_ending why) {
    if (asked_ == process_ending::exited) asked_ = why;
  }
  /// Performs the driver's work at that time. True if the end was reported just now.
  bool settle(std::int64_t now);

  std::size_t owner() const { return owner_; }
  bool exited() const { return exited_; }
  bool gone() const { return gone_; }
  bool ended() const { return ended_; }
  bool reaped() const { return gone_ && !stolen_; }
  bool has_grandchild() const { return grandchild_; }
  bool captures(std::size_t stream) const { return stream == 0 || errors_; }
  unsigned signals() const { return signals_; }
  const exit_status& status() const { return status_; }
  /// Our open descriptors for it.
  std::size_t descriptors() const;
  std::string result() const;

 private:
  bool exceeded() const;
  std::uint64_t discarded(std::size_t stream) const;
  bool keeps_leader(std::int64_t now);
  void die(int signal);
  void terminate(std::int64_t now);
  void kill();

  process_start start_;
  bool errors_;
  std::size_t owner_;
  std::int64_t timeout_at_;
  std::int64_t grace_at_ = bast::internal::never_ns;
  std::int64_t drain_at_ = bast::internal::never_ns;
  std::int64_t looked_at_ = -1;  // for members of its group
  std::array<std::uint64_t, 2> written_{};
  std::array<bool, 2> lacks_{};
  process_ending asked_ = process_ending::exited;
  process_ending ended_by_ = process_ending::exited;
  exit_status status_{};
  unsigned signals_ = 0;
  bool terminating_ = false;
  bool killed_ = false;
  bool stubborn_ = false;
  bool grandchild_ = false;
  bool exited_ = false;
  bool stolen_ = false;
  bool gone_ = false;
  bool drained_ = false;  // its streams were abandoned
  bool ended_ = false;
};

}  // namespace bast::model
