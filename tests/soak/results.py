"""Running totals of the long runs, kept in docs/data/reliability.json: what docs/reliability.md is made of.

Each kind of run has a list of entries, one a state of the code; a run adds to the entry of the state that it was
made with, so that a total never mixes two. A state is known by a hash over the sources concerned (and those of the
check itself), and shown by the first and the last commit at which something was added.

MAYFLY_RESULTS: another file than the repository's. Not a run itself (it is not executable)."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILE = pathlib.Path(os.environ.get("MAYFLY_RESULTS", ROOT / "docs" / "data" / "reliability.json"))
SUFFIXES = (".h", ".cpp", ".py", ".pml")
FINGERPRINT_DIGITS = 12

# By kind of run: the folders whose sources make up the state of the code.
STATES = {
    "crash_points": ("shm", "tests/crash"),
    "single_steps": ("shm", "ingestd", "tests/steps"),
    "kills": ("shm", "common", "ingestd", "relayd", "hubd", "supervisor"),
    "model": ("tests/model",),
}


def fingerprint(kind: str) -> str:
    digest = hashlib.sha256()
    for folder in STATES[kind]:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:FINGERPRINT_DIGITS]


def commit() -> str:
    """The commit checked out; `unknown` outside of a repository."""
    asked = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "--short=10", "HEAD"], capture_output=True, text=True,
                           check=False)
    return asked.stdout.strip() or "unknown"


def merged(one: Any, two: Any) -> Any:
    """Numbers add up; of what is named `most_…` the larger counts; other texts and lists: the newer."""
    if isinstance(one, dict) and isinstance(two, dict):
        together = dict(one)
        for key, value in two.items():
            if key not in one:
                together[key] = value
            elif key.startswith("most_"):
                together[key] = max(one[key], value)
            else:
                together[key] = merged(one[key], value)
        return together
    numbers = isinstance(one, (int, float)) and isinstance(two, (int, float))
    return one + two if numbers else two


def load() -> dict[str, list[dict]]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


@contextlib.contextmanager
def locked() -> Iterator[dict[str, list[dict]]]:
    """The totals, to be changed; written when the block ends well. One process at a time."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(FILE.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        totals = load()
        yield totals
        fresh = FILE.with_suffix(".new")
        fresh.write_text(json.dumps(totals, indent=1, sort_keys=True) + "\n")
        fresh.rename(FILE)
    finally:
        os.close(folder)


def entry_of(totals: dict[str, list[dict]], kind: str, code: str) -> dict:
    """The entry of that state, made the last of its list."""
    entries = totals.setdefault(kind, [])
    entry = next((one for one in entries if one["code"] == code), None)
    if entry is None:
        entry = {"code": code, "commits": [commit(), commit()], "totals": {}}
    else:
        entries.remove(entry)
    entry["commits"][1] = commit()
    entries.append(entry)
    return entry


def add(kind: str, code: str, numbers: dict) -> dict:
    """Adds a run's numbers to the totals of the state `code`; the new totals."""
    with locked() as totals:
        entry = entry_of(totals, kind, code)
        entry["totals"] = merged(entry["totals"], numbers)
        return entry["totals"]


def take_number(kind: str, code: str) -> int:
    """A number that no run of this state had before: seeds that follow from it never meet."""
    with locked() as totals:
        entry = entry_of(totals, kind, code)
        entry["runs"] = entry.get("runs", 0) + 1
        return entry["runs"]
