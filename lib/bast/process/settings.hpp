// SPDX-License-Identifier: Apache-2.0
//
// What a command remembers until it is started: plain data, written by `command`, read by `spawn`
// and by whoever follows the process to its end.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <optional>

#include "bast/cancel.hpp"
#include "bast/process/list.hpp"
#include "bast/process/options.hpp"
#include "bast/process/spawn_child.hpp"

namespace bast::internal {

/// Where one of the three standard streams of a child leads.
struct stream_settings {
  enum class kind : std::uint8_t {
    inherit,    // where ours does; /dev/null if ours is closed
    null,       // /dev/null
    bytes,      // stdin: a file in memory that holds `contents`
    pipe,       // a pipe whose other end the caller gets
    capture,    // the same, and the library reads it
    fd,         // a descriptor of the caller, who keeps it
    path,       // a file
    as_stdout,  // stderr: whatever stdout is
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

  /// In the order of the calls: "NAME=VALUE" sets, "NAME" removes.
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
  bool has_groups = false;  // `groups` was set, perhaps to none

  process_policy policy;  // but for own_group
  cancel_token token;
};

struct command_access;

}  // namespace bast::internal
