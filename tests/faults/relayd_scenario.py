"""relayd through all that it does: quotas from the hub and a change of them, every kind of read, a tail, reads that
come through the tunnel, SIGTERM. hubd and ingestd are others, and have no faults."""

import contextlib
import itertools
import json
import pathlib
import shutil
import socket
import subprocess
from typing import Any

import harness
from daemon import PATIENCE_S, Broken, Daemon
from faults import Fault, State
from hub_process import NAME, Hub
from scenario import NotYet, Scenario, fetch, in_the_end

READS = ("/healthz", "/readyz", "/api/v1/status/state", "/api/v1/status/state/k", "/api/v1/logs/lines?last=5", "/api/v1/logs/lines/key?since=1h&grep=o",
         "/api/v1/keys/lines", "/metrics", "/loki/api/v1/labels", "/loki/api/v1/query_range?query=%7Bdirectory%3D%22lines%22%7D", "/")


def entries(max_keys: int) -> str:
    return (f"  - {{kind: log, name: lines, max_keys: {max_keys}}}\n"
            f"  - {{kind: status, name: state, max_keys: {max_keys}}}\n")


class RelaydScenario(Scenario):
    program = "relayd"

    def prepare(self) -> None:
        self.max_keys = itertools.count(1000)
        self.hub = self.enter_context(Hub(entries(next(self.max_keys))))
        self.hub.start()
        self.runtime_dir = harness.make_runtime_dir()
        self.callback(shutil.rmtree, self.runtime_dir, True)
        pathlib.Path(self.runtime_dir).chmod(0o755)
        self.ingestd = self.enter_context(
            Daemon(self.enter_context(State()), None, harness.BIN / "ingestd", "--runtime-dir", self.runtime_dir, "--memory", "8MiB",
                   "--ingest", "none", "--redis", "none"))
        if not self.ingestd.wait_ready():
            raise self.ingestd.broken("does not start")
        self.numbers = itertools.count()

    def run(self, state: State, fault: Fault) -> None:
        if not self._life(state, fault):
            self._life(state, None)
        for segment in ("control", "data"):
            checked = subprocess.run([harness.BIN / "mayfly", "inspect", f"{self.runtime_dir}/segments/{segment}", "--verify"],
                                     capture_output=True, stdin=subprocess.DEVNULL, check=False)
            if checked.returncode != 0:
                raise Broken(f"{fault}: {segment} does not verify: {checked.stdout!r}")

    def _life(self, state: State, fault: Fault | None) -> bool:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as listener, \
                Daemon(state, fault, harness.BIN / "relayd", "--runtime-dir", self.runtime_dir, "--config", self.hub.host_file,
                       "--hub-url", self.hub.url, handed={"relay": listener}) as daemon:
            port = listener.getsockname()[1]
            alive = daemon.wait_ready()
            if not alive and fault is None:
                raise daemon.broken("does not start where a predecessor failed")
            for step in (lambda: fetch(port, "/readyz"), self._write, *(lambda path=path: fetch(port, path) for path in READS),
                         lambda: self._tail(port), lambda: self._new_quotas(port), lambda: self._through_the_hub()):
                alive = alive and in_the_end(daemon, step)
            daemon.stop()
            return alive

    def _write(self) -> None:
        with contextlib.closing(self._connect()) as connection:
            connection.sendall(f"LOG lines key line-{next(self.numbers)}\nSTATUS state k v\nPING over\n".encode())
            received = b""
            while b"over" not in received:
                part = connection.recv(65536)
                if not part:
                    raise ConnectionError("closed")
                received += part

    def _connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE_S)
        connection.connect(f"{self.runtime_dir}/ingest.sock")
        return connection

    def _tail(self, port: int) -> None:
        with contextlib.closing(socket.create_connection(("127.0.0.1", port), PATIENCE_S)) as reader:
            reader.sendall(b"GET /api/v1/tail/lines?last=1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self._read_until(reader, b"line-")
            self._write()
            self._read_until(reader, f"line-{next(self.numbers) - 1}".encode())

    @staticmethod
    def _read_until(reader: socket.socket, wanted: bytes) -> None:
        received = b""
        while wanted not in received:
            part = reader.recv(65536)
            if not part:
                raise ConnectionError("closed")
            received += part

    def _new_quotas(self, port: int) -> None:
        if not getattr(self, "wanted", None):
            self.wanted = next(self.max_keys)
            self.hub.write(entries(self.wanted))
        found: Any = json.loads(fetch(port, "/api/v1/directories"))["directories"]
        if not all(directory["quotas"]["max_keys"] == self.wanted for directory in found):
            raise NotYet("the old quotas")
        self.wanted = None

    def _through_the_hub(self) -> None:
        fetch(self.hub.port, f"/frontend/servers/{NAME}/api/v1/logs/lines?last=1")
