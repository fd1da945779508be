// SPDX-License-Identifier: Apache-2.0
#include "read/site_reader.hpp"

#include <time.h>

#include <algorithm>
#include <cstring>

#include "model/mutant.hpp"

namespace bast_stacks {
namespace {

using bast::watch::entry_state;
using bast::watch::site_entry;

constexpr std::uint32_t batch = 64;  // entries, a page each
constexpr int tries_max = 20;
// A writer needs a microsecond, if it runs. All retries of all sites together wait at most this
// often, so that a stopped target costs at most a tenth of a second.
constexpr int waits_max = 1000;
constexpr timespec pause{.tv_sec = 0, .tv_nsec = 50'000};

/// The two words that guard an entry.
struct sequences {
  std::uint32_t numbers = 0;
  std::uint32_t deepest = 0;
};

class site_table_reader {
 public:
  site_table_reader(memory& target, const registry& all) : target_(target), all_(all) {
    entries_.resize(batch);
    before_.resize(batch);
    after_.resize(batch);
  }

  template <class F>
  site_losses run(const F& f) {
    const std::uint32_t used = std::min(all_.header.sites.used, sites_max);
    losses_.unread += all_.header.sites.used - used;
    for (std::uint32_t first = 0; first < used && !target_.broken(); first += batch) {
      const std::uint32_t count = std::min(batch, used - first);
      copy(first, count);
      for (std::uint32_t i = 0; i < count; ++i) {
        settle(first, i);
        if (!present(i)) {
          ++losses_.unread;
          continue;
        }
        if (entries_[i].state != static_cast<std::uint32_t>(entry_state::free)) f(entries_[i]);
      }
    }
    return losses_;
  }

 private:
  bool present(std::uint32_t i) const { return pieces_[2 * batch + i].present; }

  /// Copies entries [first, first + count) to the front of entries_; before and after that, their
  /// guard words.
  void copy(std::uint32_t first, std::uint32_t count, std::uint32_t into = 0) {
    constexpr std::uint64_t deepest = offsetof(site_entry, deepest);
    const auto word = [](std::uint32_t& each) {
      return std::as_writable_bytes(std::span(&each, 1));
    };
    for (std::uint32_t i = into; i < into + count; ++i) {
      const std::uint64_t at = record_address(all_, all_.header.sites, first + (i - into));
      pieces_[i] = {.address = at, .into = word(before_[i].numbers)};
      pieces_[batch + i] = {.address = at + deepest, .into = word(before_[i].deepest)};
      pieces_[2 * batch + i] = {.address = at,
                                .into = std::as_writable_bytes(std::span(&entries_[i], 1))};
      pieces_[3 * batch + i] = {.address = at, .into = word(after_[i].numbers)};
      pieces_[4 * batch + i] = {.address = at + deepest, .into = word(after_[i].deepest)};
    }
    // Three reads in order: the words before, the entries, the words after.
    target_.read(std::span(pieces_).subspan(into, count));
    target_.read(std::span(pieces_).subspan(batch + into, count));
    target_.read(std::span(pieces_).subspan(2 * batch + into, count));
    target_.read(std::span(pieces_).subspan(3 * batch + into, count));
    target_.read(std::span(pieces_).subspan(4 * batch + into, count));
  }

  static bool whole(std::uint32_t before, std::uint32_t after) {
    return (before % 2 == 0 && before == after) || BAST_STACKS_MUTANT(torn_read_accepted);
  }
  bool numbers_whole(std::uint32_t i) const { return whole(before_[i].numbers, after_[i].numbers); }
  bool deepest_whole(std::uint32_t i) const { return whole(before_[i].deepest, after_[i].deepest); }

  /// Copies entry i of the batch until it was not written during the copy.
  void settle(std::uint32_t first, std::uint32_t i) {
    for (int tries = 0; tries < tries_max && waits_ < waits_max; ++tries) {
      if (!present(i) || target_.broken() || (numbers_whole(i) && deepest_whole(i))) break;
      ++waits_;
      ::nanosleep(&pause, nullptr);
      copy(first + i, 1, i);
    }
    if (!present(i)) return;
    if (!numbers_whole(i)) ++losses_.torn;
    if (!deepest_whole(i)) {
      ++losses_.torn_deepest;
      entries_[i].deepest = {};
    }
  }

  memory& target_;
  const registry& all_;
  std::vector<site_entry> entries_;
  std::vector<sequences> before_;
  std::vector<sequences> after_;
  piece pieces_[5 * batch];
  site_losses losses_;
  int waits_ = 0;
};

}  // namespace

site_losses read_sites(memory& target, const registry& all,
                       const std::function<void(const site_entry&)>& f) {
  return site_table_reader(target, all).run(f);
}

}  // namespace bast_stacks
