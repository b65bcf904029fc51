"""Hosts in networks of their own that nobody can reach; a person reads both through the hub, over TLS. The network of
one is cut and comes back: everything recovers by itself, and gaps count exactly what was missed."""

import http.client
import json
import pathlib
import secrets
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import harness
import namespaces
from harness import BIN, DEADLINE_S, Stack, wait_for
from hub_process import free_port
from visitor import Visitor, add_user

EVENTS_KEPT = 50
NAMES = ("north", "south")


class TlsVisitor(Visitor):
    def __init__(self, address: str, port: int, authority: pathlib.Path) -> None:
        super().__init__(port)
        self.address = address
        self.trust = ssl.create_default_context(cafile=str(authority))

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPSConnection(self.address, self.port, timeout=DEADLINE_S, context=self.trust)


class Follower(threading.Thread):
    """Follows a log through the hub as a browser's EventSource does: again and again, from the last id on."""

    def __init__(self, visitor: Visitor, path: str) -> None:
        super().__init__(daemon=True)
        self.visitor, self.path = visitor, path
        self.last_id = ""
        self.lines: list[str] = []
        self.seqs: list[int] = []
        self.missed = 0
        self.connected = 0
        self.ending = False

    def run(self) -> None:
        while not self.ending:
            try:
                self._follow_once()
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.2)  # as `retry:` would have it

    def _follow_once(self) -> None:
        headers = {"Accept": "text/event-stream"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        connection, answer = self.visitor.open("GET", self.path + ("" if self.last_id else "?last=0"), headers)
        try:
            if answer.status != 200:
                return
            self.connected += 1
            event, data = "", ""
            while line := answer.readline():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                if field == "event":
                    event = value
                elif field == "data":
                    data = value
                elif field == "id":
                    self.last_id = value
                elif not field and data:
                    self._take(event, json.loads(data))
                    event, data = "", ""
        finally:
            connection.close()

    def _take(self, event: str, data: dict) -> None:
        if event == "gap":
            self.missed += data["missed"]
        elif event == "record":
            self.seqs.append(data["seq"])
            self.lines.append(data["line"])


class FarHub:
    """hubd over TLS at every address of this machine, with people who log in. Use as a context."""

    def __init__(self, addresses: list[str]) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mayfly-hub-"))
        self.port = free_port()
        self.certificate = self.folder / "certificate.pem"
        names = ",".join(f"IP:{address}" for address in [*addresses, "127.0.0.1"])
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", "2", "-subj", "/CN=hub", "-addext", f"subjectAltName={names}",
                        "-keyout", self.folder / "key.pem", "-out", self.certificate],
                       check=True, capture_output=True, stdin=subprocess.DEVNULL)
        (self.folder / "key.pem").chmod(0o600)
        servers = "".join(f"  - {{name: {name}, tripcode: \"{self.make_host(name)}\"}}\n" for name in NAMES)
        self.file = self.folder / "hub.yaml"
        self.file.write_text(
            f"listen: 0.0.0.0:{self.port}\nservers:\n{servers}tls: {{certificate: {self.certificate}, key: "
            f"{self.folder}/key.pem}}\ndirectories:\n  - {{kind: log, name: demo, max_events_per_key: {EVENTS_KEPT}}}\n")
        self.password = secrets.token_hex(12)
        add_user(str(self.file), "ada", self.password, "*:")
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([BIN / "hubd", "--config", self.file], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=self.log)

    def make_host(self, name: str) -> str:
        """Its tripcode; the file is NAME.yaml."""
        (self.folder / f"{name}.yaml").write_text(
            f"name: {name}\napi_key_file: {self.folder}/{name}.key\nhub_ca: {self.certificate}\n")
        return subprocess.run([BIN / "relayd", "--print-tripcode", "--config", self.folder / f"{name}.yaml"],
                              check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=DEADLINE_S).stdout.strip()

    def __enter__(self) -> "FarHub":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait(timeout=DEADLINE_S)
        self.log.close()
        subprocess.run(["rm", "-rf", self.folder], check=True)


