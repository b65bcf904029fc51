#!/usr/bin/env bash
# Over a million crash points: the writer "killed" at its stores, the segment recovered and compared with
# the model. Two runs side by side with ranges of seeds that do not meet.
#
#   MAYFLY_TESTS         where shm_crash_test is
#   MAYFLY_CRASH_POINTS  of each run; default 1,200,000
set -euo pipefail

tests=${MAYFLY_TESTS:?names the directory of the test programs}
export MAYFLY_CRASH_POINTS=${MAYFLY_CRASH_POINTS:-1200000}
# A run takes at most three seeds' worth of points beyond those asked for: far from here to the next.
first_seeds=(1 1000001)

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT

runs=()
for seed in "${first_seeds[@]}"; do
  MAYFLY_CRASH_SEED=$seed "$tests/shm_crash_test" --gtest_filter='Crash.*' >"$logs/$seed" 2>&1 &
  runs+=($!)
done

status=0
for i in "${!runs[@]}"; do
  wait "${runs[i]}" || status=1
  echo "-- seeds from ${first_seeds[i]}"
  cat "$logs/${first_seeds[i]}"
done
cat "$logs"/* | awk '/^crash points/ { sub(",", "", $3); all += $3 } END { print "crash points in all:", all + 0 }'
exit "$status"
