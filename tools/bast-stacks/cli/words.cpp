// SPDX-License-Identifier: Apache-2.0
#include "cli/words.hpp"

#include <cstdlib>

namespace bast_stacks {
namespace {

constexpr example program_examples[] = {
    {"bast-stacks 4711", "which stacks of process 4711 are too small, which too large"},
    {"bast-stacks run -- ./server", "the same of a program from its start to its end"},
    {"bast-stacks top 4711", "watch it"},
};
constexpr example run_examples[] = {
    {"bast-stacks run -- ./server --port 80", "report when the server ends"},
    {"bast-stacks run -o run.json --deepest -- ./test", "keep a recording, with backtraces"},
};
constexpr example top_examples[] = {{"bast-stacks top 4711", "watch process 4711"}};
constexpr example record_examples[] = {
    {"bast-stacks record 4711 -o now.json --duration 60s", "watch for a minute"},
    {"bast-stacks record 4711 -o now.json --deepest", "and see which calls went deepest"},
};
constexpr example report_examples[] = {
    {"bast-stacks report 4711", "the worst margins, and what to set"},
    {"bast-stacks report core --by stack --all", "every stack of a core file"},
    {"bast-stacks report now.json --site 'parse.cpp:*'", "why these need so much"},
};
constexpr example recommend_examples[] = {
    {"bast-stacks recommend now.json", "sizes, with the reasons"},
    {"bast-stacks recommend now.json --quantile 99.99", "more careful"},
    {"bast-stacks recommend now.json --static ./server", "and never below what its code can take"},
};
constexpr example flame_examples[] = {
    {"bast-stacks flame now.json -o stacks.svg", "which calls took the bytes"},
    {"bast-stacks flame now.json --format folded", "for flamegraph.pl, inferno and others"},
};
constexpr example static_examples[] = {
    {"bast-stacks static ./server --root handle_request", "how deep it can get"},
    {"bast-stacks static ./server --root parse --annotations stack.txt --details",
     "why the bound is not sound"},
};
constexpr example diff_examples[] = {
    {"bast-stacks diff old.json new.json", "what got deeper"},
};
constexpr example check_examples[] = {
    {"bast-stacks check now.json --budget stack.toml", "fail if a site is over its budget"},
    {"bast-stacks check now.json --budget stack.toml --update", "accept what was seen"},
};
constexpr example export_examples[] = {
    {"bast-stacks export 4711 --format prometheus", "for a monitoring system"},
    {"bast-stacks export now.json --format html -o stacks.html", "a page to keep and send"},
};

constexpr command_words commands[] = {
    {"", "inspect the stacks of programs that use bast",
     "Shows how deep the stacks of a program are, by the place in the source that spawned them, "
     "and says what size to set. It needs no debug information and no special build, and neither "
     "stops the program nor makes a page of it resident.\n\n"
     "A process or file without a command is reported.",
     program_examples},
    {"run", "run a program and report its stacks when it ends",
     "Starts PROGRAM with its registry in a file of bast-stacks, so that no right to trace it is "
     "needed. Its standard streams are its own: the report goes to standard error. The exit status "
     "is the program's, or 128 and the number of the signal that ended it. A program that made no "
     "pool of bast leaves nothing to report: that is said, and the exit status is still the "
     "program's, but 3 if that is 0.",
     run_examples},
    {"top", "watch stacks in the terminal", "A table that is sorted by margin. h lists its keys.",
     top_examples},
    {"record", "look at a process for a while and write a recording",
     "Writes the last look, with the largest numbers of all looks. An interrupt ends it well.\n\n"
     "--deepest asks the kernel for the page faults of the process, as a profiler does "
     "(perf_event_open), so that stacks which never grow have backtraces too. Only pages that are "
     "touched for the first time fault: what a stack did before, or does again, is not seen. The "
     "process is not stopped; each first touch of a page takes somewhat longer.",
     record_examples},
    {"report", "show where stacks are too small or too large, and what to set",
     "At most fifteen lines, unless more is asked for: the sites with the smallest margins, what "
     "could be given back, the code to paste, and what was not seen.\n\n"
     "p50 and p99 are of sampled uses and exact to 3.2 %; max is of all uses and exact. The depth "
     "of a live stack is an interval: at least the deepest byte that is not zero, at most the "
     "lowest page that is there. A line with !! needs attention.",
     report_examples},
    {"recommend", "say what size to set, and why",
     "A limit is what was needed, and reserves for a signal frame, the unwinder and lazy binding. "
     "It is lowered only with the confidence that is asked for: with n independent uses, the "
     "deepest lies above the p-quantile with confidence 1 - p^n, whatever the distribution. Of as "
     "many uses again, if they are alike, at most 3 are then expected to go deeper (at 95 %); so a "
     "program that goes on must have been seen for an hour, unless --quantile says what part of "
     "the uses is enough. Where too few uses have ended, live stacks are counted as uses. A limit "
     "is raised after one use that leaves too little.\n\n"
     "\"So far\" is what is recommended from stacks that still run, or where the deepest use came "
     "in the last twentieth of the time: depths may be rising.\n\n"
     "Where the deepest stack shows a recursion, one more round of it is kept for every eight that "
     "were seen, at least one. With --static the code of the program that ran is analysed: for a "
     "site whose backtrace shows where its stacks begin, a sound bound is the least limit; for "
     "others it says how many reasons there are against one.",
     recommend_examples},
    {"flame", "draw which calls took the bytes of the deepest stacks",
     "A flame graph in bytes: each call is as wide as what it and all below it had on the stack.",
     flame_examples},
    {"static", "bound how deep a function can get, from its code",
     "Adds up frame sizes along the worst path of the call graph, across shared libraries. Every "
     "reason why the bound may not hold is listed; each line of an annotation file removes "
     "some.\n\n"
     "Annotations of what ends every process (abort, std::terminate and the like) come with "
     "bast-stacks and are read first; the reasons that they remove are counted.",
     static_examples},
    {"diff", "compare two recordings, site by site",
     "A change inside one bucket of the histogram (3.2 %) is none. Different builds or compilers "
     "are compared, with a warning.",
     diff_examples},
    {"check", "fail if a site is over its budget",
     "The budgets are a TOML file:\n\n"
     "  [[budget]]\n"
     "  site = \"server.cpp:*\"   # \"file:line\" or a label; directories may be left out\n"
     "  max = \"12 KiB\"          # or p99, or uses_min = 1000\n\n"
     "What is over is named with its backtrace, and the exit status is 1. A budget that matches no "
     "site is an error.",
     check_examples},
    {"export", "write a snapshot for other programs",
     "json is a recording, which bast-stacks reads again. csv is a line a site, in bytes.",
     export_examples},
};

constexpr const char* exit_statuses[] = {
    "0 all is well",
    "1 a finding: a site over its budget, or deeper than before with --exit-code",
    "2 the command line is wrong",
    "3 something could not be read, attached to or written, or what ran made no pool",
};

}  // namespace

const command_words& words_of(std::string_view name) noexcept {
  for (const command_words& each : commands) {
    if (each.name == name) return each;
  }
  std::abort();
}

std::span<const char* const> exit_status_words() noexcept { return exit_statuses; }

}  // namespace bast_stacks
