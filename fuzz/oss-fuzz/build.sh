#!/bin/bash -eu
# SPDX-License-Identifier: Apache-2.0
#
# Called by OSS-Fuzz with CXX, CXXFLAGS, LIB_FUZZING_ENGINE, SANITIZER, OUT and WORK set. The
# engine's flags come with CXXFLAGS; bast must know the sanitizer too: it tells it of every switch.

case "$SANITIZER" in
  address | memory | undefined) sanitizer="$SANITIZER" ;;
  *) sanitizer="" ;;
esac

cmake -G Ninja -S "$SRC/bast" -B "$WORK/bast" \
  -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_COMPILER="$CXX" -DCMAKE_CXX_FLAGS="$CXXFLAGS" \
  -DBAST_SANITIZER="$sanitizer" -DBAST_BUILD_FUZZERS=ON \
  -DBAST_FUZZING_ENGINE="$LIB_FUZZING_ENGINE" \
  -DBAST_TESTS=OFF -DBAST_EXAMPLES=OFF -DBAST_INSTALL=OFF
cmake --build "$WORK/bast"

# command_argv_env is left out: it starts a program of ours, which is not on the farm's machines.
for target in pool growth cancel_order process_driver combined; do
  cp "$WORK/bast/fuzz/bast_fuzz_$target" "$OUT/"
  "$WORK/bast/fuzz/bast_replay" --bytes "$WORK/seeds/$target" "$target" \
    "$SRC/bast/fuzz/seeds/$target"
  corpora=("$WORK/seeds/$target")
  for directory in "$SRC/bast/fuzz/corpus/$target" "$SRC/bast/fuzz/regressions/$target"; do
    [[ ! -d "$directory" ]] || corpora+=("$directory")
  done
  zip -q -r -j "$OUT/bast_fuzz_${target}_seed_corpus.zip" "${corpora[@]}"
  # Growth is tested on the stack itself; a sanitizer's fake stack would take the frames away.
  printf '[libfuzzer]\nmax_len = 2055\n[asan]\ndetect_stack_use_after_return = 0\n' \
    >"$OUT/bast_fuzz_$target.options"
done
