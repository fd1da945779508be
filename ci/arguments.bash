# SPDX-License-Identifier: Apache-2.0
#
# What each job of ci/run takes. Sourced by it, and asked before anything is installed or built, so
# that a slip is answered at once.

# usage JOB: what the list of jobs says of it.
usage() {
  job_help | awk -v job="$1" '
    /^  [^ ]/ { is_it = $1 == job }
    is_it { print }'
}

# names JOB: what it can be told to do, for jobs that have names for that.
names() {
  case "$1" in
    test) echo "${test_steps[@]}" ;;
    quick) echo "${core_layers[@]}" testing ;;
    labels) echo "${!step_labels[@]}" ;;
    preset)
      # Of the first list, those that are not hidden.
      awk -F'"' '/"buildPresets"/ { exit }
        $2 == "name" { name[++n] = $4 }
        $2 == "hidden" { n-- }
        END { for (i = 1; i <= n; i++) print name[i] }' CMakePresets.json | xargs
      ;;
    fuzz) echo "${fuzz_targets[@]}" ;;
    mutants) sed -nE 's/^\[([a-z0-9_]+)\]$/\1/p' ci/mutants.toml | xargs ;;
  esac
}

# takes JOB: a regular expression over its arguments, each with a blank before it. What another
# program of ours checks before it builds anything is left to that.
takes() {
  local number=' [0-9]+' real=' [0-9]+([.][0-9]+)?' name
  name="$(names "$1")"
  name="(${name// /|})"
  case "$1" in
    help | setup | corpus | faults | layers | style | format | cost-table) ;;
    test | quick | mutants) printf '( %s)*' "$name" ;;
    nightly) printf '( --again)?' ;;
    labels) printf ' %s' "$name" ;;
    preset) printf ' %s( .*)?' "$name" ;;
    demo) printf '( [^-].*)?' ;;
    fuzz) printf '( --seconds%s| %s)*' "$number" "$name" ;;
    properties | flake) printf '( [1-9][0-9]*)?' ;;
    stress) printf '( --seconds%s| --seed%s| --plant| [a-z_]+)*' "$real" "$number" ;;
    soak)
      printf '( --minutes%s| --every%s| --coroutines%s| --seed%s| --plant)*' \
        "$real" "$real" "$number" "$number"
      ;;
    mutate) printf '.*' ;;
    bench) printf '( --rounds%s| --(only|against|build|output) [^ ]+| --quick| --four-million)*' \
      "$number" ;;
    coverage) printf '( --?[a-z].*)?' ;;
    su-compare) printf '( --(compiler|tool|build) [^ ]+| [^-].*)*' ;;
    matrix) printf '( [^ ]+)?' ;;
    tidy) printf '( --alone)?' ;;
    consumers) printf '( --all)?' ;;
  esac
}

# check_arguments JOB ARGS...: ends with 2, and says what the job takes, where it does not take them.
check_arguments() {
  local job="$1" given='' argument
  shift
  for argument in "$@"; do
    if [[ "$argument" == --help || "$argument" == -h ]]; then
      usage "$job"
      exit 0
    fi
    given+=" $argument"
  done
  if [[ ! "$given" =~ ^$(takes "$job")$ ]]; then
    printf 'ci/run: %s does not take%s\n' "$job" "${given:- nothing}" >&2
    usage "$job" >&2
    [[ -z "$(names "$job")" ]] || printf '%s\n' "names: $(names "$job")" >&2
    exit 2
  fi
  case "$job" in
    demo) [[ $# == 0 || -d "$1" ]] || die "demo: '$1' is no directory" 2 ;;
    matrix) matrix_names | grep -qE -- "${1:-.}" || die "no row of the matrix matches '$1'" 2 ;;
  esac
}
