#!/usr/bin/python3
"""A hundred million records through 64 connections and 10,000 keys: all accounted for, in constant memory.

The proportional set size of all daemons is sampled each second. After a warm-up of a tenth of the records it may vary
by 1 MiB. Pages of the segments that the load's own probe maps too count in full: who else looks is no matter here.

MAYFLY_SOAK_RECORDS: how many records. MAYFLY_SOAK_MEMORY: size of the segment."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading

import soak  # makes the modules of tests/e2e known

import harness
import reading

RECORDS = int(os.environ.get("MAYFLY_SOAK_RECORDS", 100_000_000))
MEMORY = os.environ.get("MAYFLY_SOAK_MEMORY", "128MiB")
CONNECTIONS, KEYS, VALUE_BYTES = 64, 10_000, 100
WARM_UP = 0.1
MAX_VARIATION = 1 << 20
INTERVAL_S = 1.0
DIRECTORIES = (f"directories:\n  - {{kind: log, pattern: \"load*\", max_keys: {KEYS}, max_events_per_key: 1000, "
               "max_total_bytes: 64MiB}\n")


def pss(pid: int) -> dict[str, int]:
    """Bytes: Pss, and its parts Pss_Anon, Pss_File, Pss_Shmem."""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return {name: int(kib) * 1024 for name, kib in re.findall(r"^(Pss\w*):\s+(\d+) kB", text, re.MULTILINE)}


class Sampler(threading.Thread):
    """Samples until the load ends. Errors end it early, and show in that it has too few samples."""

    def __init__(self, daemons: dict[str, int], load: subprocess.Popen) -> None:
        super().__init__(daemon=True)
        self.daemons = daemons
        self.load = load
        self.sent = 0
        self.samples: list[dict[str, int]] = []  # total, shared, and each daemon's private part
        self.stopping = threading.Event()

    def run(self) -> None:
        progress = threading.Thread(target=self._read_progress, daemon=True)
        progress.start()
        while not self.stopping.wait(INTERVAL_S) and self.load.poll() is None:
            self.samples.append(self._sample())
        progress.join()

    def _read_progress(self) -> None:
        for line in self.load.stderr:
            if found := re.search(rb"(\d+) records ", line):
                self.sent = int(found[1])

    def _sample(self) -> dict[str, int]:
        sizes = {name: pss(pid) for name, pid in self.daemons.items()}
        shared = sum(size["Pss_Shmem"] for size in sizes.values()) + pss(self.load.pid)["Pss_Shmem"]
        private = {name: size["Pss"] - size["Pss_Shmem"] for name, size in sizes.items()}
        return {"sent": self.sent, "total": shared + sum(private.values()), "shared": shared, **private}


def mib(size: int) -> str:
    return f"{size / (1 << 20):.2f} MiB"


def report(samples: list[dict[str, int]], segments: int) -> list[str]:
    """Prints what was measured; what is wrong with it."""
    warm = [sample for sample in samples if sample["sent"] >= RECORDS * WARM_UP]
    if len(warm) < 2:
        return [f"{len(samples)} samples, {len(warm)} of them after the warm-up: too few"]
    print(f"{len(warm)} samples after {WARM_UP:.0%} of the records, {len(samples) - len(warm)} before")
    for part in [name for name in warm[0] if name != "sent"]:
        sizes = [sample[part] for sample in warm]
        print(f"  {part:<10} {mib(min(sizes)):>12} to {mib(max(sizes)):>12}, varies by {mib(max(sizes) - min(sizes))}")
    problems = []
    totals = [sample["total"] for sample in warm]
    if max(totals) - min(totals) > MAX_VARIATION:
        problems.append(f"memory varies by {mib(max(totals) - min(totals))}")
    print(f"  segments: {mib(segments)} on the file system; {mib(max(totals) - warm[0]['shared'])} besides")
    if max(sample["shared"] for sample in warm) > segments:
        problems.append(f"more is shared than the segments' {mib(segments)}")
    return problems


def run(stack: harness.Stack) -> list[str]:
    command = [harness.BIN / "mayfly", "load", "--runtime-dir", stack.runtime_dir, "--json", "--records", str(RECORDS),
               "--connections", str(CONNECTIONS), "--keys", str(KEYS), "--size", str(VALUE_BYTES)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as load:
        sampler = Sampler(stack.info()["pids"], load)
        sampler.start()
        result = json.loads(load.stdout.read())
        sampler.stopping.set()
        sampler.join()
    print(f"{result['sent']} records in {result['seconds']:.0f} s, {result['records_per_second']:.0f} a second; "
          f"dropped {result['dropped']}, unknown {result['unknown']}")
    segments = sum(file.stat().st_blocks * 512 for file in pathlib.Path(stack.runtime_dir, "segments").iterdir())
    problems = report(sampler.samples, segments)
    if not result["accounted"] or result["stored_in_segment"] != RECORDS:
        problems.append(f"not accounted for: {result}")
    problems += reading.imbalances(reading.directories(stack))
    if stack.mayfly("inspect", "--verify", timeout=600).returncode != 0:
        problems.append("the segment does not verify")
    return problems


def main() -> int:
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as hub_file:
        hub_file.write(DIRECTORIES)
        hub_file.flush()
        with harness.Stack("--hub-config", hub_file.name, memory=MEMORY) as stack:
            problems = run(stack)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
