// SPDX-License-Identifier: Apache-2.0
//
// The coroutines of the demo, and the round of active ones. One thread runs them all:
//
//   walk directory --entries--> the round --paths--> read file --text--> match <pattern> (one each)
//                                   '<-----------------finds---------------------'
//                                   '--finds--> collect finds --summary--> the report
//
// A walker yields its entries, a reader suspends between chunks, a matcher yields each find and
// suspends after each 16 KiB of text without one. Each has its own stack, with the same limit; its
// memory depends on its depth.
#pragma once

#include <bast/coro.hpp>
#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "memory.hpp"
#include "pattern.hpp"
#include "routines.hpp"

namespace demo {

/// Number of directories open at one time: each takes a descriptor.
inline constexpr std::size_t directories_at_once = 64;
/// Number of files searched at one time. Each has up to one coroutine per pattern.
inline constexpr std::size_t files_at_once = 600;

/// Counters of the round itself.
struct counters {
  std::size_t directories = 0;
  std::size_t files = 0;
  std::size_t bytes_read = 0;
  std::size_t links = 0;
  std::size_t others = 0;  // devices, sockets, pipes
  std::size_t binaries = 0;
  std::size_t coroutines = 0;
  std::size_t resumes = 0;
  std::vector<std::size_t> files_with_finds;  // by pattern
  std::vector<std::string> problems;          // "path: why"
};

class crew {
 public:
  crew(bast::coro_pool& pool, const std::vector<pattern>& patterns)
      : pool_(pool), patterns_(patterns) {
    counters_.files_with_finds.resize(patterns.size());
  }

  /// Walks `directory` and searches every file below it. Throws std::runtime_error if the pool has
  /// no stack.
  summary run(const std::string& directory);

  const counters& numbers() const { return counters_; }
  const memory_meter& memory() const { return meter_; }

 private:
  using walker = bast::coro<entry>;
  using reader = bast::coro<void, void, read_result>;
  struct matcher : bast::coro<find, void, std::size_t> {
    std::size_t pattern = 0;
  };
  using collector = bast::coro<void, find, summary>;

  void start_walker(std::string directory);
  void start_reader(std::string path);
  void start_matcher(shared_text file, std::size_t pattern);
  collector start_collector();

  void admit();
  template <class Job, class Step>
  void settle(Job& job, Step step);
  void take(entry e);
  void take(const find& f);
  void finish(walker& w);
  void finish(reader& r);
  void finish(matcher& m);

  bast::coro_pool& pool_;
  const std::vector<pattern>& patterns_;
  counters counters_;
  memory_meter meter_;
  std::size_t walkers_ = 0;
  std::size_t files_in_work_ = 0;
  std::deque<std::string> directories_;  // waiting
  std::deque<std::string> files_;        // waiting
  collector collector_;
  std::deque<std::variant<walker, reader, matcher>> round_;  // last: destructors use the rest
};

}  // namespace demo
