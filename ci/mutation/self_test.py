# SPDX-License-Identifier: Apache-2.0
"""Plants every operator in small sources: which faults are found, and their effects in the copy."""

import pathlib
import re
import subprocess
import sys
import tempfile

from clang import cindex

from . import finder, harnesses, operators, rewrite

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

# Functions, each with the faults to be found in it, "operator: original -> fault".
CASES = [
    ("bool compare(int a, int b) { return a < b; }",
     ["comparison: a < b -> a <= b", "comparison: a < b -> a >= b"]),
    ("bool same(int a, int b) { return a == b; }", ["comparison: a == b -> a != b"]),
    ("int sum(int a, int b) { return a - b; }",
     ["arithmetic: a - b -> a + b", "off by one: a - b -> (a - b) + 1"]),
    ("bool both(bool a, bool b) { return a && b; }",
     ["logic: a && b -> a || b", "dropped condition: a && b -> a",
      "dropped condition: a && b -> b", "negated condition: a && b -> !(a && b)"]),
    ("long mix(long a, long b) { const long c = a | b; return c; }",
     ["bits: a | b -> a & b", "bits: a | b -> a", "off by one: c -> (c) + 1",
      "constant: c -> (c + 1)"]),
    ("int number() { return 7; }", ["off by one: 7 -> 8", "off by one: 7 -> 6"]),
    ("long one() { return 1L; }", ["off by one: 1L -> 2L", "constant: 1L -> 0L"]),
    ("bool yes() { return true; }", ["constant: true -> false"]),
    ("int at(const int* p, int i) { return p[i]; }",
     ["off by one: i -> (i) + 1", "off by one: p[i] -> (p[i]) + 1"]),
    ("int branch(const char* p) { if (p) return g1(); return g2(); }",
     ["negated condition: p -> !(p)", "dropped condition: p -> true",
      "dropped condition: p -> false", "off by one: g1() -> (g1()) + 1",
      "off by one: g2() -> (g2()) + 1"]),
    ("bool absent(const char* p) { return !p; }",
     ["negated condition: !p -> static_cast<bool>(p)"]),
    ("void reset(int*& p, bool& b, long& n) { p = nullptr; b = false; n = g1(); }",
     ["early return:  -> return;"] * 3
     + ["dropped reset: p = nullptr; -> ", "dropped reset: b = false; -> ",
        "constant: false -> true", "deleted statement: n = g1(); -> "]),
    ("void step(int& i) { ++i; }",
     ["early return:  -> return;", "deleted statement: ++i; -> ", "arithmetic: ++i -> --i"]),
    ("void arguments(int a, int b) { g3(a, b); }",
     ["early return:  -> return;", "deleted call: g3(a, b); -> ",
      "swapped arguments: g3(a, b) -> g3(b, a)",
      "off by one: a -> (a) + 1", "off by one: b -> (b) + 1"]),
    ("void store(std::atomic<int>& a) { a.store(2, std::memory_order_release); }",
     ["early return:  -> return;",
      "deleted call: a.store(2, std::memory_order_release); -> ",
      "memory order: a.store(2, std::memory_order_release) -> "
      "a.store(2, std::memory_order_relaxed)", "off by one: 2 -> 3", "off by one: 2 -> 1"]),
    ("int load(std::atomic<int>& a) { return a.load(); }",
     ["memory order: a.load() -> a.load(std::memory_order_relaxed)",
      "off by one: a.load() -> (a.load()) + 1"]),
    ("bool interrupted(int e) { return e == EINTR; }",
     ["comparison: e == EINTR -> e != EINTR", "errno: EINTR -> *"]),
    ("errc kind() { return errc::busy; }", ["error code: errc::busy -> errc::closed"]),
    ("colour next() { return colour::red; }", ["constant: colour::red -> colour::green"]),
    ("int pick(bool b) { return b ? g1() : g2(); }",
     ["negated condition: b -> !(b)", "dropped condition: b -> true",
      "dropped condition: b -> false",
      "off by one: b ? g1() : g2() -> (b ? g1() : g2()) + 1"]),
    ("int limited() { return most; }",
     ["constant: most -> (most + 1)", "off by one: most -> (most) + 1"]),
    ("int across(int a,\n           int b) {  // two lines\n  return a /* one */ *\n      b;\n}",
     ["arithmetic: a * b -> a / b", "off by one: a * b -> (a * b) + 1"]),
    ("constexpr int twice(int a) { return a * 2; }",
     ["arithmetic: a * 2 -> a / 2", "off by one: a * 2 -> (a * 2) + 1", "off by one: 2 -> 3",
      "off by one: 2 -> 1"]),
    ("template <class T> bool less(T a, T b) { return a < b; }",
     ["comparison: a < b -> a <= b", "comparison: a < b -> a >= b"]),
    # Nothing: macros, labels, what the compiler needs, what is not evaluated, planted bugs.
    ("void checked(int a) { CHECK(a < 3, g1() == 1); }", []),
    ("void planted(int a) { if (BAST_MUTANT(name)) g3(a, a); }", ["early return:  -> return;"]),
    ("void sizes() { static_assert(sizeof(int) == 4); constexpr int n = 3; int a[n + 1]; "
     "(void)a; }",
     ["early return:  -> return;"] * 2),
    ("int choose(int a) { switch (a) { case EINTR: return g1(); case most: return g2(); } "
     "return g1(); }",
     ["off by one: g1() -> (g1()) + 1"] * 2 + ["off by one: g2() -> (g2()) + 1"]),
    ("int tuple(std::array<int, 4>& a) { return std::get<1>(a); }",
     ["off by one: std::get<1>(a) -> (std::get<1>(a)) + 1"]),
    ("void quiet(int a) noexcept(sizeof(a) == 4) { (void)a; }", ["early return:  -> return;"]),
    ("void ends(int a) { for (;;) g3(a, a); }",
     ["deleted call: g3(a, a); -> "] + ["off by one: a -> (a) + 1"] * 2),
    ("int parameter(int a = 5) { return a; }", ["off by one: a -> (a) + 1"]),
    ("int literal() { if constexpr (sizeof(long) == 8) { return g1(); } else { return g2(); } }",
     ["off by one: g1() -> (g1()) + 1", "off by one: g2() -> (g2()) + 1"]),
]

