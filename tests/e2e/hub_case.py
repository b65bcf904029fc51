"""Test cases with a stack and a hub of its own."""

import os
import signal
import unittest

import reading
from harness import Stack, wait_for
from hub_process import Hub

# A daemon that a test has stopped shall not be replaced for it.
PATIENT = ("--watchdog-ms", "600000", "--backoff-first-ms", "10", "--backoff-max-ms", "50")


def entry(name: str, kind: str = "log", **quotas: int | str) -> str:
    more = "".join(f", {quota}: {value}" for quota, value in quotas.items())
    return f"  - {{kind: {kind}, name: {name}{more}}}\n"


class Native:
    """A connection that reads what it is told. Use as a context."""

    def __init__(self, stack: Stack) -> None:
        self.socket = stack.connect()
        self.reader = self.socket.makefile("rb")

    def __enter__(self) -> "Native":
        return self

    def __exit__(self, *_) -> None:
        self.reader.close()
        self.socket.close()

    def line(self) -> bytes:
        return self.reader.readline()

    def dropped(self) -> dict[str, int]:
        """What DROPPED says, causes without drops aside."""
        self.say(b"DROPPED")
        count = int(self.line().removeprefix(b"*"))
        counts = {}
        for _ in range(count // 2):
            self.line()
            cause = self.line().strip().decode()
            counts[cause] = int(self.line().removeprefix(b":"))
        return {cause: number for cause, number in counts.items() if number}

    def say(self, *lines: bytes) -> None:
        self.socket.sendall(b"".join(line + b"\n" for line in lines))


class WithHub(unittest.TestCase):
    def start(self, directories: str, hub_up: bool = True, *flags: str) -> None:
        self.hub = Hub(directories)
        self.addCleanup(self.hub.__exit__)
        if hub_up:
            self.hub.start()
        self.stack = Stack(*PATIENT, *self.hub.host_flags(), *flags)
        self.addCleanup(self.stack.__exit__)
        self.stack.wait_ready()

    def directory(self, name: str = "demo", kind: str = "log") -> dict | None:
        return reading.find(reading.directories(self.stack), name, kind)

    def wait_quota(self, quota: str, value: int, name: str = "demo", kind: str = "log") -> dict:
        def in_force() -> dict | None:
            found = self.directory(name, kind)
            return found if found and found["quotas"][quota] == value else None
        return wait_for(f"{quota} {value} of {name}", in_force)

    def control(self) -> dict:
        return reading.inspect(self.stack, self.stack.runtime_dir + "/segments/control")

    def wait_published(self, names: set[str]) -> None:
        """Until relayd has published that list, whether or not ingestd looks at it."""
        wait_for(f"the list {names}", lambda: {rule["name"] for rule in self.control()["rules"]} == names)

    def restart(self, program: str) -> None:
        os.kill(self.stack.pid(program), signal.SIGKILL)
        self.stack.wait_event("started", program=program)

    def service_goes_on(self) -> None:
        before = self.directory()
        self.stack.send(b"LOG demo still here")
        self.assertEqual(self.directory()["stored"], before["stored"] + 1)

    def lines(self) -> list[str]:
        return [one["line"] for one in reading.get(self.stack.ready["relay"], "/api/v1/logs/demo").lines()]
