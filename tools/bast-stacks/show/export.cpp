// SPDX-License-Identifier: Apache-2.0
#include "show/export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "model/clean_text.hpp"
#include "model/mutant.hpp"
#include "model/names.hpp"
#include "model/statistics.hpp"
#include "show/names.hpp"

namespace bast_stacks {
namespace {

std::string field(std::string_view text) {
  std::string out = clean_text(text);
  if (!out.empty() && std::string_view("=+-@").find(out[0]) != std::string_view::npos)
    out.insert(0, 1, '\'');
  if (out.find_first_of(",\"") == out.npos) return out;
  if (BAST_STACKS_MUTANT(quotes_not_doubled)) return '"' + out + '"';
  for (std::size_t at = 0; (at = out.find('"', at)) != out.npos; at += 2) out.insert(at, 1, '"');
  return '"' + out + '"';
}

std::string label(std::string_view text) {
  std::string out;
  for (const char c : clean_text(text)) {
    const bool special = c == '\\' || c == '"';
    if (special && !BAST_STACKS_MUTANT(label_not_escaped)) out += '\\';
    out += c;
  }
  return out;
}

/// The labels of every site. Two sites must not share them: a series may occur only once.
std::vector<std::string> labels_of(const snapshot& of) {
  std::vector<std::string> result;
  std::set<std::string> taken;
  for (const site& s : of.sites) {
    std::string labels = fmt::format("site=\"{}\"", label(site_name(s)));
    if (!taken.insert(labels).second) {
      labels += fmt::format(",column=\"{}\"", s.column);
      for (int n = 2; !taken.insert(labels).second; ++n)
        labels =
            fmt::format("site=\"{}\",column=\"{}\",same=\"{}\"", label(site_name(s)), s.column, n);
    }
    result.push_back(std::move(labels));
  }
  return result;
}

// The bounds of the cumulative counts: all programs must use the same, so that their histograms can
// be added up. Each is the end of a bucket of the registry, so the counts are exact.
constexpr std::array<std::uint64_t, 13> bounds = {
    1 << 10,   2 << 10,   4 << 10,   8 << 10, 16 << 10, 32 << 10, 64 << 10,
    128 << 10, 256 << 10, 512 << 10, 1 << 20, 4 << 20,  16 << 20};
static_assert(bast::watch::bucket_low(bast::watch::bucket_of(bounds[12])) == bounds[12]);

std::uint64_t samples_below(const site& s, std::uint64_t bound) {
  std::uint64_t sum = 0;
  for (const bucket& b : s.histogram) {
    if (bast::watch::bucket_low(b.index) >= bound) break;
    sum = add(sum, b.count);
  }
  return sum;
}

/// Each sample counts as the middle of its bucket, up to the maximum: exact to 32 bytes up to 4 KiB
/// and to 1.6 % above. Monotonic in the samples, as scrapers expect of a sum.
std::uint64_t sum_of_samples(const site& s) {
  std::uint64_t sum = 0;
  for (const bucket& b : s.histogram) {
    const std::uint64_t low = bast::watch::bucket_low(b.index);
    const std::uint64_t high = std::min(bast::watch::bucket_high(b.index), s.max);
    sum = add(sum, multiply(high < low ? low : low + (high - low) / 2, b.count));
  }
  return sum;
}

void histogram(const site& s, const std::string& labels, std::string& out) {
  constexpr const char* name = "bast_stack_used_bytes";
  const std::uint64_t count = sampled(s);
  // A depth is whole bytes, and "below 1024" is "at most 1023".
  for (const std::uint64_t bound : bounds)
    out += fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, labels, bound - 1,
                       samples_below(s, bound));
  out +=
      fmt::format("{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n",
                  name, labels, count, sum_of_samples(s));
}

}  // namespace

std::string export_csv(const snapshot& of) {
  std::string out =
      "site,kind,uses,pending,samples,live,held,grows,p50_bytes,p90_bytes,p99_bytes,max_bytes,"
      "limit_bytes,window_bytes\r\n";
  for (const site& s : of.sites) {
    out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n", field(site_name(s)),
                       name_of(s.kind), s.uses, s.pending, s.samples, s.live, s.held, s.grows,
                       quantile(s, 0.5), quantile(s, 0.9), quantile(s, 0.99), s.max, s.limit,
                       s.window);
  }
  return out;
}

std::string export_prometheus(const snapshot& of) {
  const std::vector<std::string> labels = labels_of(of);
  std::string out =
      "# HELP bast_stack_used_bytes Depth of sampled uses of stacks by spawn site. The buckets are "
      "exact; the sum is not recorded, and made of the middles of finer buckets.\n"
      "# TYPE bast_stack_used_bytes histogram\n";
  for (std::size_t i = 0; i < of.sites.size(); ++i) histogram(of.sites[i], labels[i], out);

  const auto family = [&](std::string_view name, std::string_view type, std::string_view help,
                          auto value_of) {
    out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
    for (std::size_t i = 0; i < of.sites.size(); ++i)
      out += fmt::format("{}{{{}}} {}\n", name, labels[i], value_of(of.sites[i]));
  };
  family("bast_stack_used_bytes_max", "gauge", "Deepest use since the start, of all uses.",
         [](const site& s) { return s.max; });
  family("bast_stack_limit_bytes", "gauge", "How far a stack of the site can grow.",
         [](const site& s) { return s.limit; });
  family("bast_stack_live", "gauge", "Stacks in use.", [](const site& s) { return s.live; });
  family("bast_stack_uses_total", "counter", "Finished uses.",
         [](const site& s) { return s.uses; });
  family("bast_stack_grows_total", "counter", "Faults that opened more of a stack.",
         [](const site& s) { return s.grows; });
  return out;
}

}  // namespace bast_stacks
