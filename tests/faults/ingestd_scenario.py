"""ingestd through all that it does: start on a new or an old segment, both protocols, large values, a change of
quotas, SIGTERM. What a PONG covered must be there afterwards, whichever call failed."""

import contextlib
import itertools
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
from typing import Any

import harness
from daemon import PATIENCE_S, Broken, Daemon
from faults import Fault, State
from scenario import Scenario, in_the_end

MEMORY = "24MiB"
LARGE = 150_000
QUOTAS = {
    "first": "  - {kind: log, name: lines, max_value_bytes: 1MiB, max_total_bytes: 8MiB, max_events_per_key: 100000}\n  - {kind: status, pattern: '*'}\n",
    "second": "  - {kind: log, name: lines, max_value_bytes: 1MiB, max_total_bytes: 8MiB, max_events_per_key: 100000, max_age: 1h}\n"
              "  - {kind: log, name: late}\n  - {kind: status, pattern: '*', max_keys: 100}\n",
}


class Templates:
    """Segments as a whole `mayfly up` leaves them, to be copied for each run. Use as a context."""

    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mayfly-templates-", dir="/dev/shm"))

    def __enter__(self) -> "Templates":
        for name, entries in QUOTAS.items():
            hub_file = self.folder / f"{name}.yaml"
            hub_file.write_text("directories:\n" + entries)
            with harness.Stack("--hub-config", str(hub_file), memory=MEMORY) as stack:
                if name == "second":
                    stack.send(b"LOG lines old of before")
                stack.stop()
                for segment in ("control", "data"):
                    shutil.copy(f"{stack.runtime_dir}/segments/{segment}", self.folder / f"{name}-{segment}")
        return self

    def __exit__(self, *_: Any) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    """Writes to ingestd's unix socket, over and over if need be, and knows what was promised."""

    def __init__(self, runtime_dir: str) -> None:
        self.path = f"{runtime_dir}/ingest.sock"
        self.promised: list[tuple[str, str, str]] = []
        self.numbers = itertools.count()

    def batch(self, connection: socket.socket, count: int, size: int = 20) -> None:
        """Some records and a barrier; after its PONG they are promised."""
        values = [f"{next(self.numbers)}-".ljust(size, "x") for _ in range(count)]
        records = [("lines", f"key{i % 7}", value) for i, value in enumerate(values)]
        parts = []
        for i, (directory, key, value) in enumerate(records):
            if i % 2 == 0:
                parts.append(f"LOG {directory} {key} {value}\n" if size < 60_000 else _resp("LOG", directory, key, value))
            else:
                parts.append(_resp("LOG", directory, key, value))
        connection.sendall("".join(parts).encode() + b"PING over\nDROPPED\nPING after\n")
        answers = _await(connection, b"$5\r\nafter\r\n")
        if re.search(rb"\r\n:[1-9]", answers):  # while service was stopped: no promise
            raise ConnectionError("dropped")
        self.promised += records

    def native(self) -> None:
        with contextlib.closing(_connect_unix(self.path)) as connection:
            for _ in range(3):
                self.batch(connection, 40)
            self.batch(connection, 2, LARGE)
            connection.sendall(b"STATUS some k v\nNONSENSE\nDROPPED\nUNSET some k\nQUIT\n")
            _drain(connection)
        with contextlib.closing(_connect_unix(self.path)) as connection:
            connection.sendall(b"LOG lines gone-at-once 1\nGET / HTTP/1.1\r\n\r\n")
            _drain(connection)

    def redis(self, address: tuple[str, int]) -> None:
        with contextlib.closing(socket.create_connection(address, PATIENCE_S)) as connection:
            value = f"{next(self.numbers)}-redis"
            connection.sendall(_resp("HELLO", "2").encode() + _resp("XADD", "lines", "*", "redis", value).encode()
                               + _resp("HSET", "some", "k", "v").encode() + _resp("PING", "over").encode())
            _await(connection, b"$4\r\nover\r\n")
            self.promised.append(("lines", "redis", value))

    def sees(self, directory: str) -> bool:
        """That ingestd knows this directory of the quotas."""
        with contextlib.closing(_connect_unix(self.path)) as connection:
            connection.sendall(f"LOG {directory} key late\nDROPPED\nQUIT\n".encode())
            return re.search(rb"unknown_directory\r\n:[1-9]", _drain(connection)) is None


