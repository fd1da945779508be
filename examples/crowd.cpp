// SPDX-License-Identifier: Apache-2.0
//
// A hundred thousand coroutines at one time, each a session that parses requests by recursive
// descent, and a way to size their stacks: run it under the inspector, apply the recommendation,
// and run the same work again.
//
//   bast-stacks run -o crowd.json -- bast_crowd
//   bast-stacks recommend crowd.json
//   bast_crowd --limit 28                    # KiB
//
//   bast_crowd [--sessions N] [--limit KIB]

#include <bast/coro.hpp>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

/// A list such as (1 (2 3) (4 (5))), nested at random but never deeper than 40.
class request {
 public:
  explicit request(std::uint32_t seed) : random_(seed) { list(0); }
  const std::string& text() const { return text_; }

 private:
  void list(int depth) {
    text_ += '(';
    for (unsigned i = 0; i < 1 + random_() % 4; ++i) {
      if (depth < 40 && random_() % 3 == 0) {
        list(depth + 1);
      } else {
        text_ += std::to_string(random_() % 10);
      }
      text_ += ' ';
    }
    text_ += ')';
  }

  std::minstd_rand random_;
  std::string text_;
};

/// The sum of a list, with a buffer at each level, as parsers have.
int sum(const char*& at) {
  char word[128];
  int total = 0;
  for (++at; *at != ')'; ++at) {
    if (*at == '(') {
      total += sum(at);
    } else if (*at != ' ') {
      std::size_t length = 0;
      while (*at >= '0' && *at <= '9' && length + 1 < sizeof word) word[length++] = *at++;
      --at;
      int number = 0;
      std::from_chars(word, word + length, number);
      total += number;
    }
  }
  return total;
}

long session(std::uint32_t seed) {
  long total = 0;
  for (std::uint32_t i = 0; i < 3; ++i) {
    const request next(seed * 3 + i + 1);
    const char* at = next.text().c_str();
    total += sum(at);
    if (!bast::this_coro::yield()) break;
  }
  return total;
}

std::size_t number_of(const char* text) {
  std::size_t number = 0;
  const auto [end, wrong] = std::from_chars(text, text + std::strlen(text), number);
  return wrong == std::errc() && *end == '\0' ? number : 0;
}

}  // namespace

int main(int count, char** words) {
  std::size_t sessions = 100'000;
  std::size_t limit_kib = 192;
  for (int i = 1; i < count; i += 2) {
    const std::string option = words[i];
    std::size_t* const value = option == "--sessions" ? &sessions
                               : option == "--limit"  ? &limit_kib
                                                      : nullptr;
    if (value == nullptr || i + 1 == count || (*value = number_of(words[i + 1])) == 0) {
      std::fprintf(stderr, "usage: bast_crowd [--sessions N] [--limit KIB]\n");
      return 2;
    }
  }
  auto pool = bast::coro_pool::create(
      {.stack = {.limit = bast::bytes{limit_kib << 10}}, .max_coros = sessions});
  if (!pool) {
    std::fprintf(stderr, "bast_crowd: %s\n", pool.error().message().c_str());
    return 1;
  }

  std::vector<bast::coro<void, void, long>> crowd;
  crowd.reserve(sessions);
  for (std::uint32_t seed = 0; seed < sessions; ++seed) {
    crowd.push_back(pool->make("session", [seed] { return session(seed); }).value());
    (void)crowd.back().resume();
  }
  const auto stacks = pool->stats().stacks;
  long total = 0;
  for (auto& one : crowd) {
    while (one.resume().yielded()) {
    }
    total += one.returned().value();
  }
  std::printf("%zu sessions at one time, sum %ld\n", sessions, total);
  std::printf("address space of their stacks %.1f MiB, open %.1f MiB\n",
              static_cast<double>(stacks.reserved.count) / (1 << 20),
              static_cast<double>(stacks.open.count) / (1 << 20));
  return 0;
}