def write(stack: Stack, *lines: str) -> None:
    """By the unix socket, which no network cuts off."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(DEADLINE_S)
        connection.connect(stack.ready["ingest_unix"])
        connection.sendall("".join(f"LOG demo key {line}\n" for line in lines).encode())
        stack.barrier(connection)


class FarHosts(unittest.TestCase):
    def setUp(self) -> None:
        namespaces.require()
        self.nets = [self.enterContext(namespaces.Namespace(number)) for number in (1, 2)]
        self.hub = self.enterContext(FarHub([net.hub_address for net in self.nets]))
        self.hosts = [self.enterContext(Stack(
            "--no-hub", "--config", str(self.hub.folder / f"{name}.yaml"), "--hub-url",
            f"https://{net.hub_address}:{self.hub.port}", prefix=net.command()))
            for name, net in zip(NAMES, self.nets)]
        self.ada = TlsVisitor("127.0.0.1", self.hub.port, self.hub.certificate)
        wait_for("the hub", self.hub_answers)
        self.assertIn(self.ada.log_in("ada", self.hub.password).status, (302, 303))

    def hub_answers(self) -> bool:
        self.assertIsNone(self.hub.process.poll())
        try:
            return self.ada.get("/healthz").status == 200
        except OSError:
            return False

    def connected(self, name: str) -> bool:
        servers = self.ada.get("/api/v1/servers").json()["servers"]
        return next(server["connected"] for server in servers if server["name"] == name)

    def test_a_cut_and_its_end(self) -> None:
        for name in NAMES:
            wait_for(f"{name} at the hub", lambda name=name: self.connected(name))
        for host, name in zip(self.hosts, NAMES):
            write(host, f"hello from {name}")
            answer = self.ada.get(f"/frontend/servers/{name}/api/v1/logs/demo?last=1")
            self.assertEqual(answer.status, 200, (answer.body, host.log_text()))
            self.assertEqual(answer.json()["line"], f"hello from {name}")
        tails = [Follower(self.ada, f"/frontend/servers/{name}/api/v1/tail/demo") for name in NAMES]
        for tail, host in zip(tails, self.hosts):
            tail.start()
            wait_for("a tail", lambda tail=tail: tail.connected)
            wait_for("its first line", lambda tail=tail, host=host: write(host, "before") or tail.lines)
        before = [tail.seqs[-1] for tail in tails]

        self.nets[0].cut()
        cut_at = time.monotonic()
        for number in range(500):
            write(self.hosts[0], f"unseen {number}")
        write(self.hosts[1], *(f"seen {number}" for number in range(20)))
        wait_for("the other host's tail", lambda: tails[1].lines and tails[1].lines[-1] == "seen 19")
        wait_for("the cut to show", lambda: not self.connected("north"))
        self.assertTrue(self.connected("south"))
        noticed_after = time.monotonic() - cut_at

        self.nets[0].restore()
        restored_at = time.monotonic()
        wait_for("the host in the list", lambda: self.connected("north"))
        listed_after = time.monotonic() - restored_at
        write(self.hosts[0], "after")
        wait_for("its tail", lambda: tails[0].lines and tails[0].lines[-1] == "after")
        tail_after = time.monotonic() - restored_at
        print(f"cut noticed after {noticed_after:.1f} s; restored: in the list after {listed_after:.1f} s, "
              f"its tail after {tail_after:.1f} s; {tails[0].missed} records missed", file=sys.stderr)

        received = [seq for seq in tails[0].seqs if seq > before[0]]
        self.assertEqual(received, sorted(set(received)))
        self.assertEqual(len(received) + tails[0].missed, received[-1] - before[0])
        self.assertGreater(tails[0].missed, 400)
        self.assertEqual(tails[1].missed, 0)
        self.assertEqual(tails[1].lines[-20:], [f"seen {number}" for number in range(20)])
        for tail in tails:
            tail.ending = True


if __name__ == "__main__":
    unittest.main(verbosity=2)
