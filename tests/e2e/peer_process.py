"""The PTTH programs of tests/peers, run as processes; what they say of themselves, as events."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from typing import Any

from harness import DEADLINE_S, wait_for

PEERS = pathlib.Path(__file__).resolve().parent.parent / "peers"


class Peer:
    """One program. Use as a context."""

    def __init__(self, program: str, *arguments: str) -> None:
        self.events: list[dict] = []
        self.process = subprocess.Popen([sys.executable, PEERS / program, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, env=dict(os.environ, PYTHONDONTWRITEBYTECODE="1"))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def stop(self, number: int = signal.SIGKILL) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
        self.process.wait(timeout=DEADLINE_S)
        self._reader.join(timeout=DEADLINE_S)
        self.process.stdout.close()

    def those(self, event: str, **fields: Any) -> list[dict]:
        """The events so far of that name with these fields."""
        return [entry for entry in list(self.events)
                if entry["event"] == event and all(entry.get(name) == value for name, value in fields.items())]

    def wait_event(self, event: str, count: int = 1, **fields: Any) -> dict:
        """The `count`-th such event, once it is there."""
        wait_for(f"{event} {fields} of the peer", lambda: len(self.those(event, **fields)) >= count)
        return self.those(event, **fields)[count - 1]


class PtthRelay(Peer):
    """ptth_relay.py on a free port, or on the one given."""

    def __init__(self, name: str, tripcode: str, port: int = 0, *arguments: str) -> None:
        super().__init__("ptth_relay.py", "--port", str(port), "--server", f"{name}={tripcode}", *arguments)
        self.port = self.wait_event("ready")["port"]
        self.url = f"http://127.0.0.1:{self.port}"
        self.tunnel_url = self.url + "/7ZSFUKGV"
