// SPDX-License-Identifier: Apache-2.0
#include "read/shared_registry.hpp"

#include <fmt/format.h>

#include "bast/watch/abi.hpp"
#include "read/collect.hpp"

namespace bast_stacks {

bool holds_registry(const source& file) {
  std::uint64_t magic = 0;
  return file.read_all_at(0, std::as_writable_bytes(std::span(&magic, 1))) &&
         magic == bast::watch::magic;
}

std::expected<snapshot, problem> open_shared_registry(std::shared_ptr<const source> file,
                                                      std::string_view name) {
  bast::watch::header header{};
  if (!holds_registry(*file) ||
      !file->read_all_at(0, std::as_writable_bytes(std::span(&header, 1)))) {
    return std::unexpected(problem{.what = fmt::format("{} made no pool of bast", name),
                                   .remedy = "build it with bast, and let it start a coroutine"});
  }
  const std::uint64_t bytes = file->size();
  file_memory target(std::move(file), {{.address = header.self, .bytes = bytes, .offset = 0}});
  snapshot seen;
  seen.from = source_kind::shared_registry;
  seen.what = name;
  const collect_options how{.live_stacks = false, .registry_only = true};
  if (auto good = collect(target, {header.self}, how, seen); !good)
    return std::unexpected(good.error());
  return seen;
}

}  // namespace bast_stacks
