# SPDX-License-Identifier: Apache-2.0
#
# The proving part of ci/run: fuzzers, fault loops, properties, stress, mutants. Sourced by it.

# The library's targets, whose inputs are programs of a model; and the inspector's, whose inputs are
# files that it reads.
library_targets=(pool growth cancel_order process_driver command_argv_env combined)
inspector_targets=(registry core perf_ring elf_frames su_ci recording budget draw)
fuzz_targets=("${library_targets[@]}" "${inspector_targets[@]}")

# fuzzer TARGET [OPTION...]: locals stay on the stack, where growth is tested; the replay of the
# corpora under the preset asan has them on fake stacks.
fuzzer() {
  ASAN_OPTIONS=detect_stack_use_after_return=0 "build/fuzz/fuzz/bast_fuzz_$1" "${@:2}"
}

# fuzz_one TARGET SECONDS: one fuzzer on one core; keeps its corpus between runs.
fuzz_one() {
  local target="$1" seconds="$2" directory="build/fuzz/run/$1"
  mkdir -p "$directory/corpus" "$directory/seeds"
  local inputs=("$directory/corpus") kept length=2055
  if [[ " ${library_targets[*]} " == *" $target "* ]]; then
    build/fuzz/fuzz/bast_replay --bytes "$directory/seeds" "$target" "fuzz/seeds/$target"
    inputs+=("$directory/seeds")
  else
    inputs+=("fuzz/seeds/$target")
    length=131072
  fi
  rm -rf "$directory/kept"
  ci/corpus unpack "$target" "$directory/kept"
  for kept in "$directory/kept" "fuzz/regressions/$target"; do
    [[ ! -d "$kept" ]] || inputs+=("$kept")
  done
  fuzzer "$target" -max_total_time="$seconds" -max_len="$length" -timeout=60 \
    -rss_limit_mb=6000 -print_final_stats=1 -artifact_prefix="$directory/" \
    "${inputs[@]}" >"$directory/log" 2>&1
}

# A harness without findings must first show that it can have one: from this seed, within so many
# runs, independent of the machine's speed. The finding must be reproduced when its input is run
# alone.
fuzz_canary() {
  local log=build/fuzz/run/canary.log found=build/fuzz/run/canary.input start=$SECONDS
  local complaint='the canary: three are suspended'
  rm -f "$found"
  fuzzer canary -seed=1 -runs=400000 -max_len=300 -exact_artifact_path="$found" >"$log" 2>&1 ||
    true
  grep -q "$complaint" "$log" || die "the canary was not found; see $log"
  fuzzer canary "$found" >"$log.replay" 2>&1 || true
  grep -q "$complaint" "$log.replay" || die "the canary was found, but not again in $found"
  note "fuzz: the canary was found after $((SECONDS - start)) s"
}

# report_fuzzer TARGET STATUS: one line of results; more after a finding.
report_fuzzer() {
  local log="build/fuzz/run/$1/log" result=ok
  if [[ "$2" != 0 ]]; then
    result=FOUND
    # The program as text, and the sanitizer's report.
    grep -A 40 -m 1 -E '^bast fuzz|ERROR: ' "$log" || tail -n 40 "$log"
    note "the input is kept in build/fuzz/run/$1/; fuzz/README.md says how to replay it"
  fi
  note "fuzz $1: $result, $(awk '/number_of_executed_units/ { n = $2 }
    /average_exec_per_sec/ { r = $2 } END { print n + 0 " executions, " r + 0 " a second" }' \
    "$log"), $(find "build/fuzz/run/$1/corpus" -type f | wc -l) inputs kept"
}