def _resp(*words: str) -> str:
    return f"*{len(words)}\r\n" + "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)


def _connect_unix(path: str) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_S)
    connection.connect(path)
    return connection


def _await(connection: socket.socket, end: bytes) -> bytes:
    received = b""
    while end not in received:
        part = connection.recv(65536)
        if not part:
            raise ConnectionError("closed")
        received += part
    return received


def _drain(connection: socket.socket) -> bytes:
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


class IngestdScenario(Scenario):
    program = "ingestd"
    variants = ("fresh", "resumed")

    def prepare(self) -> None:
        self.templates = self.enter_context(Templates())

    def run(self, state: State, fault: Fault) -> None:
        runtime_dir = harness.make_runtime_dir()
        try:
            segments = pathlib.Path(runtime_dir, "segments")
            os.chmod(runtime_dir, 0o755)
            segments.mkdir(mode=0o750)
            shutil.copy(self.templates.folder / "first-control", segments / "control")
            if self.variant == "resumed":
                shutil.copy(self.templates.folder / "second-data", segments / "data")
            client = Client(runtime_dir)
            survived = self._life(runtime_dir, client, state, fault)
            if not survived:  # the successor must find everything in order
                self._life(runtime_dir, client, state, None)
            self._check(segments / "data", client, fault)
        finally:
            shutil.rmtree(runtime_dir, ignore_errors=True)

    def _life(self, runtime_dir: str, client: Client, state: State, fault: Fault | None) -> bool:
        """One run of ingestd. False when it ended by itself."""
        with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as redis, \
                Daemon(state, fault, harness.BIN / "ingestd", "--runtime-dir", runtime_dir, "--memory", MEMORY, "--workers", 2,
                       "--ingest", "127.0.0.1:0", handed={"redis": redis}) as daemon:
            alive = daemon.wait_ready()
            if not alive and fault is None:
                raise daemon.broken("does not start where a predecessor failed")
            steps = (client.native, lambda: client.redis(redis.getsockname()), lambda: self._new_quotas(runtime_dir, client, daemon),
                     client.native)
            for step in steps:
                alive = alive and in_the_end(daemon, step)
            daemon.stop()
            return alive

    def _new_quotas(self, runtime_dir: str, client: Client, daemon: Daemon) -> None:
        fresh = pathlib.Path(runtime_dir, "segments", "control.new")
        shutil.copy(self.templates.folder / "second-control", fresh)
        fresh.rename(fresh.with_name("control"))
        end = time.monotonic() + PATIENCE_S
        while not daemon.ended() and not client.sees("late"):
            if time.monotonic() > end:
                raise daemon.broken("does not take the new quotas")
            time.sleep(0.005)

    @staticmethod
    def _check(segment: pathlib.Path, client: Client, fault: Fault) -> None:
        looked = subprocess.run([harness.BIN / "mayfly", "inspect", segment, "--verify", "--records"], capture_output=True,
                                stdin=subprocess.DEVNULL, check=False)
        if looked.returncode != 0:
            raise Broken(f"{fault}: the segment does not verify: {looked.stdout.decode()}{looked.stderr.decode()}")
        there = set()
        for line in looked.stdout.decode().splitlines():
            record = json.loads(line)
            if "line" in record or "value" in record:
                there.add((record["key"], record.get("line", record.get("value"))))
        lost = [record for record in client.promised if record[1:] not in there]
        if lost:
            raise Broken(f"{fault}: {len(lost)} of {len(client.promised)} promised records are lost, such as {str(lost[0])[:80]}")
