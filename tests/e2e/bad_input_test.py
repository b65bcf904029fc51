"""What bad input gets from the real programs: an error and its place, and nobody else notices."""

import base64
import json
import os
import socket
import sys
import unittest
import urllib.parse

import reading
from harness import Stack, wait_for

RECORD = b"*4\r\n$3\r\nLOG\r\n$4\r\ndemo\r\n$1\r\nk\r\n"
BROKEN = (b"*4\r\n:3\r\nLOG\r\n", b"*4\r\n$x\r\n", b"*99999999999999999999\r\n", b"*1\r\n$4\r\nPINGxx",
          b"*4\r\n$3\r\nLOG\r\n$-1\r\n", b"*" + b"1" * 70_000, RECORD + b"$1\r\nab\r\n")
TOO_LONG = (RECORD + b"$2147483648\r\n", RECORD + b"$536870913\r\n", RECORD + b"$18446744073709551616\r\n")
HTTP = (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", b"POST /LOG HTTP/1.0\r\n\r\nLOG demo k smuggled\r\n",
        b"OPTIONS * HTTP/1.1\r\n\r\n")


def read_to_end(connection: socket.socket) -> bytes:
    """What comes until the other side closes, or resets because it was sent more than it wanted."""
    received = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not part:
            return received
        received += part


class WithStack(unittest.TestCase):
    def setUp(self) -> None:
        self.stack = Stack()
        self.stack.__enter__()
        self.addCleanup(self.stack.__exit__)
        self.pids = self.stack.info()["pids"]

    def state(self) -> dict:
        return reading.directories(self.stack)

    def nobody_noticed(self, stored: int = 0) -> None:
        """The same processes serve; so many records are there besides this one."""
        self.stack.send(b"LOG neighbour k fine")
        self.assertEqual(self.stack.info()["pids"], self.pids)
        self.assertEqual(reading.stored(self.state()), stored + 1)
        self.assertEqual(reading.imbalances(self.state()), [])


class Commands(WithStack):
    def refused_and_closed(self, listener: str, sent: bytes) -> None:
        with self.stack.connect(listener) as connection:
            try:
                connection.sendall(sent)
            except (ConnectionResetError, BrokenPipeError):
                pass  # it had seen enough
            received = read_to_end(connection).removeprefix(b"+GO\r\n")
        self.assertRegex(received, rb"^-ERR Protocol error: [^\r\n]+\r\n$", sent[:60])

    def test_broken_framing(self) -> None:
        for listener in ("ingest", "redis"):
            for sent in BROKEN + TOO_LONG:
                with self.subTest(listener=listener, sent=sent[:60]):
                    self.refused_and_closed(listener, sent)
        self.nobody_noticed()

    def test_http(self) -> None:
        for listener in ("ingest", "redis"):
            for sent in HTTP:
                with self.subTest(listener=listener, sent=sent):
                    self.refused_and_closed(listener, sent)
        self.nobody_noticed()

    def test_a_line_without_an_end(self) -> None:
        for listener in ("ingest", "redis"):
            with self.subTest(listener=listener), self.stack.connect(listener) as connection:
                with self.assertRaises((ConnectionResetError, BrokenPipeError)):
                    while True:  # ends by being closed, or by the deadline of the socket
                        connection.sendall(b"x" * 65536)
        wait_for("the line to be counted", lambda: self.state()["unknown"]["dropped"]["bad_command"] > 0, 10)
        self.nobody_noticed()

    def test_a_long_line_is_skipped(self) -> None:
        self.stack.send(b"LOG demo k " + b"x" * 100_000, b"LOG demo k next")
        self.assertEqual(self.state()["unknown"]["dropped"]["bad_command"], 1)
        self.nobody_noticed(stored=1)

    def test_unknown_commands_keep_the_connection(self) -> None:
        with self.stack.connect() as connection, connection.makefile("rb") as replies:
            connection.sendall(b"FLY me\nLOG demo\n*1\r\n$3\r\n\xff\x00\r\r\n\nPING still\n")
            self.assertEqual(replies.readline(), b"+GO\r\n")
            for _ in range(3):
                self.assertRegex(replies.readline(), rb"^-ERR [^\x00\xff]*\r\n$")
            self.assertEqual((replies.readline(), replies.readline()), (b"$5\r\n", b"still\r\n"))
        self.assertEqual(self.state()["unknown"]["dropped"]["bad_command"], 3)
        self.nobody_noticed()

    def test_values_over_every_length_are_counted(self) -> None:
        with self.stack.connect() as connection:
            for size in (1025, 70_000, 3 << 20, 40 << 20):
                connection.sendall(RECORD + b"$%d\r\n" % size)
                for _ in range(0, size - size % 65536, 65536):
                    connection.sendall(b"v" * 65536)
                connection.sendall(b"v" * (size % 65536) + b"\r\n")
            connection.sendall(b"LOG demo " + b"k" * 1025 + b" v\nLOG demo k kept\nLOG no/such k v\n")
            self.stack.barrier(connection)
        self.assertEqual(reading.dropped(self.state()),
                         {"value_too_long": 4, "key_too_long": 1, "unknown_directory": 1})
        self.nobody_noticed(stored=1)

    def test_too_many_directories_and_keys(self) -> None:
        self.stack.send(*(b"LOG d%d k v" % i for i in range(70)), *(b"STATUS s k%d v" % i for i in range(1100)))
        state = self.state()
        self.assertEqual(reading.dropped(state), {"too_many_directories": 6})
        self.assertEqual(reading.find(state, "s", "status")["evicted"], {"keys": 76})
        self.assertEqual(reading.imbalances(state), [])


