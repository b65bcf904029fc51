"""What the soak runs in Python share: where the end-to-end tests are, and how one is run with larger numbers.

Not a run itself (it is not executable)."""

import os
import pathlib
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
E2E, FAULTS = TESTS / "e2e", TESTS / "faults"
sys.path.insert(0, str(E2E))


def run_test(file: str, *names: str, **environment: int | str) -> None:
    """Becomes that test file; `environment` are defaults. Does not return."""
    _become(E2E / file, names, environment)


def run_fault_test(file: str, *names: str, **environment: int | str) -> None:
    """The same for a file of tests/faults."""
    _become(FAULTS / file, names, {"PYTHONPATH": str(E2E), **environment})


def _become(file: pathlib.Path, names: tuple[str, ...], environment: dict[str, int | str]) -> None:
    env = {name: str(value) for name, value in environment.items()} | dict(os.environ)
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execve(sys.executable, [sys.executable, str(file), *names], env)
