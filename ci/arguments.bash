# SPDX-License-Identifier: Apache-2.0
#
# The arguments of each job of ci/run. Sourced by it, and checked before anything is installed or
# built, so that a mistake is reported at once.

# usage JOB: its text in the list of jobs.
usage() {
  job_help | awk -v job="$1" '
    /^  [^ ]/ { is_it = $1 == job }
    is_it { print }'
}

# names JOB: its valid names, for jobs that take names.
names() {
  case "$1" in
    test) echo "${test_steps[@]}" ;;
    quick) echo "${core_layers[@]}" testing ;;
    labels) echo "${!step_labels[@]}" ;;
    preset)
      # Of the first list, the ones that are not hidden.
      awk -F'"' '/"buildPresets"/ { exit }
        $2 == "name" { name[++n] = $4 }
        $2 == "hidden" { n-- }
        END { for (i = 1; i <= n; i++) print name[i] }' CMakePresets.json | xargs
      ;;
    fuzz) echo "${fuzz_targets[@]}" ;;
    mutants) sed -nE 's/^\[([a-z0-9_]+)\]$/\1/p' ci/mutants.toml | xargs ;;
  esac
}

# takes JOB: a regular expression for its arguments, each preceded by a blank. Checks that other
# programs of ours make before they build anything are left to them.
takes() {
  local number=' [0-9]+' real=' [0-9]+([.][0-9]+)?' name
  name="$(names "$1")"
  name="(${name// /|})"
  case "$1" in
    help | setup | corpus | faults | layers | style | format | cost-table | inspector) ;;
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

# check_arguments JOB ARGS...: ends with 2 and the job's usage if the job does not take them.
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
    demo) [[ $# == 0 || -d "$1" ]] || die "demo: '$1' is not a directory" 2 ;;
    matrix) matrix_names | grep -qE -- "${1:-.}" || die "no row of the matrix matches '$1'" 2 ;;
  esac
}
