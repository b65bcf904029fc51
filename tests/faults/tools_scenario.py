"""The command line: the supervisor from its start to its stop, and each command that reads or writes, beside a stack
that has no faults. The daemons that the supervisor starts have none either."""

import contextlib
import json
import os
import shutil

import harness
from daemon import PATIENCE_S, Daemon
from faults import Fault, State
from scenario import Scenario

COMMANDS = {
    "log": ("log", "demo", "k", "line"), "set": ("set", "state", "k", "v"), "ls": ("ls",), "get": ("get", "state"),
    "tail": ("tail", "demo", "-n", "3"), "inspect": ("inspect", "--verify"), "status": ("status",), "doctor": ("doctor",),
}


class UpScenario(Scenario):
    """`mayfly up`, alone in being failed."""

    program = "up"

    def run(self, state: State, fault: Fault) -> None:
        runtime_dir = harness.make_runtime_dir()
        try:
            if not self._life(runtime_dir, state, fault):
                self._life(runtime_dir, state, None)
        finally:
            shutil.rmtree(runtime_dir, ignore_errors=True)

    @staticmethod
    def _life(runtime_dir: str, state: State, fault: Fault | None) -> bool:
        ports = [part for name in ("ingest", "redis", "relay", "hub") for part in (f"--{name}-port", "0")]
        with Daemon(state, fault, harness.BIN / "mayfly", "up", "--no-demo", "--runtime-dir", runtime_dir, "--memory", "8MiB", *ports) as daemon:
            alive = daemon.wait_ready()
            if not alive and fault is None:
                raise daemon.broken("does not start where a predecessor failed")
            if alive:
                done = harness.run_mayfly("log", "demo", "k", "line", runtime_dir=runtime_dir)
                if done.returncode not in (0, 1):
                    raise daemon.broken(f"mayfly log: {done}")
            pids = UpScenario._children(runtime_dir)
            daemon.stop()
            # Whatever became of the supervisor, its children end.
            harness.wait_for("the end of the daemons", lambda: not any(map(harness.process_exists, pids)), PATIENCE_S)
            return alive

    @staticmethod
    def _children(runtime_dir: str) -> list[int]:
        with contextlib.suppress(OSError, ValueError, KeyError), open(f"{runtime_dir}/mayfly.json") as file:
            pids = json.load(file)["pids"]
            return [pid for name, pid in pids.items() if name != "supervisor"]
        return []


class CommandScenario(Scenario):
    """One command of `mayfly`: it does its work, or says why not with exit code 1."""

    program = "mayfly"
    variants = tuple(COMMANDS)

    def prepare(self) -> None:
        self.stack = self.enter_context(harness.Stack())
        self.stack.send(b"STATUS state k v", *[f"LOG demo k line {i}".encode() for i in range(20)])

    def run(self, state: State, fault: Fault) -> None:
        os.environ["RUNTIME_DIRECTORY"] = self.stack.runtime_dir
        try:
            with Daemon(state, fault, harness.BIN / "mayfly", *COMMANDS[self.variant]) as command:
                command.wait_end()
                command.stop()
        finally:
            del os.environ["RUNTIME_DIRECTORY"]
