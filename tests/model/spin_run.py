"""Runs spin on commit.pml: one exhaustive search for one set of -D switches."""

import dataclasses
import pathlib
import re
import subprocess
import tempfile

MODEL = pathlib.Path(__file__).resolve().parent / "commit.pml"
DEPTH = 1_000_000
DEADLINE_S = 4 * 3600


@dataclasses.dataclass
class Search:
    errors: int
    states: int
    output: str
    trail: str  # of the first error: the steps that lead to it


def search(*switches: str) -> Search:
    """All that the processes of the model can do. Raises subprocess errors, and ValueError if it was not all."""
    with tempfile.TemporaryDirectory(prefix="mayfly-model-") as folder:
        model = pathlib.Path(folder, "commit.pml")
        model.write_bytes(MODEL.read_bytes())

        def run(*command: str) -> str:
            return subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=DEADLINE_S).stdout

        defines = [f"-D{switch}" for switch in switches]
        run("spin", *defines, "-a", model.name)
        run("gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-o", "pan", "pan.c")
        output = run("./pan", f"-m{DEPTH}", "-w22")
        errors = int(re.search(r"errors: (\d+)", output)[1])
        if "max search depth too small" in output or (not errors and "Search not completed" in output):
            raise ValueError("the search did not see everything:\n" + output)
        trail = run("spin", *defines, "-t", "-p", model.name) if errors else ""
        return Search(errors, int(re.search(r"(\d+) states, stored", output)[1]), output, trail)


@dataclasses.dataclass(frozen=True)
class Fault:
    name: str
    kills: int  # that it takes to be seen
    weak_only: bool = False  # x86 hides it
    buffer: int = 2

    def switches(self) -> tuple[str, ...]:
        return (f"FAULT_{self.name}", "BATCHES=3", f"BUFFER={self.buffer}", f"KILLS={self.kills}")


FAULTS = (
    Fault("WORD_BEFORE_LOG", kills=1),
    Fault("COUNT_BEFORE_PAIR", kills=1),
    Fault("NO_STAMP", kills=0),
    Fault("STAMP_UNDONE", kills=1),
    Fault("STAMP_AFTER_CONTENTS", kills=0),
    Fault("GENERATION_BEFORE_COPY", kills=0),
    Fault("END_BEFORE_GENERATION", kills=1),
    Fault("ONE_COPY", kills=0),
    Fault("REUSE_IN_BATCH", kills=1),
    Fault("UNDO_FORWARD", kills=1),
    Fault("ZERO_FIRST", kills=2),
    Fault("NO_SECOND_LOOK", kills=0),
    Fault("NO_FENCE_AFTER_STAMP", kills=0, weak_only=True),
    Fault("NO_FENCE_BEFORE_COPY", kills=0, weak_only=True, buffer=3),
    Fault("GENERATION_RELAXED", kills=0, weak_only=True),
    Fault("PONG_RELAXED", kills=0, weak_only=True),
    Fault("COPY_NOT_ACQUIRED", kills=0, weak_only=True),
)
