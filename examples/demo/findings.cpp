// SPDX-License-Identifier: Apache-2.0
#include "findings.hpp"

#include <iterator>
#include <utility>

namespace demo {
namespace {

void append(std::vector<std::string>& all, std::vector<std::string>&& more) {
  all.insert(all.end(), std::move_iterator(more.begin()), std::move_iterator(more.end()));
}

}  // namespace

void pattern_findings::add(const pattern& p, const match& m, const std::string& place) {
  if (m.what != verdict::found) {
    (m.what == verdict::too_deep ? too_deep : too_long).push_back(place);
    return;
  }
  if (++finds == 1) first_at = place;
  if (m.all.size() > longest) {
    longest = m.all.size();
    longest_at = place;
  }
  if (p.ranked != nullptr) ++words[std::string(m.word)];
}

void pattern_findings::add(pattern_findings&& other) {
  if (finds == 0) first_at = std::move(other.first_at);
  finds += other.finds;
  files += other.files;
  if (other.longest > longest) {
    longest = other.longest;
    longest_at = std::move(other.longest_at);
  }
  append(too_deep, std::move(other.too_deep));
  append(too_long, std::move(other.too_long));
  // The smaller one into the larger, so that a word moves up a tree at a bounded cost.
  if (other.words.size() > words.size()) std::swap(words, other.words);
  for (const auto& [word, times] : other.words) words[word] += times;
}

void findings::add(findings&& other) {
  directories += other.directories;
  files += other.files;
  bytes_read += other.bytes_read;
  links += other.links;
  others += other.others;
  binaries += other.binaries;
  append(problems, std::move(other.problems));
  if (of.empty()) std::swap(of, other.of);
  for (std::size_t i = 0; i < other.of.size(); ++i) of[i].add(std::move(other.of[i]));
}

}  // namespace demo
