#!/usr/bin/python3
"""Crash points by the million: the writer "killed" at its stores, the segment recovered and compared.

One process a processor, in rounds of a minute or so; each round's numbers are added to docs/data/reliability.json, so
that a run can be broken off at any time and the next one goes on from there with other seeds.

MAYFLY_TESTS         where crash_points is
MAYFLY_SOAK_SECONDS  how long; default: until the goal is reached, at least a round
MAYFLY_SOAK_JOBS     processes at once; default: one a processor"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

import reliability
import results

KIND = "crash_points"
GOAL = 250_000_000
ROUND_S = 60
SEEDS_A_ROUND = 1_000_000  # far more than a round can use


def one_round(code: str, seconds: int) -> dict:
    """Raises CalledProcessError when a promise was not kept; what was seen is on standard error."""
    program = pathlib.Path(os.environ["MAYFLY_TESTS"], "crash_points")
    first_seed = results.take_number(KIND, code) * SEEDS_A_ROUND
    run = subprocess.run([program, str(first_seed), str(seconds)], check=True, stdout=subprocess.PIPE)
    numbers = json.loads(run.stdout)
    numbers["most_cells"] = len(numbers.pop("cells"))
    numbers["seconds"] = seconds
    return results.add(KIND, code, numbers)


def main() -> int:
    code = results.fingerprint(KIND)
    jobs = int(os.environ.get("MAYFLY_SOAK_JOBS", os.cpu_count() or 1))
    limit = os.environ.get("MAYFLY_SOAK_SECONDS")
    end = time.monotonic() + float(limit or "inf")

    def work() -> None:
        totals = {"points": 0}
        while totals["points"] < GOAL and time.monotonic() < end:
            totals = one_round(code, max(1, int(min(ROUND_S, end - time.monotonic()))))
            print(f"crash points {totals['points']:,}, killed again inside recovery {totals['second_kills']:,}, "
                  f"cells {totals['most_cells']:,}", flush=True)

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        failures = [run.exception() for run in [pool.submit(work) for _ in range(jobs)] if run.exception()]
    for failure in failures:
        print(f"crash points: {failure}", file=sys.stderr)
    reliability.write()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
