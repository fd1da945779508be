// SPDX-License-Identifier: Apache-2.0
#include "samples.hpp"

#include <cstdio>
#include <numeric>

#include "bast/testing/baseline.hpp"
#include "bast/testing/mappings.hpp"

namespace bast::stress {

namespace {

/// 0 under a sanitizer: it keeps freed memory for a while, and the fake stacks and histories of
/// abandoned ones permanently.
double resident_pages() {
  if (!test::mappings::counted) return 0;
  long total = 0;
  long resident = 0;
  std::FILE* const file = std::fopen("/proc/self/statm", "re");
  if (file == nullptr) return 0;
  const int read = std::fscanf(file, "%ld %ld", &total, &resident);
  std::fclose(file);
  return read == 2 ? static_cast<double>(resident) : 0;
}

double mean_of(const std::vector<double>& of) {
  return std::accumulate(of.begin(), of.end(), 0.0) / static_cast<double>(of.size());
}

struct quantity {
  const char* name;
  double sample::* field;
  double share;  // of the mean: permitted rise
  double more;   // permitted rise beyond that
};

constexpr quantity quantities[] = {
    {.name = "pages", .field = &sample::pages, .share = 0.02, .more = 256},
    {.name = "mappings", .field = &sample::mappings, .share = 0.02, .more = 24},
    {.name = "descriptors", .field = &sample::descriptors, .share = 0, .more = 0.5},
    {.name = "threads", .field = &sample::threads, .share = 0, .more = 0.5},
};

}  // namespace

sample sample::now(double seconds) {
  const test::process_counts held = test::process_counts::now();
  return {.seconds = seconds,
          .pages = resident_pages(),
          .mappings = static_cast<double>(held.mappings),
          .descriptors = static_cast<double>(held.fds),
          .threads = static_cast<double>(held.threads)};
}

double slope_of(const std::vector<double>& x, const std::vector<double>& y) {
  const double x_mean = mean_of(x);
  const double y_mean = mean_of(y);
  double products = 0;
  double squares = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    products += (x[i] - x_mean) * (y[i] - y_mean);
    squares += (x[i] - x_mean) * (x[i] - x_mean);
  }
  return squares == 0 ? 0 : products / squares;
}

std::string judge(const std::vector<sample>& samples) {
  if (samples.size() < 3) return "too few samples for a line\n";
  std::vector<double> times;
  for (const sample& s : samples) times.push_back(s.seconds);
  const double covered = times.back() - times.front();
  std::string complaints;
  std::printf("%-12s %12s %12s %12s %12s %12s\n", "", "first", "mean", "per minute", "over the run",
              "bound");
  for (const quantity& q : quantities) {
    std::vector<double> values;
    for (const sample& s : samples) values.push_back(s.*q.field);
    const double slope = slope_of(times, values);
    const double bound = q.share * mean_of(values) + q.more;
    std::printf("%-12s %12.0f %12.1f %12.3f %12.3f %12.3f\n", q.name, values.front(),
                mean_of(values), slope * 60, slope * covered, bound);
    if (slope * covered > bound) {
      complaints += std::string(q.name) + " rise by " + std::to_string(slope * covered) +
                    " over the run, more than " + std::to_string(bound) + "\n";
    }
  }
  return complaints;
}

}  // namespace bast::stress
