"""What gcov counted: every object of a build with --coverage, merged into one count a line and branch.

A line belongs to as many functions as were compiled from it: copies of an inline function in several objects
and the instantiations of a template are added up, two lambdas on one line are not. A branch whose other side
is only taken by an exception is no decision of the source and is left out, with its other side.
"""

import collections
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
from collections.abc import Iterable

GCOV = os.environ.get("GCOV", "gcov")


class Line:
    """One line of source: how often it ran, and by function the counts of its branches."""

    def __init__(self) -> None:
        self.count = 0
        self.branches: dict[tuple[str, int], list[int]] = {}

    def add(self, function: str, count: int, branches: list[int]) -> None:
        self.count += count
        if not branches:
            return
        known = self.branches.setdefault((function, len(branches)), [0] * len(branches))
        for i, taken in enumerate(branches):
            known[i] += taken

    def branch_counts(self) -> list[int]:
        return [count for counts in self.branches.values() for count in counts]


# By file (relative to the root), by line number.
Counts = dict[str, dict[int, Line]]


def decisions(branches: list[dict]) -> list[int]:
    """The counts of the branches that the source decides."""
    kept: list[int] = []
    for branch in branches:
        if not branch["throw"]:
            kept.append(branch["count"])
        elif kept:
            kept.pop()  # the call that returned instead of throwing
    return kept


def plain_name(demangled: str) -> str:
    """A function's name; of a template only up to its parameters, so that all instantiations share one."""
    name = demangled
    while True:
        shorter = re.sub(r"<[^<>]*>", "", name)
        if shorter == name:
            break
        name = shorter
    # Only a template's name begins with the type that it returns.
    before, parameters, _ = name.partition("(")
    return before if parameters and " " in before.strip() else name


def read_object(notes: pathlib.Path, root: pathlib.Path) -> list[dict]:
    """gcov's report of one object: the sources below root."""
    run = subprocess.run([GCOV, "-b", "-j", "-t", str(notes.with_suffix(".gcda"))], capture_output=True, check=True,
                         cwd=notes.parent)
    sources = []
    for text in run.stdout.splitlines():
        report = json.loads(text)
        for source in report["files"]:
            path = pathlib.Path(os.path.normpath(pathlib.Path(report["current_working_directory"], source["file"])))
            if path.is_relative_to(root):
                source["file"] = str(path.relative_to(root))
                sources.append(source)
    return sources


def merge(counts: Counts, source: dict) -> None:
    names = {function["name"]: plain_name(function["demangled_name"]) for function in source["functions"]}
    lines = counts[source["file"]]
    for line in source["lines"]:
        function = names.get(line.get("function_name", ""), "")
        lines[line["line_number"]].add(function, line["count"], decisions(line["branches"]))


def collect(root: pathlib.Path, build: pathlib.Path, folders: Iterable[str], skipped: Iterable[str]) -> Counts:
    """The counts of the sources in `folders`, from all objects of `build` but those with a `skipped` name in their path."""
    wanted = tuple(folder + "/" for folder in folders)
    objects = [notes for notes in sorted(build.rglob("*.gcno"))
               if "CompilerId" not in str(notes) and not any(name in str(notes) for name in skipped)]
    counts: Counts = collections.defaultdict(lambda: collections.defaultdict(Line))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for sources in pool.map(lambda notes: read_object(notes, root), objects):
            for source in sources:
                if source["file"].startswith(wanted):
                    merge(counts, source)
    return counts
