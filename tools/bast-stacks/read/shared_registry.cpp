// SPDX-License-Identifier: Apache-2.0
#include "read/shared_registry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bast/watch/abi.hpp"
#include "model/clean_text.hpp"
#include "read/collect.hpp"
#include "read/modules.hpp"

namespace bast_stacks {

namespace {

constexpr std::uint64_t shared_maps_max = 1 << 20;  // the most that the library writes

std::string text_behind_registry(const source& file, std::uint64_t end) {
  const std::uint64_t size = file.size();
  if (size <= end) return {};
  // A child's text is followed by zeros, or the next registry: it ends at the first zero.
  std::string text(std::min(size - end, shared_maps_max), '\0');
  text.resize(file.read_at(end, std::as_writable_bytes(std::span(text))));
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

}  // namespace

bool holds_registry(const source& file, std::uint64_t offset) {
  std::uint64_t magic = 0;
  return file.read_record(offset, magic) && magic == bast::watch::magic;
}

std::expected<snapshot, problem> open_shared_registry(std::shared_ptr<const source> file,
                                                      std::string_view name, std::uint64_t offset) {
  bast::watch::header header{};
  if (!holds_registry(*file, offset) || !file->read_record(offset, header)) {
    return std::unexpected(problem{.what = fmt::format("{} made no pool of bast", name),
                                   .remedy = "build it with bast, and let it start a coroutine"});
  }
  const auto mappings = parse_maps(text_behind_registry(*file, offset + header.bytes));
  const std::uint64_t bytes = std::min(file->size() - offset, header.bytes);
  file_memory target(std::move(file), {{.address = header.self, .bytes = bytes, .offset = offset}});
  snapshot seen;
  seen.from = source_kind::shared_registry;
  seen.what = clean_text(name);
  const collect_options how{.live_stacks = false, .registry_only = true};
  if (auto good = collect(target, {header.self}, how, seen); !good)
    return std::unexpected(good.error());
  seen.modules = find_modules(mappings, target, {}, {}).modules;
  return seen;
}

std::vector<snapshot> open_further_registries(const std::shared_ptr<const source>& file) {
  using bast::watch::shared_stride;
  std::vector<snapshot> all;
  // With an owner but no magic: its process ended while creating it.
  bast::watch::header header{};
  for (std::uint64_t at = shared_stride; file->read_record(at, header) && header.pid != 0;
       at += shared_stride) {
    if (!holds_registry(*file, at)) continue;
    const std::string name = fmt::format("process {}", header.pid);
    auto seen = open_shared_registry(file, name, at);
    if (seen) {
      all.push_back(std::move(*seen));
    } else if (header.pools.used != 0) {
      all.emplace_back().not_seen.push_back(fmt::format("{}: {}.", name, seen.error().what));
    }
  }
  return all;
}

}  // namespace bast_stacks