HEAD = """#include <array>
#include <atomic>
#include <cerrno>
#define CHECK(condition, other) do { if (!(condition)) g2(); (void)(other); } while (false)
#define BAST_MUTANT(name) false
enum class errc { busy = 1, closed };
enum class colour { red, green };
constexpr int most = 9;
[[noreturn]] void ends(int a);
int g1() { return 11; }
int g2() { return 22; }
int seen = 0;
void g3(int a, int b) { seen = a * 10 + b; }
static_assert(EINTR == 4);
"""

# The results of the functions, one digit or number each.
MAIN = """
#include <cstdio>
static_assert(twice(4) == 8);
int main() {
  int i = 5, *p = &i; bool b = true; long n = 0; std::atomic<int> a{0}; std::array<int, 4> t{1, 2};
  const int two[] = {3, 4, 5};
  std::printf("%d %d %d %d %ld ", compare(1, 1), same(1, 1), sum(5, 3), both(true, false),
              mix(1, 2));
  std::printf("%d %ld %d %d %d ", number(), one(), yes(), at(two, 1), branch("x"));
  step(i); reset(p, b, n); arguments(1, 2); store(a);
  std::printf("%d %d %d %d %ld %d %d ", absent("x"), i, p == nullptr, b, n, seen,
              load(a));
  std::printf("%d %d %d %d %d ", interrupted(EINTR), (int)kind(), (int)next(), pick(true),
              limited());
  std::printf("%d %d %d %d %d %d", across(6, 3), twice(6), less(2, 2), choose(9), tuple(t),
              literal());
}
"""
SAID = "0 1 2 0 3 7 1 1 4 11 0 6 1 0 11 12 2 1 1 0 11 9 18 12 0 22 2 11"
# Faults of the program, and its output with each.
CHANGED = [
    ("compare", "a <= b", 0, "1"), ("both", "a || b", 3, "1"), ("number", "8", 5, "8"),
    ("step", "", 11, "5"), ("arguments", "g3(b, a)", 15, "21"), ("kind", "errc::closed", 18, "2"),
    ("across", "a / b", 22, "2"), ("twice", "a / 2", 23, "3"), ("less", "a <= b", 24, "1"),
]

REFUSALS = [
    (["0"], "0 faults are none"), (["-3"], "-3 faults are none"),
    (["3x"], "no such path, and no number either: '3x'"),
    (["lib/bast/nowhere"], "no such path, and no number either: 'lib/bast/nowhere'"),
    (["docs"], "nothing below 'docs' is C++ that is tested"),
    (["lib/bast/testing"], "nothing below 'lib/bast/testing' is C++ that is tested"),
    (["/etc"], "'/etc' is not below the root"), (["--fast"], "unknown option '--fast'"),
    (["--seed", "x"], "--seed needs a number, not 'x'"), (["--seed"], "--seed needs a number"),
    (["--require", "101"], "--require needs a number, not '101'"),
]


def matches(found, expected):
    return found == expected or expected.endswith("*") and found.startswith(expected[:-1]) \
        and not found.endswith(expected[:-1])


