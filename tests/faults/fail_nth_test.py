"""Every system call and every allocation of the programs failed once in turn.

MAYFLY_FAULTS: how many of each program, seeded, or `all`. MAYFLY_SEED. MAYFLY_FAULT_PARTS: two numbers, I/N: only
the I-th of N parts of them. Scenario names as arguments: only those. MAYFLY_FAULT="PROGRAM VARIANT CAUSE NUMBER
ERRNO|short [CALL [KIND]]": that one alone, with what the program says."""

import collections
import errno
import os
import random
import sys
import time
import unittest

import daemon
import faults
from daemon import Broken
from faults import ALLOC, SANITIZED, SHORT, SYSCALL, Fault, State
from hubd_scenario import HubdScenario
from ingestd_scenario import IngestdScenario
from relayd_scenario import RelaydScenario
from scenario import Scenario
from tools_scenario import CommandScenario, UpScenario

HOW_MANY = os.environ.get("MAYFLY_FAULTS", "25")
SEED = int(os.environ.get("MAYFLY_SEED", "1"))
PART, PARTS = (int(number) for number in os.environ.get("MAYFLY_FAULT_PARTS", "1/1").split("/"))
SCENARIOS = (IngestdScenario, RelaydScenario, HubdScenario, UpScenario, CommandScenario)


def chosen(found: list[Fault], choose: random.Random) -> list[Fault]:
    if HOW_MANY != "all":
        found = sorted(choose.sample(found, min(int(HOW_MANY), len(found))), key=lambda fault: fault.number)
    return found[PART - 1::PARTS]


def replay(words: list[str]) -> None:
    """One fault again, in full sight."""
    program, variant, cause, number, way, *call = words
    scenario = next(scenario for scenario in SCENARIOS if scenario.program == program)
    with scenario(variant) as runner, State() as state:
        runner.run(state, Fault(cause, int(number), SHORT if way == "short" else getattr(errno, way), *call))
        print(f"fired: {state['fired']}\n{state.where()}")


class FailNth(unittest.TestCase):
    def test_each_program(self) -> None:
        for scenario in SCENARIOS:
            for variant in scenario.variants:
                for cause in (SYSCALL, ALLOC):
                    with self.subTest(program=scenario.program, variant=variant, cause=cause):
                        if cause == ALLOC and SANITIZED:
                            print(f"{scenario.program} {variant}, allocations: not run here, the sanitizer has its own allocator")
                            continue
                        self.each_fault(scenario(variant), cause)

    def each_fault(self, scenario: Scenario, cause: str) -> None:
        failures: list[str] = []
        reached: collections.Counter[str] = collections.Counter()
        began = time.monotonic()
        with scenario, State() as state:
            scenario.run(state, Fault(cause))
            found, never = faults.faults_of(cause, state["count"], state.calls())
            counted = state["count"]
            for fault in chosen(found, random.Random(SEED)):
                try:
                    scenario.run(state, fault)
                except Broken as broken:
                    failures.append(str(fault))
                    print(f"FAILED {broken}", flush=True)
                reached["failed" if state["fired"] else "not reached"] += 1
        print(f"{scenario.program} {scenario.variant}, {cause}: {counted} calls, {len(found)} faults, {reached['failed']} injected, "
              f"{reached['not reached']} not reached, {len(failures)} broken promises, {time.monotonic() - began:.0f} s; "
              f"cannot fail: {dict(never)}", flush=True)
        self.assertFalse(failures, "\n".join(failures))


if __name__ == "__main__":
    if "MAYFLY_FAULT" in os.environ:
        daemon.VERBOSE = True
        replay(os.environ["MAYFLY_FAULT"].split())
        sys.exit()
    names = sys.argv[1:]
    if names:
        SCENARIOS = tuple(scenario for scenario in SCENARIOS if scenario.program in names)
    unittest.main(argv=[sys.argv[0], "-v"])
