// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <ranges>

#include "model/clean_text.hpp"
#include "model/parse.hpp"
#include "model/recording.hpp"
#include "read/fail.hpp"
#include "read/open.hpp"
#include "read/open_core.hpp"

namespace bast_stacks {
namespace {

constexpr std::uint64_t recording_bytes_max = std::uint64_t{1} << 30;

std::expected<snapshot, problem> open_recording(const source& file, const std::string& name) {
  if (file.size() > recording_bytes_max)
    return fail(fmt::format("{} has {} bytes: too many for a recording", name, file.size()));
  std::string text(file.size(), '\0');
  text.resize(file.read_at(0, std::as_writable_bytes(std::span(text))));
  return from_json(text, name);
}

/// The program that unpacks a file that begins so: systemd compresses cores.
const char* unpacker_of(std::array<char, 4> start) {
  const auto is = [&](std::initializer_list<unsigned char> magic) {
    return std::ranges::equal(magic, start | std::views::take(magic.size()), {}, {},
                              [](char c) { return static_cast<unsigned char>(c); });
  };
  if (is({0x28, 0xb5, 0x2f, 0xfd})) return "zstd --decompress --keep";
  if (is({0xfd, '7', 'z', 'X'})) return "xz --decompress --keep";
  if (is({0x04, 0x22, 0x4d, 0x18})) return "lz4 --decompress --keep";
  if (is({0x1f, 0x8b})) return "gzip --decompress --keep";
  return nullptr;
}

}  // namespace

std::expected<snapshot, problem> open_any(std::string_view what, const open_options& options) {
  if (!what.empty() && std::ranges::all_of(what, [](char c) { return '0' <= c && c <= '9'; })) {
    const auto pid = number_in<pid_t>(what);
    if (!pid) return fail(fmt::format("there is no process {}", what));
    return open_process(*pid, options);
  }
  const std::string name = clean_text(what);
  auto file = file_source::open(std::string(what));
  if (!file) return std::unexpected(file.error());
  std::array<char, 4> start{};
  (void)(*file)->read_at(0, std::as_writable_bytes(std::span(start)));
  constexpr std::array<char, 4> elf_magic = {0x7f, 0x45, 0x4c, 0x46};  // "\x7fELF"
  if (start == elf_magic) return open_core_source(std::move(*file), name, options);
  if (start[0] == '{') return open_recording(**file, name);
  if (const char* const unpack = unpacker_of(start); unpack != nullptr) {
    return std::unexpected(problem{.what = fmt::format("{} is compressed", name),
                                   .remedy = fmt::format("{} {}", unpack, name)});
  }
  return fail(fmt::format("{} is neither a core file nor a recording", name));
}

}  // namespace bast_stacks
