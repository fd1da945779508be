// SPDX-License-Identifier: Apache-2.0
//
// A stack that grows. Each coroutine starts with 32 KiB that cost nothing until they are touched. A
// deeper recursion gets more, up to the limit of its pool; one that checks first never exceeds the
// limit. Afterwards the pool knows how deep the stacks of each spawn site went.

#include <bast/coro.hpp>
#include <cstdio>
#include <optional>
#include <string>

using namespace bast::literals;

namespace {

/// The depth of the brackets at `at`, which it advances; nothing if the stack would not suffice.
std::optional<int> depth_of(const char*& at) {
  if (*at != '(') return 0;
  if (bast::this_coro::stack_left() < 16_KiB) return std::nullopt;
  const std::optional<int> inside = depth_of(++at);
  if (*at == ')') ++at;
  if (!inside) return std::nullopt;
  return *inside + 1;
}

void parse(bast::coro_pool& pool, bast::static_string label, std::size_t depth) {
  const std::string text = std::string(depth, '(') + std::string(depth, ')');
  auto parser = pool.make(label, [at = text.c_str()]() mutable { return depth_of(at); });
  if (!parser) {
    std::printf("%s: %s\n", label.c_str(), parser.error().message().c_str());
    return;
  }
  (void)parser->resume();  // runs to its end: it never yields
  const std::optional<int> found = parser->returned().value();
  std::printf("%s: %s\n", label.c_str(),
              found ? std::to_string(*found).c_str() : "nested too deeply");
}

}  // namespace

int main() {
  bast::coro_pool_options options;
  options.stack.limit = 1_MiB;
  auto pool = bast::coro_pool::create(options).value();
  parse(pool, "a few brackets", 10);
  parse(pool, "many brackets", 5'000);
  parse(pool, "too many brackets", 1'000'000);

  pool.for_each_site([](const bast::site_stats& site) {
    bast::text line;
    site.key.describe(line);
    line << " used ";
    line.size(site.max.count) << " of stack and grew " << site.grows << " times";
    std::printf("%s\n", line.c_str());
  });
}