def check_operators(directory, complaints):
    file = directory / "sample.cpp"
    file.write_text(HEAD + "\n".join(code for code, _ in CASES) + MAIN)
    unit = cindex.Index.create().parse(
        str(file), ["-x", "c++", "-std=c++23", "-w"],
        options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
    complaints += [f"libclang: {d.spelling}" for d in unit.diagnostics if d.severity >= 3]
    walked = finder.Finder(directory, {str(file): "sample.cpp"})
    walked.walk(unit)
    faults = sorted(walked.faults.values(), key=operators.Fault.key)
    line = HEAD.count("\n") + 1
    for code, expected in CASES:
        last = line + code.count("\n")
        found = [f"{f.operator}: {f.original} -> {f.text}" for f in faults
                 if line <= f.line <= last]
        for text in expected:
            match = next((f for f in found if matches(f, text)), None)
            if match is None:
                complaints.append(f"not found: {text}, in {code}")
            else:
                found.remove(match)
        complaints += [f"found: {text}, in {code}" for text in found]
        line = last + 1
    unused = set(operators.OPERATORS) - {f.operator for f in faults}
    complaints += [f"no case for: {operator}" for operator in sorted(unused)]
    return file.read_text(), [f for f in faults if f.line < line]


def check_rewriting(directory, text, faults, complaints):
    numbered = list(enumerate(faults, 1))
    writer = rewrite.Writer(text, numbered)
    complaints += [f"crosses another: {fault}" for fault in writer.crossing]
    if writer.text.count("\n") != text.count("\n"):
        complaints.append("the rewritten source has other lines")
    for number, fault in numbered:
        at = re.search(rf"bast_fault\w*\({number}\)", writer.text).start()
        line = writer.text.count("\n", 0, at) + 1
        column = at - writer.text.rfind("\n", 0, at)
        if writer.at(line, column) != fault:
            complaints.append(f"the compiler's complaints would not find {fault}")
    file, program = directory / "rewritten.cpp", directory / "rewritten"
    file.write_text(writer.text)
    done = subprocess.run(["g++-12", "-std=c++23", "-w", "-include",
                           ROOT / "ci/mutation/fault.hpp", file, "-o", program],
                          capture_output=True, text=True, check=False)
    if done.returncode != 0:
        complaints.append(f"g++-12 refuses the rewritten source\n{done.stderr}")
        return

    def say(number):
        return subprocess.run([program], env={"MUTATE_FAULT": str(number)} if number else {},
                              capture_output=True, text=True, check=False).stdout.split()
    if say(0) != SAID.split():
        complaints.append(f"without a fault: {' '.join(say(0))}, not {SAID}")
    for function, changed, place, answer in CHANGED:
        number = next((n for n, f in numbered if (f.function, f.text) == (function, changed)), 0)
        said = say(number)
        expected = SAID.split()[:place] + [answer] + SAID.split()[place + 1:]
        if said != expected:
            complaints.append(f"{function} with {changed!r}: {' '.join(said)}")


def check_refusals(complaints):
    runs = [(words, expected, subprocess.Popen(
        [sys.executable, str(ROOT / "ci/mutate"), *words], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
        for words, expected in REFUSALS]
    for words, expected, process in runs:
        said = process.communicate()[0]
        if process.returncode != 2 or expected not in said:
            complaints.append(f"{' '.join(words)}: status {process.returncode}, {said.strip()}")


def check_layers(complaints):
    """A layer whose tests are not known would lose every fault of it unnoticed."""
    tested = {path.parent.name for path in ROOT.glob("lib/bast/*/*_test.cpp")} - {"testing"}
    if tested != set(harnesses.LAYERS):
        complaints.append(f"harnesses.LAYERS: {sorted(tested ^ set(harnesses.LAYERS))}")
    if harnesses.lower_programs({"io", "op"}) & {"bast_op_test", "bast_io_test"} \
            or "bast_process_test" not in harnesses.lower_programs({"io", "op"}) \
            or harnesses.lower_programs({"io", "tools/read"}):
        complaints.append("harnesses.lower_programs")


def main():
    complaints = []
    check_layers(complaints)
    with tempfile.TemporaryDirectory(prefix="bast-mutate-") as name:
        directory = pathlib.Path(name)
        text, faults = check_operators(directory, complaints)
        check_rewriting(directory, text, faults, complaints)
    check_refusals(complaints)
    for complaint in complaints:
        print(f"ci/mutate --self-test: {complaint}", file=sys.stderr)
    print(f"ci/mutate --self-test: {len(faults)} faults of {len(operators.OPERATORS)} operators, "
          f"{len(REFUSALS)} refusals, {len(complaints)} complaints")
    return 1 if complaints else 0