# run_fuzzers SECONDS TARGET...: as many at a time as there are cores. Fails if one found something.
run_fuzzers() {
  local seconds="$1" target pid status found=0 cores
  local -A running=()
  cores="$(nproc)"
  shift
  for target in "$@" ''; do
    # With every core taken, and after the last target, waits for one that ends.
    while ((${#running[@]} == cores || (${#running[@]} > 0 && ${#target} == 0))); do
      status=0
      wait -n -p pid || status=$?
      report_fuzzer "${running[$pid]}" "$status"
      [[ "$status" == 0 ]] || found=1
      unset "running[$pid]"
    done
    [[ -n "$target" ]] || break
    fuzz_one "$target" "$seconds" &
    running[$!]="$target"
  done
  return "$found"
}

job_fuzz() {
  local seconds=60 target targets=()
  while [[ $# != 0 ]]; do
    case "$1" in
      --seconds)
        [[ "${2:-}" =~ ^[0-9]+$ ]] || die "--seconds needs a number" 2
        seconds="$2"
        shift 2
        ;;
      *)
        targets+=("$1")
        shift
        ;;
    esac
  done
  [[ ${#targets[@]} != 0 ]] || targets=("${fuzz_targets[@]}")
  for target in "${targets[@]}"; do
    [[ " ${fuzz_targets[*]} " == *" $target "* ]] || die "no fuzzer '$target': ${fuzz_targets[*]}" 2
  done
  build_preset fuzz --target bast_replay bast_fuzz_canary "${targets[@]/#/bast_fuzz_}"
  mkdir -p build/fuzz/run
  fuzz_canary
  run_fuzzers "$seconds" "${targets[@]}"
}

# merge_programs TARGET NEW DIRECTORY...: the programs with new coverage.
merge_programs() {
  fuzzer "$1" -set_cover_merge=1 -max_len=2055 "${@:2}" >/dev/null 2>&1
}

# merge_files TARGET NEW DIRECTORY...: the same for files with coverage that no seed has. Small
# ones, and of many some of each size: at most 150, of at most 4 KiB each and 40 KiB together.
merge_files() {
  local target="$1" new="$2" small="build/fuzz/run/$1/small" covered="build/fuzz/run/$1/covered"
  local found size name i sum=0 step
  rm -rf "$small" "$covered"
  mkdir -p "$small" "$covered"
  find "${@:3}" -type f -size -4097c -exec cp -t "$small" {} +
  cp "fuzz/seeds/$target"/* "$covered"
  fuzzer "$target" -set_cover_merge=1 -max_len=131072 "$covered" "$small" >/dev/null 2>&1
  for name in "fuzz/seeds/$target"/*; do rm "$covered/${name##*/}"; done
  mapfile -t found < <(find "$covered" -type f -printf '%s %f\n' | sort -n)
  step=$(((${#found[@]} + 149) / 150))
  for ((i = 0; i < ${#found[@]}; i += step)); do
    read -r size name <<<"${found[$i]}"
    sum=$((sum + size))
    ((sum <= 40960)) || break
    cp "$covered/$name" "$new"
  done
}

job_corpus() {
  build_preset fuzz --target "${fuzz_targets[@]/#/bast_fuzz_}"
  local target merge
  for target in "${fuzz_targets[@]}"; do
    local old="build/fuzz/run/$target/kept" new="build/fuzz/run/$target/merged"
    rm -rf "$new" "$old"
    ci/corpus unpack "$target" "$old"
    mkdir -p "$new" "build/fuzz/run/$target/corpus"
    merge=merge_programs
    [[ " ${library_targets[*]} " == *" $target "* ]] || merge=merge_files
    "$merge" "$target" "$new" "$old" "build/fuzz/run/$target/corpus"
    # Into an empty directory: the control file has the features of each input.
    rm -rf "$new.again" "$new.control"
    mkdir "$new.again"
    fuzzer "$target" -merge=1 -merge_control_file="$new.control" "$new.again" "$new" \
      >"$new.log" 2>&1 || true
    ci/corpus pack "$target" "$new" "$new.control"
    note "corpus $target: $(wc -l <"fuzz/corpus/$target.txt") inputs"
  done
}

# faults_of TARGET: its seeds, and of its corpus the 40 inputs that cover the most which those before
# them in the manifest do not. The time grows with the square of an input's calls.
faults_of() {
  local target="$1" directory="$PWD/build/dev/fuzz/faults/$1" name
  rm -rf "$directory"
  mkdir -p "$directory"
  while read -r name _; do
    cp "build/dev/fuzz/corpus/$target/$name" "$directory"
  done < <(sort -k 3,3nr "fuzz/corpus/$target.txt" | head -n 40)
  cd fuzz
  ../build/dev/fuzz/bast_replay --pairs "$target" "seeds/$target"
  ../build/dev/fuzz/bast_replay --faults "$target" "$directory"
}

job_faults() {
  build_preset dev --target bast_replay
  export -f faults_of
  # shellcheck disable=SC2016 # reason: the inner shell expands it
  printf '%s\n' "${library_targets[@]}" | xargs -P "$jobs" -I '{}' \
    bash -euo pipefail -c 'faults_of "$1"' _ '{}'
}

job_properties() {
  build_preset release-tools --target bast_property_test bast_stacks_property_test
  local properties status=0
  for properties in bast_property_test bast_stacks_property_test; do
    BAST_PROPERTY_RUNS="${1:-100000}" "build/release-tools/proptest/$properties" || status=$?
  done
  return "$status"
}

job_stress() {
  build_preset dev --target bast_stress
  build/dev/stress/bast_stress "$@"
}

job_soak() {
  [[ $# != 0 ]] || set -- --minutes 30
  build_preset release --target bast_soak
  build/release/stress/bast_soak "$@"
}

job_mutants() { ci/mutants "$@"; }

job_mutate() { ci/mutate "$@"; }

# flake [N]: the tests of dev, N times; each program whole, so the order of its tests is shuffled.
job_flake() {
  build_preset dev
  GTEST_SHUFFLE=1 run_ctest flake.log --preset dev -E '^(consumers|snippets)' \
    --repeat "until-fail:${1:-20}"
}

# Proving jobs that are not in `test`, the quickest first.
nightly_jobs=('tidy --alone' 'consumers --all' 'fuzz --seconds 60' 'preset asan' 'preset tsan'
  'preset hardened' 'preset no-exceptions' 'preset ubsan' 'preset asan-gcc' 'preset asan-no-uar'
  'preset tsan-nosync' 'preset msan-core' 'preset libcxx' 'preset protection' 'preset aarch64'
  'preset separate'
  inspector coverage faults mutants 'mutate 50' 'properties 20000'
  'stress --seconds 20' 'soak --minutes 10' 'flake 5' 'preset valgrind' matrix)

# nightly [--again]: a job that passed on this very tree is not run again.
job_nightly() {
  local job start result row failures=0 state all=$SECONDS
  local table=()
  state="build/nightly/$(git ls-files -co --exclude-standard -z | sort -z |
    xargs -0 sha1sum -- 2>/dev/null | sha1sum | cut -c1-16)"
  [[ "${1:-}" != --again ]] || rm -rf "$state"
  mkdir -p "$state"
  for job in "${nightly_jobs[@]}"; do
    local done="$state/${job// /_}"
    if [[ ! -f "$done" ]]; then
      start=$SECONDS
      result=ok
      note "nightly: $job"
      # shellcheck disable=SC2086 # reason: a job and its arguments are separate words
      bash ci/run ${job} || result=FAILED
      printf -v row '%-24s %-7s %6d s' "$job" "$result" "$((SECONDS - start))"
      if [[ "$result" == ok ]]; then echo "$row" >"$done"; else failures=$((failures + 1)); fi
    else
      row="$(<"$done")  (before)"
    fi
    table+=("$row")
  done
  echo
  printf '%s\n' "${table[@]}"
  note "nightly: $((SECONDS - all)) s"
  [[ "$failures" == 0 ]] || die "$failures jobs failed"
}
