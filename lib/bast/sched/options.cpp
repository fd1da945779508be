// SPDX-License-Identifier: Apache-2.0
#include "bast/sched/options.hpp"

#include <cstring>

namespace bast::inline BAST_ABI::internal {
namespace {

constexpr std::size_t workers_max = 1024;
constexpr std::size_t stack_classes_max = 255;  // fiber_record::stack_class

auto wrong(static_string what, std::size_t value) noexcept {
  return fail(errc::invalid, "run", what, static_cast<std::int64_t>(value));
}

template <class Named>
result<void> check_names(std::span<const Named> all, static_string nameless,
                         static_string twice) noexcept {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].name == nullptr || *all[i].name == '\0') return wrong(nameless, i);
    for (std::size_t before = 0; before < i; ++before) {
      if (std::strcmp(all[before].name, all[i].name) == 0) return wrong(twice, i);
    }
  }
  return {};
}

}  // namespace

result<void> check_options(const run_options& options) noexcept {
  if (options.workers > workers_max) {
    return wrong("run_options::workers is more than 1024", options.workers);
  }
  if (auto named = check_names(options.pools, "run_options::pools: a pool has no name",
                               "run_options::pools: two pools have one name");
      !named) {
    return named;
  }
  for (const pool_options& pool : options.pools) {
    if (pool.workers == 0 || pool.workers > workers_max) {
      return wrong("pool_options::workers is not from 1 to 1024", pool.workers);
    }
  }
  if (options.stacks_max == 0) {
    return fail(errc::invalid, "run", "run_options::stacks_max must be at least 1");
  }
  if (options.stack_classes.size() > stack_classes_max) {
    return wrong("run_options::stack_classes has more than 255", options.stack_classes.size());
  }
  for (std::size_t i = 0; i < options.stack_classes.size(); ++i) {
    if (options.stack_classes[i].stacks_max == 0) {
      return wrong("stack_class_options::stacks_max must be at least 1", i);
    }
  }
  return check_names(options.stack_classes, "run_options::stack_classes: a class has no name",
                     "run_options::stack_classes: two classes have one name");
}

}  // namespace bast::inline BAST_ABI::internal
