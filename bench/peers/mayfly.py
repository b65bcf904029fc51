"""Mayfly as users start it: `mayfly up`, with one worker, pinned as a whole to one core; default quotas."""

import json
import pathlib
import sys
import urllib.parse

from servers import PeerError, Server, get

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/e2e"))
import harness

HUB = """
directories:
  - {kind: log, name: bench}
  - {kind: status, name: bench}
  - {kind: log, name: bench-inline}
  - {kind: log, name: stream}
"""
PLACES = {"log": ("log", "bench"), "status": ("status", "bench"), "line": ("log", "bench-inline"),
          "hset": ("status", "bench"), "xadd": ("log", "stream")}


class Mayfly(Server):
    """`pids()` are all its processes: what relayd and the others do meanwhile counts, too."""

    name = "mayfly"
    workers = 1
    hub = HUB
    probe: tuple[str, str] | None = ("log", "bench")  # is there once the quotas are

    def start(self) -> None:
        hub = self.folder / "hub.yaml"
        hub.write_text(self.hub)
        runtime = self.folder / "run"
        runtime.mkdir()
        pin = () if self.core is None else ("taskset", "-c", str(self.core))
        self.stack = harness.Stack("--hub-config", str(hub), "--workers", str(self.workers), runtime_dir=str(runtime),
                                   prefix=pin)
        self.stack.wait_ready()
        # The hub's quotas reach ingestd through relayd: until then there is no service.
        harness.wait_for("the quotas", lambda: self.probe is None or self.directory(*self.probe) is not None)

    def stop(self) -> None:
        if hasattr(self, "stack"):
            self.stack.__exit__()
        super().stop()

    def pids(self) -> list[int]:
        return list(self.stack.info()["pids"].values())

    def ports(self) -> dict[str, int]:
        return {"": self.stack.port("ingest"), "redis": self.stack.port("redis")}

    def directories(self) -> list[dict]:
        return json.loads(get(self.stack.ready["relay"] + "/api/v1/directories"))["directories"]

    def directory(self, kind: str, name: str) -> dict | None:
        return next((one for one in self.directories() if (one["kind"], one["name"]) == (kind, name)), None)

    def count(self, peer) -> int:
        """Stored. Dropped ones are missing from it, so that none may have been."""
        found = self.directory(*PLACES[peer.format])
        if found is None:
            raise PeerError(f"mayfly: no directory for {peer.format}")
        if sum(found["dropped"].values()) > 0:
            raise PeerError(f"mayfly: records were dropped: {found['dropped']}")
        return found["stored"]

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        kind, name = PLACES[peer.format]
        url = f"{self.stack.ready['relay']}/api/v1/{'logs' if kind == 'log' else 'status'}/{urllib.parse.quote(name)}"
        if kind == "status":
            return {one["key"].encode(): one["value"].encode() for one in json.loads(get(url))["keys"]}
        found = {}
        for line in get(url).splitlines():
            record = json.loads(line)
            found[record["key"].encode()] = record["line"].encode()
        return found