class Clients(WithStack):
    def test_one_that_never_reads(self) -> None:
        count = 50_000
        with self.stack.connect() as mute:
            mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            mute.sendall(b"".join(b"LOG demo k %d\nPING %d\nFLY\n" % (i, i) for i in range(count)))
            state = reading.wait_taken_in(self.stack, count)
            self.assertEqual(reading.find(state, "demo")["stored"], count)
            self.nobody_noticed(stored=count)
            mute.sendall(b"LOG demo k once more\n")
            reading.wait_taken_in(self.stack, count + 2)

    def test_a_redis_client_that_never_reads_holds_up_only_itself(self) -> None:
        with self.stack.connect("redis") as mute:
            mute.setblocking(False)
            sent = 0
            try:
                while sent < 64 << 20:
                    sent += mute.send(b"PING " + b"x" * 1000 + b"\r\n")
            except BlockingIOError:
                pass
            self.nobody_noticed()

    def test_one_that_closes_its_sending_side(self) -> None:
        with self.stack.connect() as connection:
            connection.sendall(b"LOG demo k v\nPING\nSTATUS web k v\nPING end\nLOG demo k unfinished")
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(connection), b"+GO\r\n+PONG\r\n$3\r\nend\r\n")
        with self.stack.connect("redis") as connection:
            connection.sendall(b"HSET web a 1\r\nHSET web b 2\r\n")
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(read_to_end(connection), b":1\r\n:1\r\n")
        self.nobody_noticed(stored=4)

    def test_ones_that_vanish_within_a_command(self) -> None:
        for i in range(200):
            with self.stack.connect("redis" if i % 2 else "ingest") as connection:
                connection.sendall(b"LOG demo k %d\r\n" % i + (RECORD + b"$1000\r\nhalf")[:i % 60])
        state = reading.wait_taken_in(self.stack, 200)
        self.assertEqual(reading.find(state, "demo")["stored"], 200)
        self.assertTrue(wait_for("all to be gone", lambda: b"mayfly_ingest_connections 0" in reading.get(
            self.stack.ready["relay"], "/metrics").body))
        self.nobody_noticed(stored=200)

    def test_many_that_say_nothing(self) -> None:
        idle = [self.stack.connect() for _ in range(300)]
        self.nobody_noticed()
        for connection in idle:
            connection.close()


