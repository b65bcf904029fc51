#!/usr/bin/python3
"""Kills of the real programs under load, round after round; each round is a stack of its own, and its numbers are
added to docs/data/reliability.json when it has passed.

MAYFLY_BIN, MAYFLY_TESTS  where the programs and the aimer are
MAYFLY_SOAK_SECONDS       how long; default: until the goal is reached
MAYFLY_ROUND_KILLS        of one round; default 300. The history that is checked grows with it
MAYFLY_FIREHOSE_RATE      see tests/e2e/kill_test.py"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import reliability
import results

KIND = "kills"
GOAL = 100_000
TEST = results.ROOT / "tests" / "e2e" / "kill_test.py"


def main() -> int:
    code = results.fingerprint(KIND)
    end = time.monotonic() + float(os.environ.get("MAYFLY_SOAK_SECONDS", "inf"))
    kills = os.environ.get("MAYFLY_ROUND_KILLS", "300")
    totals: dict = {"kills": {}}
    while sum(totals["kills"].values()) < GOAL and time.monotonic() < end:
        with tempfile.TemporaryDirectory() as folder:
            report = pathlib.Path(folder, "report.json")
            seed = results.take_number(KIND, code)
            environment = dict(os.environ, MAYFLY_KILLS=kills, MAYFLY_SEED=str(seed), MAYFLY_KILL_REPORT=str(report))
            if subprocess.run([sys.executable, str(TEST)], env=environment, check=False).returncode != 0:
                print(f"kills: a round failed, seed {seed}", file=sys.stderr)
                return 1
            totals = results.add(KIND, code, json.loads(report.read_text()))
        print(f"kills {sum(totals['kills'].values()):,}, found {totals['found']}", flush=True)
    reliability.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
