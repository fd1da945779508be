// SPDX-License-Identifier: Apache-2.0
//
// The setters for the three standard streams.
#include <type_traits>
#include <variant>

#include "bast/process/command.hpp"

namespace bast::inline BAST_ABI {
namespace {

using stream_kind = internal::stream_settings::kind;

}  // namespace

void command::lead(int stream, stream_kind kind) noexcept {
  if (changeable()) settings_.streams[stream].to = kind;
}

void command::lead_fd(int stream, int fd) noexcept {
  if (!changeable()) return;
  if (fd < 0) return refuse(errc::invalid, "in, out, err: the descriptor is negative");
  settings_.streams[stream].fd = fd;
  lead(stream, stream_kind::fd);
}

void command::lead_path(int stream, std::string_view path, bool append) noexcept {
  if (!acceptable(path, "in, out, err: the path contains a NUL byte")) return;
  auto& settings = settings_.streams[stream];
  keep(settings.path.assign({path}));
  settings.append = append;
  lead(stream, stream_kind::path);
}

// A variant of trivially copyable types always has a value, so std::visit does not throw.
static_assert(std::is_trivially_copyable_v<input_source>);
static_assert(std::is_trivially_copyable_v<output_target>);

// NOLINTNEXTLINE(bugprone-exception-escape): see above
command& command::in(const input_source& source) noexcept {
  struct visitor {
    command& self;
    void operator()(from::null) const noexcept { self.lead(0, stream_kind::null); }
    void operator()(from::inherit) const noexcept { self.lead(0, stream_kind::inherit); }
    void operator()(from::pipe) const noexcept { self.lead(0, stream_kind::pipe); }
    void operator()(from::fd given) const noexcept { self.lead_fd(0, given.number); }
    void operator()(from::path given) const noexcept { self.lead_path(0, given.name, false); }
    void operator()(const from::bytes& given) const noexcept {
      if (!self.changeable()) return;
      auto& contents = self.settings_.streams[0].contents;
      contents.clear();
      self.keep(contents.add_all(given.contents));
      self.lead(0, stream_kind::bytes);
    }
  };
  std::visit(visitor{*this}, source);
  return *this;
}

// NOLINTNEXTLINE(bugprone-exception-escape): see above
command& command::lead_output(int stream, const output_target& target) noexcept {
  struct visitor {
    command& self;
    int stream;
    void operator()(to::null) const noexcept { self.lead(stream, stream_kind::null); }
    void operator()(to::inherit) const noexcept { self.lead(stream, stream_kind::inherit); }
    void operator()(to::pipe) const noexcept { self.lead(stream, stream_kind::pipe); }
    void operator()(to::fd given) const noexcept { self.lead_fd(stream, given.number); }
    void operator()(to::path given) const noexcept {
      self.lead_path(stream, given.name, given.append);
    }
    void operator()(to::capture given) const noexcept {
      process_policy& policy = self.settings_.policy;
      if (self.changeable()) (stream == 1 ? policy.output : policy.errors) = given;
      self.lead(stream, stream_kind::capture);
    }
    void operator()(to::out) const noexcept {
      if (stream == 2) return self.lead(stream, stream_kind::as_stdout);
      if (self.changeable()) self.refuse(errc::invalid, "out: it cannot lead to itself");
    }
  };
  std::visit(visitor{*this, stream}, target);
  return *this;
}

command& command::out(const output_target& target) noexcept { return lead_output(1, target); }
command& command::err(const output_target& target) noexcept { return lead_output(2, target); }

}  // namespace bast::inline BAST_ABI
