"""What the scenarios share: one run of a program for each fault, in which every step is tried until it goes well."""

import contextlib
import http.client
import time
from collections.abc import Callable
from typing import Any

from daemon import PATIENCE_S, Daemon
from faults import Fault, State


class Scenario(contextlib.ExitStack):
    """Use as a context; run() once for each fault. What lives longer than a run is entered by prepare()."""

    program = ""
    variants: tuple[str, ...] = ("all",)

    def __init__(self, variant: str) -> None:
        super().__init__()
        self.variant = variant

    def __enter__(self) -> "Scenario":
        super().__enter__()
        try:
            self.prepare()
        except BaseException:
            self.close()
            raise
        return self

    def prepare(self) -> None:
        """Enters what all runs need."""

    def run(self, state: State, fault: Fault) -> None:
        """Raises Broken where a promise is not kept."""
        raise NotImplementedError


def in_the_end(daemon: Daemon, step: Callable[[], Any]) -> bool:
    """Does the step; a connection that breaks, or an answer that is not the expected one, is tried anew for a while.
    False when the daemon has ended."""
    end = time.monotonic() + PATIENCE_S
    last: object = None
    while time.monotonic() < end:
        try:
            step()
            return True
        except TimeoutError:
            raise daemon.broken("gives no answer") from None
        except (OSError, http.client.HTTPException, NotYet) as error:
            last = error
            # A connection breaks a moment before its program's end is to be seen.
            with contextlib.suppress(Exception):
                daemon.process.wait(0.02)
            if daemon.ended():
                return False
    raise daemon.broken(f"does not recover: {last!r}")


class NotYet(Exception):
    """An answer that is right only in between."""


def fetch(port: int, path: str, headers: dict[str, str] | None = None, wanted: int = 200) -> bytes:
    """One GET on a connection of its own; NotYet where the status is another one."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != wanted:
            raise NotYet(f"{path}: {answer.status} {body[:200]!r}")
        return body
    finally:
        connection.close()
