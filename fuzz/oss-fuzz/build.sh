#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
#
# Builds the harnesses in the image of a fuzzing farm (.clusterfuzzlite/Dockerfile), which sets CXX,
# CXXFLAGS, LIB_FUZZING_ENGINE, SANITIZER, SRC, OUT and WORK. CXXFLAGS contain the flags of the
# sanitizer, the engine and the standard library; bast must know the sanitizers that it notifies of
# every switch.

case "$SANITIZER" in
  address) sanitizer=address ;;
  memory)
    echo "bast has no harness for MemorySanitizer: libdw, libelf, capstone and ncurses, which the" \
      "harnesses of the inspector call, and libc++ would have to be instrumented too. Build with" \
      "SANITIZER=address, undefined or coverage." >&2
    exit 1
    ;;
  *) sanitizer="" ;;
esac

# command_argv_env is left out: it starts a program of ours, which the farm's machines do not have.
programs=(pool growth cancel_order process_driver timers choice sched scope combined)
files=(registry core perf_ring elf_frames su_ci recording budget draw)
targets=("${programs[@]}" "${files[@]}")

# No build type: the farm chooses the optimisation. No -Werror: its clang is newer. The machines
# that run the harnesses lack our libraries, so each is stored beside them and found by a DT_RPATH;
# a DT_RUNPATH would not apply to the libraries' own dependencies.
cmake -G Ninja -S "$SRC/bast" -B "$WORK/bast" \
  -DCMAKE_BUILD_TYPE= -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_CXX_FLAGS="$CXXFLAGS" \
  -DCMAKE_BUILD_RPATH='$ORIGIN/lib' \
  -DCMAKE_EXE_LINKER_FLAGS="${LDFLAGS:-} -Wl,--disable-new-dtags" \
  -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=0 \
  -DBAST_SANITIZER="$sanitizer" -DBAST_BUILD_FUZZERS=ON \
  -DBAST_FUZZING_ENGINE="$LIB_FUZZING_ENGINE" -DBAST_TOOLS=ON -DBAST_WERROR=OFF -DBAST_URING=OFF \
  -DBAST_TESTS=OFF -DBAST_SANITIZER_TESTS=OFF -DBAST_EXAMPLES=OFF -DBAST_INSTALL=OFF
cmake --build "$WORK/bast" --target bast_replay "${targets[@]/#/bast_fuzz_}"

mkdir -p "$OUT/lib"
for target in "${targets[@]}"; do
  cp "$WORK/bast/fuzz/bast_fuzz_$target" "$OUT/"
  # Not of the copy, which would find the libraries of earlier targets in $OUT/lib.
  ldd "$WORK/bast/fuzz/bast_fuzz_$target" |
    awk '$3 ~ /^\// && $1 !~ /^(libc|libm|libdl|libpthread|librt|libresolv)\.so/ { print $3 }' |
    xargs --no-run-if-empty cp -L -u -t "$OUT/lib"

  seeds="$WORK/seeds/$target" max_len=131072
  mkdir -p "$seeds"
  if [[ " ${programs[*]} " == *" $target "* ]]; then
    max_len=2055
    # Wrapping in hashes is not an error; the farm's machines ignore it too.
    UBSAN_OPTIONS=silence_unsigned_overflow=1 "$WORK/bast/fuzz/bast_replay" --bytes \
      "$seeds" "$target" "$SRC/bast/fuzz/seeds/$target"
  else
    cp "$SRC/bast/fuzz/seeds/$target"/* "$seeds"
  fi
  for directory in "$WORK/bast/fuzz/corpus/$target" "$SRC/bast/fuzz/regressions/$target"; do
    [[ ! -d "$directory" ]] || cp "$directory"/* "$seeds"
  done
  (cd "$seeds" && cmake -E tar cf "$OUT/bast_fuzz_${target}_seed_corpus.zip" --format=zip .)
  # Growth is tested on the stack itself; a sanitizer's fake stack would move the frames away.
  printf '[libfuzzer]\nmax_len = %s\n[asan]\ndetect_stack_use_after_return = 0\n' "$max_len" \
    >"$OUT/bast_fuzz_$target.options"
done
