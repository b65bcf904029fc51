"""hubd through all that it does: a login, the pages, reads that pass through to a host, quotas and a change of them
that a host waits for, a program's key, SIGTERM. The host is a thread of the test: it comes back at once."""

import contextlib
import http.client
import itertools
import pathlib
import socket
import subprocess
import sys
import threading
import time

import harness
from daemon import PATIENCE_S, Daemon
from faults import Fault, State
from hub_process import NAME, Hub
from relayd_scenario import entries
from scenario import NotYet, Scenario, fetch, in_the_end
from visitor import Visitor, add_user

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))
import wire  # noqa: E402

PASSWORD = "a password nobody guesses"
TUNNEL = "/7ZSFUKGV"


class Host(threading.Thread):
    """Answers whatever comes through the tunnel with its path. Use as a context."""

    def __init__(self, port: int, key: str) -> None:
        super().__init__(daemon=True)
        self.port, self.key, self.ended = port, key, threading.Event()

    def __enter__(self) -> "Host":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.join()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                for identity, _, uri, _ in self._poll():
                    self._call("POST", f"{TUNNEL}/http_response/{identity}", uri.encode(), {"x-ptth-2ljyxwc4": wire.pack_head(200, {})})
            except (OSError, http.client.HTTPException, ValueError, TypeError):
                time.sleep(0.01)

    def _poll(self) -> list[tuple[str, str, str, dict[str, bytes]]]:
        body = self._call("GET", f"{TUNNEL}/http_listen/{NAME}", None, {})
        return wire.unpack_requests(body) if body else []

    def _call(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"X-ApiKey": self.key, **headers})
            return connection.getresponse().read()


class HubdScenario(Scenario):
    program = "hubd"

    def prepare(self) -> None:
        self.max_keys = itertools.count(1000)
        self.hub = self.enter_context(Hub(entries(next(self.max_keys))))
        add_user(str(self.hub.file), "ada", PASSWORD, "*:")
        self.scraper_key = subprocess.run([harness.BIN / "mayfly", "hub", "add-scraper-key", "--config", self.hub.file, "prometheus",
                                           "--days", "2", "--right", "*:"], check=True, capture_output=True, text=True).stdout.strip()
        self.key = (self.hub.folder / "key").read_text().strip()
        self.hub_socket = self.enter_context(contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=64)))
        self.port = self.hub_socket.getsockname()[1]
        self.enter_context(Host(self.port, self.key))

    def run(self, state: State, fault: Fault) -> None:
        if not self._life(state, fault):
            self._life(state, None)

    def _life(self, state: State, fault: Fault | None) -> bool:
        with Daemon(state, fault, harness.BIN / "hubd", "--config", self.hub.file, handed={"hub": self.hub_socket}) as daemon:
            alive = daemon.wait_ready()
            if not alive and fault is None:
                raise daemon.broken("does not start where a predecessor failed")
            for step in (self._people, self._programs, self._quotas):
                alive = alive and in_the_end(daemon, step)
            daemon.stop()
            return alive

    def _people(self) -> None:
        visitor = Visitor(self.port)
        if visitor.log_in("ada", PASSWORD).status != 303:
            raise NotYet("no login")
        if b"web" not in visitor.get("/login").body and visitor.get("/frontend/servers/", {"Accept": "text/html"}).status != 200:
            raise NotYet("no page")
        answer = visitor.get(f"/frontend/servers/{NAME}/hello")
        if answer.status != 200 or answer.body != b"/hello":
            raise NotYet(f"{answer.status} {answer.body[:100]!r}")

    def _programs(self) -> None:
        bearer = {"Authorization": f"Bearer {self.scraper_key}"}
        fetch(self.port, "/scraper/v1/http_sd", bearer)
        fetch(self.port, f"/scraper/v1/server/{NAME}/hello", bearer)
        fetch(self.port, "/metrics", bearer)

    def _quotas(self) -> None:
        path, key = f"/mayfly/v1/quotas/{NAME}", {"X-ApiKey": self.key}
        before = fetch(self.port, path, key)
        etag = self._etag(path, key)
        self.hub.write(entries(next(self.max_keys)))
        after = fetch(self.port, f"{path}?wait=30", {**key, "If-None-Match": etag})
        if after == before:
            raise NotYet("the old quotas")

    def _etag(self, path: str, key: dict[str, str]) -> str:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)) as connection:
            connection.request("GET", path, headers=key)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise NotYet(f"{answer.status}")
            return answer.headers["ETag"]
