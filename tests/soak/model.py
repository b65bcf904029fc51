#!/usr/bin/python3
"""The model of the commit protocol, searched exhaustively in sizes that take minutes and gigabytes.

Each search's size is kept in docs/data/reliability.json; what was searched in this state of the model is left out."""

import pathlib
import sys

import reliability
import results

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "model"))
import spin_run  # noqa: E402  pylint: disable=wrong-import-position

KIND = "model"
SEARCHES = (
    ("BATCHES=3", "KILLS=1", "BUFFER=4"),
    ("BATCHES=3", "KILLS=2", "BUFFER=4"),
    ("BATCHES=4", "KILLS=1", "BUFFER=3"),
    ("BATCHES=3", "KILLS=0", "BUFFER=4", "WEAK"),
    ("BATCHES=3", "KILLS=1", "BUFFER=3", "WEAK"),
    ("BATCHES=3", "KILLS=1", "BUFFER=4", "WEAK"),
)


def main() -> int:
    code = results.fingerprint(KIND)
    done = {}
    with results.locked() as totals:
        done = results.entry_of(totals, KIND, code)["totals"].get("searches", {})
    failed = 0
    for switches in SEARCHES:
        name = " ".join(switches)
        if name in done:
            continue
        found = spin_run.search(*switches)
        print(f"{name}: {found.states:,} states, {found.errors} errors\n{found.trail}", flush=True)
        failed += found.errors
        if not found.errors:
            results.add(KIND, code, {"searches": {name: found.states}})
    faults = {}
    for fault in spin_run.FAULTS:
        found = spin_run.search(*fault.switches(), *(("WEAK",) if fault.weak_only else ()))
        hidden = fault.weak_only and not spin_run.search(*fault.switches()).errors
        print(f"fault {fault.name}: {'found' if found.errors else 'NOT FOUND'}{', hidden on x86' if hidden else ''}",
              flush=True)
        failed += not found.errors
        faults[fault.name] = ("found" if found.errors else "not found") + (", hidden on x86" if hidden else "")
    results.add(KIND, code, {"faults": faults})
    reliability.write()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
