// SPDX-License-Identifier: Apache-2.0
#include "crew.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include "unwrap.hpp"

namespace demo {
namespace {

std::runtime_error failure(const bast::error& e) { return std::runtime_error(e.message()); }

bool is_header(std::string_view path) {
  return std::ranges::any_of(std::array{".h", ".hh", ".hpp", ".hxx"},
                             [&](const char* end) { return path.ends_with(end); });
}

}  // namespace

// --- starting ------------------------------------------------------------------------------------

void crew::start_walker(std::string directory) {
  ++walkers_;
  ++counters_.directories;
  auto body = [this, directory = std::move(directory)](bast::yielder<entry>& out) {
    meter_.note_stack_here();
    walk(directory, out);
  };
  walker w = unwrap(pool_.make("walk directory", std::move(body)));
  settle(w, w.resume());
}

void crew::start_reader(std::string path) {
  ++files_in_work_;
  auto body = [this, path = std::move(path)](bast::yielder<>& others) {
    meter_.note_stack_here();
    return read_file(path, others);
  };
  reader r = unwrap(pool_.make("read file", std::move(body)));
  settle(r, r.resume());
}

void crew::start_matcher(shared_text file, std::size_t pattern) {
  auto body = [this, file = std::move(file), pattern](bast::yielder<find>& out) {
    meter_.note_stack_here();
    return match_text(patterns_[pattern], pattern, *file, out);
  };
  matcher m{unwrap(pool_.make(patterns_[pattern].site, std::move(body))), pattern};
  settle(m, m.resume());
}

crew::collector crew::start_collector() {
  ++counters_.coroutines;
  return unwrap(pool_.make("collect finds", [this](find first, bast::yielder<void, find>& in) {
    meter_.note_stack_here();
    return collect(patterns_, std::move(first), in);
  }));
}

// --- the round -----------------------------------------------------------------------------------

summary crew::run(const std::string& directory) {
  collector_ = start_collector();
  directories_.push_back(directory);
  for (;;) {
    admit();
    if (round_.empty()) break;
    auto next = std::move(round_.front());
    round_.pop_front();
    std::visit([this](auto& job) { settle(job, job.resume()); }, next);
  }
  meter_.sample(1, pool_.budget().open());
  (void)collector_.resume(find{});  // The end of all finds.
  return unwrap(collector_.returned());
}

/// Starts waiting jobs, as far as descriptors and memory allow.
void crew::admit() {
  while (walkers_ < directories_at_once && !directories_.empty()) {
    std::string directory = std::move(directories_.front());
    directories_.pop_front();
    start_walker(std::move(directory));
  }
  while (files_in_work_ < files_at_once && !files_.empty()) {
    std::string path = std::move(files_.front());
    files_.pop_front();
    start_reader(std::move(path));
  }
}

/// After a start or a resume: takes the yielded value and queues the job again, or ends it.
template <class Job, class Step>
void crew::settle(Job& job, Step step) {
  for (;;) {
    if (step.failed()) throw failure(step.error());
    ++counters_.resumes;
    meter_.look(round_.size() + 2, pool_.budget().open());  // plus this one and the collector
    if (step.finished()) {
      finish(job);
      return;
    }
    if constexpr (!std::is_same_v<Job, reader>) take(std::move(step.value()));
    // A walker continues while there is room for its finds; all others take turns.
    if (!std::is_same_v<Job, walker> || files_.size() >= files_at_once) break;
    step = job.resume();
  }
  round_.emplace_back(std::move(job));
}

void crew::take(entry e) {
  switch (e.kind) {
    case entry::kind::directory: directories_.push_back(std::move(e.path)); break;
    case entry::kind::file: files_.push_back(std::move(e.path)); break;
    case entry::kind::link: ++counters_.links; break;
    case entry::kind::other: ++counters_.others; break;
    case entry::kind::unreadable: counters_.problems.push_back(e.path + ": " + e.problem); break;
  }
}

void crew::take(const find& f) {
  if (f.file != nullptr) (void)collector_.resume(f);
}

void crew::finish(walker&) {
  --walkers_;
  ++counters_.coroutines;
}

void crew::finish(reader& r) {
  ++counters_.coroutines;
  read_result got = unwrap(r.returned());
  if (got.file == nullptr) {
    --files_in_work_;
    if (got.problem.empty()) {
      ++counters_.binaries;
    } else {
      counters_.problems.push_back(std::move(got.problem));
    }
    return;
  }
  ++counters_.files;
  counters_.bytes_read += got.file->text.size();
  // The last matcher of a file makes room for another.
  const shared_text file(got.file.release(), [this](const file_text* done) {
    delete done;
    --files_in_work_;
  });
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    if (!patterns_[i].report_absence || is_header(file->path)) start_matcher(file, i);
  }
}

void crew::finish(matcher& m) {
  ++counters_.coroutines;
  if (unwrap(m.returned()) != 0) ++counters_.files_with_finds[m.pattern];
}

}  // namespace demo
