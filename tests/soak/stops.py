#!/usr/bin/python3
"""Each process stands still (SIGSTOP) for a minute under load, and goes on: tests/e2e/stop_test.py.

MAYFLY_STOP_SECONDS: how long each."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import reliability
import results

TEST = results.ROOT / "tests" / "e2e" / "stop_test.py"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder, "report.json")
        environment = {"MAYFLY_STOP_SECONDS": "60"} | dict(os.environ) | {"MAYFLY_KILL_REPORT": str(report)}
        if subprocess.run([sys.executable, str(TEST)], env=environment, check=False).returncode != 0:
            return 1
        results.add("kills", results.fingerprint("kills"), json.loads(report.read_text()))
    reliability.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
