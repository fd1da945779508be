// SPDX-License-Identifier: Apache-2.0
#include "inspector/targets.hpp"

#include <cstdlib>
#include <memory>
#include <string_view>

#include "inspector/require.hpp"
#include "read/collect.hpp"
#include "read/memory_image.hpp"
#include "read/modules.hpp"
#include "read/open_core.hpp"

namespace bast_stacks {
namespace {

/// What every reporter relies on, for any input.
void check(const snapshot& seen) {
  for (const live_stack& stack : seen.stacks) {
    require(stack.site < seen.sites.size());
    require(stack.low <= stack.open_low && stack.open_low <= stack.top);
    require(!stack.scanned || stack.depth <= stack.depth_at_most);
    require(stack.depth <= stack.top - stack.low);
    require(stack.depth_at_most <= stack.top - stack.open_low);
  }
  for (const site& each : seen.sites) {
    require(!each.where.empty());
    std::uint32_t next = 0;
    for (const bucket& part : each.histogram) {
      require(part.index >= next && part.index < bast::watch::bucket_count && part.count != 0);
      next = part.index + 1;
    }
    require(each.raw.count <= bast::watch::return_count && each.raw.first <= each.raw.count);
  }
}

std::shared_ptr<const source> source_of(const std::uint8_t* data, std::size_t size) {
  return std::make_shared<buffer_source>(std::as_bytes(std::span(data, size)));
}

}  // namespace

int fuzz_registry(const std::uint8_t* data, std::size_t size) {
  auto received = open_memory_image(source_of(data, size));
  if (!received) {
    require(!received.error().what.empty());
    return 0;
  }
  found_modules found;
  found.anchors = {received->anchor};
  const auto registries = find_registries(found, *received->memory, "the fuzzer");
  if (!registries) return 0;
  snapshot seen;
  const collect_options how{.live_stacks = true, .now_ns = 1, .boot_ns = 1};
  if (collect(*received->memory, *registries, how, seen)) check(seen);
  return 0;
}

int fuzz_core(const std::uint8_t* data, std::size_t size) {
  const auto seen = open_core_source(source_of(data, size), "the fuzzer's core", {});
  if (seen) {
    check(*seen);
  } else {
    require(!seen.error().what.empty());
  }
  return 0;
}

}  // namespace bast_stacks
