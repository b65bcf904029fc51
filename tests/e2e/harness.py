"""Starts the real programs in a runtime directory of their own, on free ports, and ends them.

    with harness.Stack() as stack:
        stack.mayfly("set", "web", "pid", "1")
        ...

MAYFLY_BIN names the directory of the programs. Nothing here sleeps in place of a condition: wait_for()
polls one, with a generous deadline.
"""

import json
import os
import pathlib
import queue
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

DEADLINE_S = 60.0
BIN = pathlib.Path(os.environ["MAYFLY_BIN"])
DEFAULT_PORTS = {"4717": "ingest", "4718": "redis", "4719": "relay", "4000": "hub"}


def wait_for(what: str, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """The first true answer of `condition`; an AssertionError naming `what` after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.005)


def process_exists(pid: int) -> bool:
    """False for a zombie too."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] not in "ZX"


def make_runtime_dir() -> str:
    """A new, empty, memory-backed directory."""
    return tempfile.mkdtemp(prefix="mayfly-e2e-", dir="/dev/shm")


def run_mayfly(*arguments: str, runtime_dir: str, **options: Any) -> subprocess.CompletedProcess:
    """Runs `mayfly ARGUMENTS` to its end; output as bytes."""
    env = dict(os.environ, RUNTIME_DIRECTORY=runtime_dir)
    env.pop("MAYFLY_ADDR", None)
    options.setdefault("timeout", DEADLINE_S)
    if "input" not in options:
        options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([str(BIN / "mayfly"), *arguments], env=env, capture_output=True, check=False, **options)


class Stack:
    """One `mayfly up`, with its events. Use as a context: its end stops everything and removes the data."""

    def __init__(self, *flags: str, runtime_dir: str | None = None, keep: bool = False, demo: bool = False,
                 memory: str = "64MiB", prefix: Sequence[str] = ()) -> None:
        self.runtime_dir = runtime_dir or make_runtime_dir()
        self.keep = keep
        self.events: list[dict] = []
        self._queue: queue.Queue[dict | None] = queue.Queue()
        self.log = tempfile.TemporaryFile("w+", errors="backslashreplace")
        ports = [part for name in ("ingest", "redis", "relay", "hub")
                 if f"--{name}-port" not in flags for part in (f"--{name}-port", "0")]
        arguments = ["up", "--json", "--runtime-dir", self.runtime_dir, *ports, *flags]
        if "--memory" not in flags:
            arguments += ["--memory", memory]
        if not demo:
            arguments.append("--no-demo")
        self.process = subprocess.Popen([*prefix, str(BIN / "mayfly"), *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=self.log)
        self._reader = threading.Thread(target=self._read_events, daemon=True)
        self._reader.start()
        self.ready: dict = {}

    def _read_events(self) -> None:
        for line in self.process.stdout:
            self._queue.put(json.loads(line))
        self._queue.put(None)

    def next_event(self, deadline_s: float = DEADLINE_S) -> dict:
        """The next event; an AssertionError when the program ends or says nothing."""
        try:
            event = self._queue.get(timeout=deadline_s)
        except queue.Empty:
            raise AssertionError("no event in time; log output:\n" + self.log_text()) from None
        if event is None:
            self._queue.put(None)
            raise AssertionError(f"mayfly up ended ({self.process.wait()}); log output:\n" + self.log_text())
        self.events.append(event)
        return event

    def wait_event(self, name: str, **fields: Any) -> dict:
        """The next event of that name with these fields; others are passed over (and kept in `events`)."""
        while True:
            event = self.next_event()
            if event["event"] == name and all(event.get(field) == value for field, value in fields.items()):
                return event

    def wait_ready(self) -> dict:
        self.ready = self.wait_event("ready")
        return self.ready

    def __enter__(self) -> "Stack":
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()
        self.process.stdout.close()
        self.log.close()
        if not self.keep:
            shutil.rmtree(self.runtime_dir, ignore_errors=True)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends `mayfly up`; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            code = self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self._reader.join(timeout=DEADLINE_S)
        return code

    def log_text(self) -> str:
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def info(self) -> dict:
        """mayfly.json."""
        return json.loads((pathlib.Path(self.runtime_dir) / "mayfly.json").read_text())

    def pid(self, program: str) -> int:
        return self.info()["pids"][program]

    def port(self, name: str) -> int:
        return int(self.ready[name].rsplit(":", 1)[1])

    def ports_by_default(self) -> dict[str, int]:
        """Which port stands for 4717 and so on."""
        return {default: self.port(name) for default, name in DEFAULT_PORTS.items() if self.ready.get(name)}

    def connect(self, name: str = "ingest") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port(name)), timeout=DEADLINE_S)

    def mayfly(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess:
        return run_mayfly(*arguments, runtime_dir=self.runtime_dir, **options)

    def barrier(self, connection: socket.socket) -> None:
        """Everything sent on this native connection is visible afterwards."""
        connection.sendall(b"PING harness-barrier\r\n")
        received = b""
        while not received.endswith(b"$15\r\nharness-barrier\r\n"):
            part = connection.recv(65536)
            if not part:
                raise AssertionError(f"closed before the barrier: {received!r}")
            received += part

    def send(self, *lines: bytes) -> None:
        """Sends inline commands on a connection of their own and waits until they are visible."""
        with self.connect() as connection:
            connection.sendall(b"".join(line + b"\n" for line in lines))
            self.barrier(connection)