class Bytes(WithStack):
    KEY = b"\xff\xfe k"
    VALUE = b"caf\xe9 \x00\x1b[31m\r\n\\x41 \xe2\x82\xac"

    def setUp(self) -> None:
        super().setUp()
        with self.stack.connect() as connection:
            for command, directory in ((b"LOG", b"demo"), (b"STATUS", b"web")):
                arguments = (command, directory, self.KEY, self.VALUE)
                connection.sendall(b"*4\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(one), one) for one in arguments))
            self.stack.barrier(connection)
        self.relay = self.stack.ready["relay"]

    def escaped_with_twins(self, record: dict, value: str) -> None:
        self.assertEqual(record["key"], "\\xff\\xfe k")
        self.assertEqual(base64.b64decode(record["key_b64"]), self.KEY)
        self.assertEqual(record[value], "caf\\xe9 \x00\x1b[31m\r\n\\x41 \u20ac")
        self.assertEqual(base64.b64decode(record[value + "_b64"]), self.VALUE)

    def test_json_shows_them_escaped_with_a_twin(self) -> None:
        self.escaped_with_twins(reading.get(self.relay, "/api/v1/logs/demo").lines()[0], "line")
        self.escaped_with_twins(reading.get(self.relay, "/api/v1/status/web").json()["keys"][0], "value")
        for command, value in ((("tail", "demo"), "line"), (("get", "web"), "value")):
            shown = self.stack.mayfly(*command, "--json").stdout
            self.escaped_with_twins(json.loads(shown), value)
        with reading.EventStream(self.relay, "/api/v1/tail/demo?last=1") as stream:
            self.escaped_with_twins(next(iter(stream))[1], "line")

    def test_text_that_is_utf_8_has_no_twin(self) -> None:
        self.stack.send("STATUS web café €".encode())
        keys = reading.get(self.relay, "/api/v1/status/web").json()["keys"]
        self.assertEqual({name for name in keys[0] if name.endswith("_b64")}, set())
        self.assertEqual((keys[0]["key"], keys[0]["value"]), ("café", "€"))

    def test_raw_bytes_come_back(self) -> None:
        paths = ("/api/v1/status/web/" + urllib.parse.quote(self.KEY, safe=""),
                 "/api/v1/status/web?key=" + urllib.parse.quote(self.KEY, safe=""),
                 "/api/v1/status/web?key_b64=" + urllib.parse.quote(base64.b64encode(self.KEY)),
                 "/api/v1/status/web?key_b64=" + base64.urlsafe_b64encode(self.KEY).decode())
        for path in paths:
            answer = reading.get(self.relay, path)
            self.assertEqual((answer.status, answer.body), (200, self.VALUE), path)
            self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertEqual(self.stack.mayfly("get", "web", os.fsdecode(self.KEY)).stdout, self.VALUE)
        self.assertEqual(self.stack.mayfly("--url", self.relay, "get", "web", os.fsdecode(self.KEY)).stdout, self.VALUE)

    def test_text_output_has_no_control_bytes(self) -> None:
        answer = reading.get(self.relay, "/api/v1/logs/demo", {"Accept": "text/plain"})
        self.assertEqual(answer.body.count(b"\n"), 1)
        self.assertFalse(set(answer.body) & {0x00, 0x1b, 0x0d, 0xff})
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_empty_keys_and_names_that_a_path_cannot_carry(self) -> None:
        for key in (b"", b".", b"..", b"a/b"):
            with self.stack.connect() as connection:
                connection.sendall(b"*4\r\n$6\r\nSTATUS\r\n$3\r\nweb\r\n$%d\r\n%s\r\n$1\r\nv\r\n" % (len(key), key))
                self.stack.barrier(connection)
            answer = reading.get(self.relay, "/api/v1/status/web?key=" + urllib.parse.quote(key, safe=""))
            self.assertEqual((answer.status, answer.body), (200, b"v"), key)
            self.assertEqual(self.stack.mayfly("get", "web", key.decode()).stdout, b"v", key)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
