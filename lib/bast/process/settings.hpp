// SPDX-License-Identifier: Apache-2.0
//
// The settings of a command until it is started: plain data, written by `command`, read by `spawn`
// and by the supervisor of the process.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>

#include "bast/cancel.hpp"
#include "bast/process/list.hpp"
#include "bast/process/options.hpp"
#include "bast/process/spawn_child.hpp"

namespace bast::inline BAST_ABI::internal {

/// The source or destination of a standard stream of the child.
struct stream_settings {
  enum class kind : std::uint8_t {
    inherit,    // as ours; /dev/null if ours is closed
    null,       // /dev/null
    bytes,      // stdin: a file in memory that holds `contents`
    pipe,       // a pipe whose other end belongs to the caller
    capture,    // the same, read by the library
    fd,         // a descriptor that remains the caller's
    path,       // a file
    as_stdout,  // stderr: as stdout
  };
  kind to = kind::inherit;
  bool append = false;  // path
  int fd = -1;          // fd
  string_list path;
  list<std::byte> contents;
};

struct command_settings {
  string_list arguments;  // argv
  string_list argv0;      // at most one
  string_list directory;  // at most one

  /// In the order of calls: "NAME=VALUE" sets, "NAME" removes.
  string_list environment;
  bool inherit_environment = true;

  stream_settings streams[3];
  list<descriptor_move> passed;
  bool keep_foreign_fds = false;

  child_group group = child_group::own;
  int parent_death_signal = 0;  // 0: none
  std::optional<mode_t> umask;
  list<child_limit> limits;
  std::optional<uid_t> user;
  std::optional<gid_t> primary_group;
  list<gid_t> groups;
  bool has_groups = false;  // `groups` was called, perhaps with none

  process_policy policy;  // except own_group
  cancel_token token;
};

/// Who has our ends of the streams that lead to pipes.
enum class pipe_owner : std::uint8_t {
  none,    // no such stream is accepted
  caller,  // of command::start
  driver,  // which reads and writes for a child_process
};

struct command_access;

}  // namespace bast::inline BAST_ABI::internal
