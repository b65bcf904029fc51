#!/usr/bin/env python3
"""Puts one small fault at a time into a copy of the segment code, and shows which test notices.

    tests/mutants/run.py [--all-tests] [--data FILE] [--page FILE] [NAME...]

Without NAMEs: all of faults.py. Each fault is an exact text that is replaced in one file; a text that is not found
exactly once is an error, before anything is built. Tests run in order of cost until one fails, or dies, or does not
end; --all-tests runs the others too. Ends with status 1 when a fault that the tests should notice is noticed by
none, or when one that they cannot notice is noticed after all. The tree is copied to build/mutants.
"""

import argparse
import dataclasses
import os
import pathlib
import shutil
import subprocess
import sys
import time

import table
from faults import FAULTS, Fault

ROOT = pathlib.Path(__file__).resolve().parents[2]
TREE = ROOT / "build" / "mutants" / "tree"
BUILD = ROOT / "build" / "mutants" / "build"
# What one test program is allowed to take, in seconds: with a fault in it may never end.
LIMIT_S = int(os.environ.get("MAYFLY_MUTANT_LIMIT", "900"))
# In order of cost.
TESTS = ("shm_test", "shm_edge_test", "shm_thread_test", "shm_property_test", "shm_crash_test")
COPIED = ("CMakeLists.txt", "CMakePresets.json", "cmake", "shm", "common", "web", "ingestd", "relayd", "hubd", "supervisor",
          "cli", "tests", "docs")


@dataclasses.dataclass
class Outcome:
    fault: Fault
    noticed_by: list[dict] = dataclasses.field(default_factory=list)  # {"test", "how"}
    seconds: float = 0.0

    @property
    def as_expected(self) -> bool:
        return bool(self.noticed_by) == (self.fault.unseen is None)


def copy_tree() -> None:
    """Makes the copy equal to the tree, without touching what is equal already: less to build."""
    TREE.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        source = ROOT / name
        for file in [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file()):
            if "__pycache__" in file.parts:
                continue
            copy = TREE / file.relative_to(ROOT)
            if not copy.exists() or copy.read_bytes() != file.read_bytes():
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)


def check_texts(faults: list[Fault]) -> None:
    wrong = [f"{fault.name}: {count} times in {fault.file}:\n{fault.old}" for fault in faults
             if (count := (ROOT / fault.file).read_text().count(fault.old)) != 1]
    if wrong:
        raise SystemExit("these texts are not in the source exactly once:\n" + "\n".join(wrong))


def configure() -> None:
    # Without unity builds a fault costs the files that it is in.
    subprocess.run(["cmake", "-S", TREE, "-B", BUILD, "--preset", "dev", "-DCMAKE_UNITY_BUILD=OFF", "-DMAYFLY_BENCH=OFF"],
                   check=True, stdout=subprocess.DEVNULL)


def build(target: str) -> str:
    """Empty, or the compiler's complaint: a fault that does not compile is a mistake in faults.py."""
    jobs = os.environ.get("MAYFLY_JOBS", str(os.cpu_count()))
    run = subprocess.run(["cmake", "--build", BUILD, "--parallel", jobs, "--target", target], capture_output=True, text=True,
                         check=False)
    return "" if run.returncode == 0 else run.stdout[-4000:] + run.stderr[-1000:]


def failure_of(test: str) -> str:
    """How the test program failed, or an empty string when it passed."""
    command = [str(BUILD / "tests" / test), "--gtest_brief=1", "--gtest_fail_fast"]
    environment = dict(os.environ, MAYFLY_CRASH_POINTS=os.environ.get("MAYFLY_CRASH_POINTS", "60000"))
    try:
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT_S, check=False,
                             env=environment, cwd=BUILD)
    except subprocess.TimeoutExpired:
        return f"does not end within {LIMIT_S} s"
    if run.returncode == 0:
        return ""
    failed = [line.split("]", 1)[1].split("(")[0].strip() for line in run.stdout.splitlines() if line.startswith("[  FAILED  ]")]
    if failed:
        return failed[0].rstrip(",")
    return f"ends with signal {-run.returncode}" if run.returncode < 0 else f"ends with status {run.returncode}"


def try_fault(fault: Fault, all_tests: bool) -> Outcome:
    outcome = Outcome(fault)
    file = TREE / fault.file
    whole = file.read_text()
    began = time.monotonic()
    file.write_text(whole.replace(fault.old, fault.new))
    try:
        for test in TESTS:
            if complaint := build(test):
                raise SystemExit(f"{fault.name} does not compile:\n{complaint}")
            if how := failure_of(test):
                outcome.noticed_by.append({"test": test, "how": how})
                if not all_tests:
                    break
    finally:
        file.write_text(whole)
    outcome.seconds = time.monotonic() - began
    return outcome


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--all-tests", action="store_true")
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / "docs" / "data" / "mutants.json")
    parser.add_argument("--page", type=pathlib.Path, default=ROOT / "docs" / "mutants.md")
    parser.add_argument("name", nargs="*")
    arguments = parser.parse_args()
    chosen = [fault for fault in FAULTS if not arguments.name or fault.name in arguments.name]
    if len({fault.name for fault in FAULTS}) != len(FAULTS) or (arguments.name and len(chosen) != len(arguments.name)):
        raise SystemExit("a name twice, or one that is none of: " + " ".join(fault.name for fault in FAULTS))
    check_texts(chosen)
    copy_tree()
    configure()
    for test in TESTS:
        if complaint := build(test):
            raise SystemExit("the tree itself does not compile:\n" + complaint)
        if how := failure_of(test):
            raise SystemExit(f"without any fault, {test} fails: {how}")
    outcomes = []
    for fault in chosen:
        outcome = try_fault(fault, arguments.all_tests)
        outcomes.append(outcome)
        said = "; ".join(f"{entry['test']}: {entry['how']}" for entry in outcome.noticed_by) or "-- survives"
        print(f"{'' if outcome.as_expected else 'UNEXPECTED '}{fault.name:32} {outcome.seconds:6.0f} s  {said}", flush=True)
    noticed = sum(1 for outcome in outcomes if outcome.noticed_by)
    print(f"faults {len(outcomes)}, noticed {noticed}, survived as explained "
          f"{sum(1 for o in outcomes if not o.noticed_by and o.as_expected)}, "
          f"unexpected {sum(1 for o in outcomes if not o.as_expected)}")
    if len(chosen) == len(FAULTS):
        table.write(outcomes, arguments.data, arguments.page)
    return 0 if all(outcome.as_expected for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
