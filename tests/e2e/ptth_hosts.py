"""Hosts that run a ptth_server (tests/peers), and a hub in front of them."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Any

PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"
sys.path.insert(0, str(PEERS))
import wire  # noqa: E402

from harness import DEADLINE_S, wait_for  # noqa: E402
from hub_process import Hub  # noqa: E402


def key_of(name: str) -> str:
    return f"a long enough key of {name}"


class PtthHub(Hub):
    """Knows servers by name; no login."""

    def __init__(self, *names: str) -> None:
        super().__init__("")
        self.serve(*names)

    def serve(self, *names: str) -> None:
        entries = "".join(f"  - {{name: {name}, tripcode: \"{wire.tripcode(key_of(name).encode())}\"}}\n" for name in names)
        self.write_raw(f"servers:\n{entries}")

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S)

    def peak_kib(self) -> int:
        """The most memory the hub ever had."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


class PtthServer:
    """One host, with files of its own in memory. Use as a context."""

    def __init__(self, hub: Hub, name: str) -> None:
        self.name = name
        self.root = tempfile.TemporaryDirectory(prefix="mayfly-ptth-", dir="/dev/shm")
        self.hub = hub
        self.events: list[dict] = []
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "PtthServer":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.kill()
        self.root.cleanup()

    def start(self) -> None:
        self.process = subprocess.Popen(
            ["/usr/bin/python3", PEERS / "ptth_server.py", "--relay-url", f"{self.hub.url}/7ZSFUKGV", "--name", self.name,
             "--api-key", key_of(self.name), "--file-server-root", self.root.name],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self.reader.start()

    def _read(self, lines) -> None:
        for line in lines:
            self.events.append(json.loads(line))

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=DEADLINE_S)
            self.reader.join(timeout=DEADLINE_S)
            self.process.stdout.close()
            self.process = None

    def put(self, name: str, data: bytes, mode: int = 0o644) -> pathlib.Path:
        path = pathlib.Path(self.root.name) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(mode)
        return path

    def put_large(self, name: str, size: int) -> None:
        """Zeros that cost no memory, between two marks."""
        with open(pathlib.Path(self.root.name) / name, "wb") as file:
            os.truncate(file.fileno(), size)
            file.write(b"first")
            file.seek(size - 4)
            file.write(b"last")

    def of(self, event: str) -> list[dict]:
        return [one for one in list(self.events) if one["event"] == event]

    def wait_posted(self, text: str) -> dict:
        return wait_for(f"a POST answered {text!r}",
                        lambda: next((one for one in self.of("posted") if one["text"] == text), None))
