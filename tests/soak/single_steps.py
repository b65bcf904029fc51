#!/usr/bin/python3
"""Single steps of the release build's ingestd, by the million: see docs/reliability.md.

Rounds of a minute or so; each round's numbers are added to docs/data/reliability.json.

MAYFLY_BIN, MAYFLY_TESTS  where ingestd and single_steps are
MAYFLY_SOAK_SECONDS       how long; default: until the goal is reached"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import reliability
import results

KIND = "single_steps"
GOAL = 10_000_000  # instructions in code of shm/
ROUND_S = 60
NO_LIMIT = 10**15


def code_ranges(program: pathlib.Path) -> str:
    """Begin and end of the functions of mayfly::shm, as single_steps reads them."""
    symbols = subprocess.run(["nm", "-S", "--defined-only", program], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"^([0-9a-f]+) ([0-9a-f]+) [tTwWu] \S*6mayfly3shm", symbols, re.MULTILINE)
    ranges = sorted((int(begin, 16), int(begin, 16) + int(size, 16)) for begin, size in found)
    return "".join(f"{begin:x} {end:x}\n" for begin, end in ranges)


def main() -> int:
    code = results.fingerprint(KIND)
    ingestd = pathlib.Path(os.environ["MAYFLY_BIN"], "ingestd").resolve()
    program = pathlib.Path(os.environ["MAYFLY_TESTS"], "single_steps")
    end = time.monotonic() + float(os.environ.get("MAYFLY_SOAK_SECONDS", "inf"))
    totals = {"in_segment_code": 0}
    with tempfile.NamedTemporaryFile("w", suffix=".ranges") as ranges:
        ranges.write(code_ranges(ingestd))
        ranges.flush()
        while totals["in_segment_code"] < GOAL and time.monotonic() < end:
            seconds = max(1, int(min(ROUND_S, end - time.monotonic())))
            seed = results.take_number(KIND, code)
            run = subprocess.run([program, ingestd, str(seed), str(seconds), str(NO_LIMIT), ranges.name],
                                 stdout=subprocess.PIPE, check=False)
            if run.returncode != 0:
                print(f"single steps: ended with {run.returncode}, seed {seed}", file=sys.stderr)
                return 1
            totals = results.add(KIND, code, json.loads(run.stdout) | {"seconds": seconds})
            print(f"instructions {totals['instructions']:,}, in code of shm/ {totals['in_segment_code']:,}, "
                  f"states of the memory {totals['images']:,}", flush=True)
    reliability.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
