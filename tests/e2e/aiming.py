"""kill -9 of an ingestd at a chosen moment (tests/kills/aimer.cpp), and counts of what it had under way."""

import collections
import json
import os
import pathlib
import subprocess

AIMER = pathlib.Path(os.environ.get("MAYFLY_TESTS", "")) / "aimer"
LIMIT_MS = 2000


class Aimer:
    """Of one segment file, which must be there and stay."""

    def __init__(self, segment: pathlib.Path, workers: int) -> None:
        self.process = subprocess.Popen([AIMER, segment, str(workers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.aimed = 0
        self.hits = 0
        self.not_seen = 0  # the successor was there before the look
        self.found: collections.Counter[str] = collections.Counter()
        self.unaimed: collections.Counter[str] = collections.Counter()  # of them, without aim
        self.inside_recovery = 0

    def _ask(self, line: str) -> dict:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise AssertionError(f"the aimer ended ({self.process.wait()})")
        return json.loads(answer)

    def _count(self, told: dict, aim: str) -> None:
        if "found" not in told:
            self.not_seen += 1
            return
        # Several workers may have had something under way: the rarest counts.
        kinds = told["found"]
        what = next((kind for kind in ("quotas", "move", "free", "batch") if kind in kinds), "nothing")
        self.found[what] += 1
        if aim == "any":
            self.unaimed[what] += 1

    def kill(self, pid: int, aim: str) -> bool:
        """`any`, `batch`, `move` or `quotas`. False if that process was gone already."""
        told = self._ask(f"kill {pid} {aim} {LIMIT_MS}")
        if not told["pid"]:
            return False
        if aim != "any":
            self.aimed += 1
            self.hits += told["hit"]
        self._count(told, aim)
        return True

    def kill_in_recovery(self, parent: int) -> int:
        """The successor of one that was killed with something under way; its pid, 0 if there was nothing to do."""
        told = self._ask(f"again {parent} {LIMIT_MS}")
        self.inside_recovery += told.get("inside_recovery", False)
        return told["pid"]

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
