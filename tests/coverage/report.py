#!/usr/bin/env python3
"""Prints what the tests reach: branches of shm/, lines everywhere else. Called by `./dev test --coverage`.

    report.py ROOT BUILD [FILE...]

With FILEs, prints each line and branch of those that nothing reached. Ends with status 1 below a target: every
branch of shm/ is taken, but for those in unreachable.txt, which are at most 2 %; 95 % of the other lines run.
"""

import argparse
import pathlib
import re
import sys

from counts import Counts, collect
from unreachable import Unreachable

MOST_UNREACHABLE = 0.02
LEAST_LINES = 0.95
ENGINE = "shm"
ELSEWHERE = ("common", "ingestd", "relayd", "hubd", "supervisor", "cli")
# The same sources once more, built for the crash tests, whose every store is a call.
NOT_MEASURED = ("mayfly_shm_traced", "shm_crash_test")


# What a compiler decides, not the source: whether a brace that ends a scope destroys what a throw left behind,
# and whether an assertion holds.
NO_DECISION = re.compile(r"\s*(\}|assert\(.*\);)\s*$")


def text_of(root: pathlib.Path, file: str) -> list[str]:
    return (root / file).read_text().split("\n")


def forget_no_decisions(counts: Counts, root: pathlib.Path) -> None:
    for file, lines in counts.items():
        source = text_of(root, file)
        for number, line in lines.items():
            if number <= len(source) and NO_DECISION.match(source[number - 1]):
                line.branches.clear()


def missed_branches(counts: Counts, root: pathlib.Path, file: str) -> list[tuple[int, str, int, int]]:
    """Number, text, branches that nothing took, all branches: of each line that has such."""
    source = text_of(root, file)
    found = []
    for number, line in sorted(counts[file].items()):
        branches = line.branch_counts()
        missed = branches.count(0)
        if missed:
            found.append((number, source[number - 1].strip(), missed, len(branches)))
    return found


def report_branches(counts: Counts, root: pathlib.Path) -> bool:
    print(f"-- branches of {ENGINE}/ that a decision of the source takes")
    listed = Unreachable(pathlib.Path(__file__).with_name("unreachable.txt"))
    total = taken = excused = 0
    open_lines = []
    for file in sorted(file for file in counts if file.startswith(ENGINE + "/")):
        all_here = sum(len(line.branch_counts()) for line in counts[file].values())
        if all_here == 0:
            continue
        missed_here = excused_here = 0
        for number, text, missed, of in missed_branches(counts, root, file):
            excuse = listed.excuse(file, text, missed)
            missed_here += missed
            excused_here += excuse
            if missed > excuse:
                open_lines.append(f"   {file}:{number}: {missed - excuse} of {of} never taken: {text}")
        total += all_here
        taken += all_here - missed_here
        excused += excused_here
        print(f"   {file:28} {all_here - missed_here:5} of {all_here:5}  listed as unreachable {excused_here:3}")
    print(*open_lines, sep="\n" if open_lines else "")
    stale = listed.stale()
    for entry in stale:
        print(f"   unreachable.txt: nothing to excuse, or not so much: {entry}")
    share = excused / max(total, 1)
    reached = taken / max(total - excused, 1)
    print(f"branches of {ENGINE}/: {taken} of {total} taken, {excused} listed as unreachable ({share:.2%}, "
          f"at most {MOST_UNREACHABLE:.0%}), {total - taken - excused} open: {reached:.2%} of the reachable ones")
    return not open_lines and not stale and total > 0 and share <= MOST_UNREACHABLE


def report_lines(counts: Counts) -> bool:
    print("-- lines elsewhere")
    total = ran = 0
    for folder in ELSEWHERE:
        all_here = ran_here = 0
        for file in sorted(file for file in counts if file.startswith(folder + "/")):
            lines = counts[file]
            hit = sum(1 for line in lines.values() if line.count > 0)
            all_here += len(lines)
            ran_here += hit
            if hit < LEAST_LINES * len(lines):
                print(f"   {file:40} {hit:5} of {len(lines):5}  {hit / len(lines):7.1%}")
        total += all_here
        ran += ran_here
        print(f"{folder:12} {ran_here:6} of {all_here:6}  {ran_here / max(all_here, 1):7.2%}")
    share = ran / max(total, 1)
    print(f"lines elsewhere: {ran} of {total} run: {share:.2%} (at least {LEAST_LINES:.0%})")
    return total > 0 and share >= LEAST_LINES


def report_file(counts: Counts, root: pathlib.Path, file: str) -> None:
    source = text_of(root, file)
    for number, line in sorted(counts[file].items()):
        branches = line.branch_counts()
        if line.count == 0 or 0 in branches:
            print(f"{file}:{number}: {line.count} {branches} {source[number - 1].strip()}")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("root", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("file", nargs="*")
    arguments = parser.parse_args()
    counts = collect(arguments.root, arguments.build, (ENGINE, *ELSEWHERE), NOT_MEASURED)
    forget_no_decisions(counts, arguments.root)
    for file in arguments.file:
        report_file(counts, arguments.root, file)
    if arguments.file:
        return 0
    lines_do = report_lines(counts)
    branches_do = report_branches(counts, arguments.root)
    return 0 if lines_do and branches_do else 1


if __name__ == "__main__":
    sys.exit(main())
