"""Clients that mean no good, in small numbers: nobody else notices. bench/hostile_clients.cpp has the large ones."""

import json
import pathlib
import socket
import struct
import tempfile
import threading
import unittest

import reading
from harness import Stack, wait_for

QUIET = "  - {kind: log, name: quiet, reserve: 1MiB}\n"
ANY = "  - {kind: log, pattern: '*', max_directories: 64}\n"
GREEDY = ("  - {kind: log, pattern: '*', max_directories: 64, max_total_bytes: 1GiB, max_bytes_per_key: 1GiB, "
          "max_events_per_key: 100000000, max_value_bytes: 64KiB}\n")


def reset(connection: socket.socket) -> None:
    """Closes so that no port is left waiting."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class HostileClients(unittest.TestCase):
    def start(self, directories: str, *flags: str, host_file: str = "") -> None:
        folder = tempfile.TemporaryDirectory(dir="/dev/shm")
        self.addCleanup(folder.cleanup)
        self.hub_file = pathlib.Path(folder.name) / "hub.yaml"
        self.hub_file.write_text("directories:\n" + directories)
        if host_file:
            (pathlib.Path(folder.name) / "host.yaml").write_text(host_file)
            flags += ("--config", f"{folder.name}/host.yaml")
        self.stack = Stack("--hub-config", str(self.hub_file), *flags)
        self.stack.__enter__()
        self.addCleanup(self.stack.__exit__)
        self.pids = self.stack.info()["pids"]

    def directory(self, name: str) -> dict:
        return reading.find(reading.directories(self.stack), name)

    def metric(self, name: str) -> float:
        text = reading.get(self.stack.ready["relay"], "/metrics").body.decode()
        return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))

    def nobody_noticed(self) -> None:
        self.stack.send(b"LOG quiet k still served")
        self.assertEqual(self.stack.info()["pids"], self.pids)
        self.assertEqual(reading.imbalances(reading.directories(self.stack)), [])

    def test_slow_writers(self) -> None:
        self.start(QUIET + ANY)
        writers = [self.stack.connect() for _ in range(200)]
        lines = [b"LOG slow k%d v\nPING\n" % i for i in range(len(writers))]
        for at in range(max(map(len, lines))):
            for connection, line in zip(writers, lines):
                connection.sendall(line[at:at + 1])
            if at % 5 == 0:
                self.nobody_noticed()
        for connection in writers:
            received = b""
            while not received.endswith(b"+PONG\r\n"):
                received += connection.recv(100)
            connection.close()
        self.assertEqual(self.directory("slow")["stored"], 200)
        self.nobody_noticed()

    def test_a_flood_of_connections(self) -> None:
        self.start(QUIET + ANY)
        stop = threading.Event()

        def flood() -> None:
            while not stop.is_set():
                reset(self.stack.connect())

        attack = threading.Thread(target=flood)
        attack.start()
        try:
            for _ in range(200):
                self.stack.send(b"LOG quiet k one of two hundred")
        finally:
            stop.set()
            attack.join()
        self.assertEqual(self.directory("quiet")["stored"], 200)
        self.nobody_noticed()
        wait_for("the flood to be gone", lambda: self.metric("mayfly_ingest_connections") == 0)

    def test_tails_that_never_read(self) -> None:
        self.start(QUIET + "  - {kind: log, name: busy, max_total_bytes: 16MiB, max_bytes_per_key: 16MiB, "
                           "max_events_per_key: 1000000}\n",
                   host_file="max_connections: 80\nmax_connections_per_source: 64\n")
        ask = b"GET /api/v1/tail/busy HTTP/1.1\r\nHost: localhost\r\n\r\n"
        mute = []
        for _ in range(60):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", self.stack.port("relay")))
            connection.sendall(ask)
            self.assertTrue(connection.recv(12).endswith(b" 200"))
            mute.append(connection)
        count = 20_000
        with self.stack.connect("relay") as reader, reader.makefile("rb") as lines:
            reader.sendall(ask)
            self.assertTrue(lines.readline().endswith(b"200 OK\r\n"))
            wait_for("all tails to be open", lambda: self.metric("mayfly_relay_connections") >= 61)
            with self.stack.connect() as writer:
                writer.sendall(b"".join(b"LOG busy k %d %s\n" % (i, b"v" * 100) for i in range(count)))
                self.stack.barrier(writer)
            seen = 0
            for line in lines:
                self.assertNotEqual(line, b"event: gap\n")
                if line.startswith(b"data: "):
                    self.assertEqual(json.loads(line[6:])["line"].split()[0], str(seen))
                    seen += 1
                if seen == count:
                    break
            self.assertEqual(seen, count)
        # More of them than there is room for are refused, and told so; the idle ones make room first.
        refused = [self.stack.connect("relay") for _ in range(10)]
        for connection in refused:
            connection.sendall(ask)
        wait_for("some to be refused", lambda: self.relay_counts()["refused_connections"] > 0)
        for connection in mute + refused:
            connection.close()
        self.nobody_noticed()

    def relay_counts(self) -> dict:
        """By the unix socket, whose users are another source."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(f"{self.stack.runtime_dir}/relay.sock")
            connection.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        prefix = "mayfly_relay_"
        return {line.split()[0][len(prefix):].removesuffix("_total"): float(line.split()[1])
                for line in text.splitlines() if line.startswith(prefix)}

    def test_directories_that_come_and_go(self) -> None:
        self.start(QUIET + ANY)
        with self.stack.connect() as writer:
            writer.sendall(b"".join(b"LOG n%d k v\n" % (i % 500) for i in range(20_000)))
            for step in range(6):
                more = "".join(f"  - {{kind: log, name: dir-{i + step % 2 * 50}}}\n" for i in range(100))
                self.hub_file.write_text("directories:\n" + QUIET + more + ANY)
                writer.sendall(b"".join(b"LOG dir-%d k v\n" % (i % 150) for i in range(3000)))
                self.stack.send(b"LOG quiet k %d" % step)
            self.stack.barrier(writer)
        quiet = self.directory("quiet")
        self.assertEqual((quiet["stored"], quiet["records"], quiet["dropped"]), (6, 6, {}))
        self.assertGreater(reading.dropped(reading.directories(self.stack))["too_many_directories"], 0)
        self.nobody_noticed()

    def test_greedy_directories_beside_a_quiet_one(self) -> None:
        self.start(QUIET + GREEDY, "--memory", "8MiB")
        self.stack.send(*(b"LOG quiet k first %d" % i for i in range(500)))
        with self.stack.connect() as writer:
            for _ in range(30):
                writer.sendall(b"".join(b"LOG g%d k %s\n" % (i % 20, b"g" * (i % 3000)) for i in range(400)))
                self.stack.send(b"LOG quiet k then another")
            self.stack.barrier(writer)
        self.assertLess(self.metric("mayfly_segment_free_bytes"), 1 << 20)
        quiet = self.directory("quiet")
        self.assertEqual((quiet["stored"], quiet["records"], quiet["dropped"], quiet["evicted"]), (530, 530, {}, {}))
        self.nobody_noticed()


if __name__ == "__main__":
    unittest.main()
