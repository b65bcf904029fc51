"""What the soak runs in Python share: where the end-to-end tests are, and how one is run with larger numbers.

Not a run itself (it is not executable)."""

import os
import pathlib
import sys

E2E = pathlib.Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))


def run_test(file: str, *names: str, **environment: int | str) -> None:
    """Becomes that test file; `environment` are defaults. Does not return."""
    env = {name: str(value) for name, value in environment.items()} | dict(os.environ)
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    os.execve(sys.executable, [sys.executable, str(E2E / file), *names], env)
