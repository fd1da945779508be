// SPDX-License-Identifier: Apache-2.0
//
// Compares everything that a `combined` program shows with the model.
#include <algorithm>

#include "model/combined_machine.hpp"
#include "model/target.hpp"

namespace bast::model {

namespace {

std::string differs(const std::vector<std::string>& seen, const std::vector<std::string>& wanted) {
  for (std::size_t i = 0; i < std::max(seen.size(), wanted.size()); ++i) {
    const std::string one = i < seen.size() ? seen[i] : "nothing";
    const std::string other = i < wanted.size() ? wanted[i] : "nothing";
    if (one != other) return "number " + std::to_string(i) + ": " + one + ", not " + other;
  }
  return {};
}

class count_check {
 public:
  count_check& same(const char* what, std::uint64_t seen, std::uint64_t wanted) {
    if (seen != wanted && text_.empty()) {
      text_ = std::string(what) + ": " + std::to_string(seen) + ", not " + std::to_string(wanted);
    }
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

void combined_machine::trace(std::vector<std::string>& out) {
  out.insert(out.end(), notes_.main.begin(), notes_.main.end());
  for (const auto& each : notes_.coros) out.insert(out.end(), each.begin(), each.end());
  if (!ready()) return;
  const process_machine_stats& stats = loop_.stats();
  out.push_back(describe_pool(*pool_) + "; processes " + std::to_string(stats.live) + " " +
                std::to_string(stats.peak) + " " + std::to_string(stats.in_flight) + " " +
                std::to_string(stats.started) + " " + std::to_string(stats.finished));
}

std::string combined_machine::compare(const combined_model& expected) {
  if (std::string what = complaint(); !what.empty()) return what;
  if (std::string what = compare_notes(expected.notes); !what.empty()) return what;
  if (std::string what = compare_coros(expected); !what.empty()) return what;
  if (std::string what = compare_sources(expected); !what.empty()) return what;
  return compare_processes(expected);
}

std::string combined_machine::compare_notes(const combined_notes& expected) const {
  if (std::string what = differs(notes_.main, expected.main); !what.empty()) {
    return "answers and callbacks, " + what;
  }
  for (std::size_t place = 0; place < coro_places; ++place) {
    const std::string what = differs(notes_.coros[place], expected.coros[place]);
    if (!what.empty()) return "coroutine " + std::to_string(place) + ", " + what;
  }
  return {};
}

std::string combined_machine::compare_coros(const combined_model& expected) const {
  for (std::size_t place = 0; place < coro_places; ++place) {
    const coro_state seen = coros_[place].state();
    if (seen == expected.state_of(place)) continue;
    return "coroutine " + std::to_string(place) + ": it is " + name_of(seen) + ", not " +
           name_of(expected.state_of(place));
  }
  const coro_pool_stats seen = pool_->stats();
  const std::size_t suspended = expected.count(coro_state::suspended);
  const std::size_t finished = expected.count(coro_state::finished);
  count_check check;
  check.same("F-15: ready", seen.ready, 0)
      .same("F-15: running", seen.running, 0)
      .same("F-15: suspended", seen.suspended, suspended)
      .same("F-15: finished", seen.finished, finished)
      .same("D14: stacks", seen.stacks.live, suspended + finished)
      .same("F-10: swallowed", seen.swallowed_unwinds, expected.swallowed())
      .same("F-12: abandoned", seen.abandoned, expected.abandoned())
      .same("F-6, F-11: unhandled", seen.unhandled, expected.unhandled())
      .same("F-8, F-9: bodies", bodies_, suspended + leaked_);
#if BAST_EXCEPTIONS
  check.same("F-6: taken by the sink", sunk_, expected.unhandled());
#endif
  return check.text();
}

std::string combined_machine::compare_sources(const combined_model& expected) const {
  const cancel_model& cancellation = expected.cancellation();
  for (std::size_t place = 0; place < subjects_max; ++place) {
    const std::string where = "source " + std::to_string(place) + ": ";
    const auto& source = sources_[place];
    const cancel_model::node* const wanted = cancellation.source(place);
    if (source.has_value() != (wanted != nullptr)) return where + "there or not";
    if (!source) continue;
    const auto why = source->reason();
    if (why.has_value() != wanted->marked) return where + "C-4: cancelled or not";
    if (why && (why->code != wanted->why.code || why->cause != wanted->why.cause)) {
      return where + "C-2: another reason";
    }
    if (source->refused() != wanted->refused) return where + "C-2: reasons are miscounted";
    const long at = cancellation.deadline_of(cancellation.number_of(place));
    const time_point deadline =
        at == cancel_model::model_never ? never : time_point(std::chrono::seconds(at));
    if (source->deadline() != deadline) return where + "C-14: another deadline";
  }
  for (std::size_t place = 0; place < coro_places; ++place) {
    if ((callbacks_[place] != nullptr) != expected.hears(place)) {
      return "callback " + std::to_string(place) + ": there or not";
    }
  }
  return {};
}

std::string combined_machine::compare_processes(const combined_model& expected) const {
  std::size_t descriptors = 0;
  for (std::size_t place = 0; place < coro_places; ++place) {
    const auto& seen = loop_.processes_of(place);
    const auto& wanted = expected.children_of(place);
    if (seen.size() != wanted.size()) {
      return "coroutine " + std::to_string(place) + " started another number of processes";
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
      const combined_child& child = expected.children()[wanted[i]];
      const world_child& real = *seen[i]->child;
      const std::string which =
          "process " + std::to_string(i) + " of coroutine " + std::to_string(place) + ": ";
      count_check check;
      check.same("D1: ended", seen[i]->ended ? 1 : 0, child.ended() ? 1 : 0)
          .same("P-14: exited", real.exited ? 1 : 0, child.exited() ? 1 : 0)
          .same("P-12: reaped", real.reaped ? 1 : 0, child.reaped() ? 1 : 0)
          .same("P-11: its group", real.has_grandchild ? 1 : 0, child.has_grandchild() ? 1 : 0)
          .same("P-14: signals", real.signals, child.signals());
      if (!check.text().empty()) return which + check.text();
      if (child.ended() && seen[i]->result != child.result()) {
        return which + seen[i]->result + ", not " + child.result();
      }
      descriptors += child.descriptors();
    }
  }
  count_check check;
  if (loop_.is_open()) {
    const process_machine_stats& stats = loop_.stats();
    check.same("P-21: live", stats.live, expected.live_children())
        .same("P-21: started", stats.started, expected.started())
        .same("P-21: finished", stats.finished, expected.started() - expected.live_children());
  }
  // A stream without memory was closed early.
  if (!faults_.was_rough()) check.same("D6: descriptors", loop_.open_descriptors(), descriptors);
  return check.text();
}

}  // namespace bast::model
