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

constexpr std::uint64_t shared_maps_max = 16 << 20;

std::string text_behind_registry(const source& file, std::uint64_t registry_bytes) {
  const std::uint64_t size = file.size();
  if (size <= registry_bytes) return {};
  std::string text(std::min(size - registry_bytes, shared_maps_max), '\0');
  text.resize(file.read_at(registry_bytes, std::as_writable_bytes(std::span(text))));
  return text;
}

}  // namespace

bool holds_registry(const source& file) {
  std::uint64_t magic = 0;
  return file.read_record(0, magic) && magic == bast::watch::magic;
}

std::expected<snapshot, problem> open_shared_registry(std::shared_ptr<const source> file,
                                                      std::string_view name) {
  bast::watch::header header{};
  if (!holds_registry(*file) || !file->read_record(0, header)) {
    return std::unexpected(problem{.what = fmt::format("{} made no pool of bast", name),
                                   .remedy = "build it with bast, and let it start a coroutine"});
  }
  const auto mappings = parse_maps(text_behind_registry(*file, header.bytes));
  const std::uint64_t bytes = std::min(file->size(), header.bytes);
  file_memory target(std::move(file), {{.address = header.self, .bytes = bytes, .offset = 0}});
  snapshot seen;
  seen.from = source_kind::shared_registry;
  seen.what = clean_text(name);
  const collect_options how{.live_stacks = false, .registry_only = true};
  if (auto good = collect(target, {header.self}, how, seen); !good)
    return std::unexpected(good.error());
  seen.modules = find_modules(mappings, target, {}, {}).modules;
  return seen;
}

}  // namespace bast_stacks
