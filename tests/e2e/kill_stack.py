"""A `mayfly up` whose processes are killed, one by one or together, and started again where nobody else does it."""

import contextlib
import os
import signal
import time

from aiming import Aimer
from harness import DEADLINE_S, Stack, process_exists, wait_for

FLAGS = ("--backoff-first-ms", "1", "--backoff-max-ms", "10", "--healthy-after-ms", "1")
PORTS = ("ingest", "redis", "relay", "hub")
WORKERS = 2


def all_events(stack: Stack) -> list[dict]:
    """Of a stack that has ended: those that were waited for, and the rest."""
    with contextlib.suppress(AssertionError):  # the end
        while True:
            stack.next_event()
    return stack.events


class KillStack:
    def __init__(self, runtime_dir: str, hub_file: str, *flags: str) -> None:
        self.runtime_dir = runtime_dir
        self.flags = (*FLAGS, "--workers", str(WORKERS), "--hub-config", hub_file, *flags)
        self.logs: list[str] = []
        self.killed: set[int] = set()
        self.exits: list[dict] = []
        self.stack = self._start()
        self.aimer = Aimer(self.stack_path("data"), WORKERS)

    def stack_path(self, name: str):
        return os.path.join(self.runtime_dir, "segments", name)

    def _start(self, *ports: str) -> Stack:
        stack = Stack(*self.flags, *ports, runtime_dir=self.runtime_dir, keep=True)
        try:
            stack.wait_ready()
        except BaseException:
            stack.__exit__()
            raise
        return stack

    def end(self) -> None:
        """Keeps what the stack has said, and ends what is left of it."""
        self.stack.stop()
        self.logs.append(self.stack.log_text())
        self.exits += [event for event in all_events(self.stack) if event["event"] == "exited"]
        self.stack.__exit__()

    def uninvited_exits(self) -> list[dict]:
        return [event for event in self.exits if event["pid"] not in self.killed]

    def start_again(self) -> None:
        """A new `mayfly up` where the one before was killed, on the same ports."""
        ports = [part for name in PORTS for part in (f"--{name}-port", str(self.stack.port(name)))]
        pids = self.stack.ready["pids"].values()
        self.end()
        self.stack = self._start(*ports)
        wait_for("the end of the orphans", lambda: not any(process_exists(pid) for pid in pids))

    def pids(self) -> dict[str, int]:
        return self.stack.info()["pids"]

    def pid(self, program: str) -> int:
        """Of a process that is alive."""
        def living() -> int:
            pid = self.pids().get(program, 0)
            return pid if pid and process_exists(pid) else 0
        return wait_for(program, living)

    def _send_kill(self, pid: int) -> None:
        self.killed.add(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)

    def _await_restart(self, program: str, pid: int) -> None:
        self.stack.wait_event("exited", program=program, pid=pid, signal=9)
        self.stack.wait_event("started", program=program)

    def kill_ingestd(self, aim: str, in_recovery: bool) -> int:
        """The number of kills it came to."""
        pid = self.pid("ingestd")
        self.killed.add(pid)
        if not self.aimer.kill(pid, aim):
            return 0
        successor = self.aimer.kill_in_recovery(self.stack.process.pid) if in_recovery else 0
        self._await_restart("ingestd", pid)
        if successor:
            self.killed.add(successor)
            self.stack.wait_event("exited", program="ingestd", pid=successor, signal=9)
            self.stack.wait_event("started", program="ingestd")
        return 2 if successor else 1

    def kill_one(self, program: str) -> None:
        """relayd or hubd."""
        pid = self.pid(program)
        self._send_kill(pid)
        self._await_restart(program, pid)

    def kill_both(self) -> None:
        """ingestd and relayd, whose segments the other one reads."""
        pids = {program: self.pid(program) for program in ("ingestd", "relayd")}
        for pid in pids.values():
            self._send_kill(pid)
        left = {(kind, program) for kind in ("exited", "started") for program in pids}
        while left:
            event = self.stack.next_event()
            if event["event"] == "exited" and event["pid"] not in pids.values():
                continue
            left.discard((event["event"], event.get("program")))

    def kill_supervisor(self) -> None:
        self.stack.process.kill()
        self.stack.process.wait(timeout=DEADLINE_S)
        self.start_again()

    def kill_everything(self) -> None:
        for pid in self.pids().values():
            self._send_kill(pid)
        self.stack.process.wait(timeout=DEADLINE_S)
        self.start_again()

    def stop_for(self, pid: int, seconds: float, meanwhile) -> None:
        """SIGSTOP; `meanwhile` is called again and again until the time is over; then it goes on."""
        os.kill(pid, signal.SIGSTOP)
        try:
            end = time.monotonic() + seconds
            while True:
                meanwhile()
                if time.monotonic() >= end:
                    break
        finally:
            os.kill(pid, signal.SIGCONT)
