"""The hub in front of ptth_servers: every kind of answer, large ones, slow readers, readers and servers that vanish.

MAYFLY_TUNNEL_BYTES sets how large the large body is (default 64 MiB; the acceptance run has 1 GiB).
"""

import concurrent.futures
import contextlib
import hashlib
import http.client
import os
import random
import time
import unittest

from harness import wait_for
from ptth_hosts import PtthHub, PtthServer, key_of, wire
from visitor import Visitor

LARGE = int(os.environ.get("MAYFLY_TUNNEL_BYTES", 64 << 20))
SMALL = b"hello world, this is a small file\n"
SANDBOX = "sandbox; default-src 'none'"


class WithServers(unittest.TestCase):
    names: tuple[str, ...] = ("alpha", "beta")
    running: tuple[str, ...] = ("alpha",)

    def setUp(self) -> None:
        self.hub = PtthHub(*self.names)
        self.addCleanup(self.hub.__exit__)
        self.hub.start()
        self.visitor = Visitor(self.hub.port)
        self.servers = {}
        for name in self.running:
            self.servers[name] = PtthServer(self.hub, name).__enter__()
            self.addCleanup(self.servers[name].__exit__)
        for name in self.running:
            self.wait_connected(name)

    def metric(self, sample: str) -> float:
        for line in self.visitor.get("/metrics").text().splitlines():
            if line.rsplit(" ", 1)[0] == sample:
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no {sample}")

    def wait_metric(self, sample: str, value: float) -> None:
        wait_for(f"{sample} = {value}", lambda: self.metric(sample) == value)

    def wait_connected(self, name: str) -> None:
        servers = lambda: self.visitor.get("/api/v1/servers").json()["servers"]  # noqa: E731
        wait_for(f"{name} to connect", lambda: any(one["name"] == name and one["connected"] for one in servers()))

    @staticmethod
    def path(path: str, server: str = "alpha") -> str:
        return f"/frontend/servers/{server}{path}"

    def read(self, path: str, method: str = "GET", **headers: str):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.visitor.request(method, self.path(path), named)


class Answers(WithServers):
    """The rows of the facts' table."""

    def setUp(self) -> None:
        super().setUp()
        alpha = self.servers["alpha"]
        alpha.put("small.txt", SMALL)
        alpha.put("sub/inner.txt", b"inner\n")
        alpha.put("secret.txt", b"x", 0o600)
        alpha.put("caf\u00e9 a.txt", b"named\n")

    def test_files(self) -> None:
        whole = self.read("/files/small.txt")
        self.assertEqual((whole.status, whole.body), (200, SMALL))
        self.assertEqual(whole.headers["accept-ranges"], "bytes")
        self.assertEqual(whole.headers["cache-control"], "no-cache,max-age=0")
        self.assertEqual(whole.headers["content-security-policy"], SANDBOX)
        self.assertEqual(whole.headers["x-content-type-options"], "nosniff")
        self.assertEqual(self.servers["alpha"].wait_posted("StreamFinished\n")["status"], 200)
        head = self.read("/files/small.txt", "HEAD")
        self.assertEqual((head.status, head.body, head.headers["content-length"]), (204, b"", None))
        known = self.read("/files/small.txt", If_None_Match=whole.headers["etag"])
        self.assertEqual((known.status, known.body, known.headers["etag"]), (304, b"", whole.headers["etag"]))
        self.assertEqual(self.read("/files/caf%C3%A9%20a.txt").body, b"named\n")

    def test_ranges(self) -> None:
        for wanted, status, body, content_range in (
                ("bytes=6-10", 206, SMALL[6:11], "bytes 6-10/11"), ("bytes=30-", 206, SMALL[30:], "bytes 30-33/34"),
                ("bytes=-5", 206, SMALL[:6], "bytes 0-5/6"), ("bytes=1-2,4-5", 206, SMALL, "bytes 0-33/34"),
                ("bytes=0-34", 416, b"", "bytes */34"), ("bytes=5-4", 416, b"", "bytes */34")):
            with self.subTest(wanted):
                answer = self.read("/files/small.txt", Range=wanted)
                self.assertEqual((answer.status, answer.body, answer.headers["content-range"]), (status, body, content_range))

    def test_other_answers(self) -> None:
        missing = b"404 Not Found\nAre you missing a trailing slash?\n"
        for path, status, body in (("/files/none", 404, missing), ("/favicon.ico", 404, b"Not found\n"),
                                   ("/files/secret.txt", 403, b"403 Forbidden\n"),
                                   ("/files/sub/?x=1", 400, b"Query is invalid for this object\n"),
                                   ("/files/sub", 307, b"Redirecting...\n"),
                                   ("/api/v1/dir/sub/", 200, b'{"entries":[{"name":"inner.txt","size":6,"is_dir":false}]}'),
                                   ("/", 200, b"<!DOCTYPE html><title>root</title>\n")):
            with self.subTest(path):
                answer = self.read(path)
                self.assertEqual((answer.status, answer.body), (status, body))
                self.assertEqual(answer.headers["content-length"], str(len(body)))
        self.assertEqual(self.read("/files/sub").headers["location"], "sub/")
        head = self.read("/files/none", "HEAD")
        self.assertEqual((head.status, head.body, head.headers["content-length"]), (404, b"", "48"))
        self.servers["alpha"].wait_posted("ClientDisconnected\n")
        self.assertEqual(self.visitor.get("/frontend/servers/nobody/x").status, 404)
        self.assertEqual(self.visitor.request("POST", self.path("/x")).status, 405)

    def test_announced_bodies_that_never_come_hold_nothing(self) -> None:
        for _ in range(20):
            self.assertEqual(self.read("/files/small.txt", "HEAD").status, 204)
        wait_for("twenty answered POSTs", lambda: len(self.servers["alpha"].of("posted")) == 20)
        self.assertTrue(all(one["status"] == 200 for one in self.servers["alpha"].of("posted")))
        self.assertEqual(self.metric("mayfly_hub_relayed_requests_in_flight"), 0)
        # The poll, and the question itself.
        wait_for("the connections to end", lambda: self.metric("mayfly_hub_connections") <= 3)

    def test_what_a_server_is_told(self) -> None:
        self.read("/files/small.txt", Cookie="mayfly=secret", Authorization="Basic eDp5", X_ApiKey="key", Referer="http://x/",
                  X_Forwarded_For="1.2.3.4", Mayfly_Scope="", Connection="x-named", X_Named="1", Accept="text/plain", X_Own="b c")
        headers = self.servers["alpha"].of("request")[-1]["headers"]
        self.assertEqual({name: headers.get(name) for name in ("accept", "x-own")}, {"accept": "text/plain", "x-own": "b c"})
        self.assertLessEqual(set(headers), {"host", "accept", "accept-encoding", "x-own"})


class Bodies(WithServers):
    def test_large_bodies_need_no_memory(self) -> None:
        self.servers["alpha"].put_large("large", LARGE)
        self.read("/files/large", Range="bytes=0-4")
        before = self.hub.peak_kib()
        connection, answer = self.visitor.open("GET", self.path("/files/large"))
        with contextlib.closing(connection), answer:
            size, first, last = 0, b"", b""
            while piece := answer.read(1 << 20):
                first = first or piece[:5]
                size, last = size + len(piece), piece[-4:]
        self.assertEqual((size, first, last), (LARGE, b"first", b"last"))
        grown = self.hub.peak_kib() - before
        print(f"{LARGE >> 20} MiB passed; the hub's peak grew by {grown} KiB")
        self.assertLess(grown, 16 << 10)

    def test_a_slow_reader_holds_up_nobody(self) -> None:
        self.servers["alpha"].put_large("large", LARGE)
        self.servers["alpha"].put("small.txt", SMALL)
        before = self.hub.peak_kib()
        slow = self.hub.connect()
        self.addCleanup(slow.close)
        slow.sendall(b"GET /frontend/servers/alpha/files/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(slow.recv(1))
        for _ in range(50):
            self.assertEqual(self.read("/files/small.txt").body, SMALL)
        self.assertLess(self.hub.peak_kib() - before, 16 << 10)
        self.assertEqual(self.metric("mayfly_hub_relayed_requests_in_flight"), 1)

    def test_a_reader_who_goes_ends_the_upload(self) -> None:
        self.servers["alpha"].put_large("large", 1 << 32)
        gone = self.hub.connect()
        gone.sendall(b"GET /frontend/servers/alpha/files/large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(gone.recv(1))
        gone.close()
        wait_for("the POST's end", lambda: self.servers["alpha"].of("posted"))
        self.wait_metric("mayfly_hub_relayed_requests_in_flight", 0)
        self.assertEqual(self.metric('mayfly_hub_relayed_requests_total{end="cancelled"}'), 1)

    def test_a_server_that_vanishes_is_a_visible_cut(self) -> None:
        alpha = self.servers["alpha"]
        alpha.put_large("large", 1 << 32)
        alpha.put("small.txt", SMALL)
        connection, answer = self.visitor.open("GET", self.path("/files/large"))
        with contextlib.closing(connection), answer:
            answer.read(1 << 20)
            alpha.kill()
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                while answer.read(1 << 20):
                    pass
        alpha.start()
        self.assertEqual(self.read("/files/small.txt").body, SMALL)

    def test_a_hub_that_is_cut_off_cuts_visibly(self) -> None:
        self.servers["alpha"].put_large("large", 1 << 32)
        connection, answer = self.visitor.open("GET", self.path("/files/large"))
        with contextlib.closing(connection), answer:
            answer.read(1 << 20)
            self.hub.stop(15)
            with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
                while answer.read(1 << 20):
                    pass
        self.hub.start()
        self.servers["alpha"].put("small.txt", SMALL)
        self.assertEqual(self.read("/files/small.txt").body, SMALL)


class ManyAtOnce(WithServers):
    running = ("alpha", "beta")

    def test_no_answer_is_swapped(self) -> None:
        """200 mixed requests through two hosts, every fifth abandoned."""
        for name, server in self.servers.items():
            for i in range(50):
                server.put(f"{i}.txt", hashlib.sha256(f"{name} {i}".encode()).hexdigest().encode() * (1 + i * 40))
        chance = random.Random(4)
        wishes = [(chance.choice(["alpha", "beta"]), chance.randrange(50), chance.choice(["GET", "GET", "HEAD", "range", "none"]),
                   number % 5 == 0) for number in range(200)]

        def ask(wish: tuple[str, int, str, bool]) -> None:
            name, i, kind, abandon = wish
            body = hashlib.sha256(f"{name} {i}".encode()).hexdigest().encode() * (1 + i * 40)
            path = self.path(f"/files/{i}.txt" if kind != "none" else f"/files/no-{i}", name)
            if abandon:
                with self.hub.connect() as gone:
                    gone.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                    if i % 2:
                        gone.recv(1)
                return
            answer = Visitor(self.hub.port).request("HEAD" if kind == "HEAD" else "GET", path,
                                                    {"Range": "bytes=1-40"} if kind == "range" else None)
            expected = {"GET": (200, body), "HEAD": (204, b""), "range": (206, body[1:41]),
                        "none": (404, b"404 Not Found\nAre you missing a trailing slash?\n")}[kind]
            self.assertEqual((answer.status, answer.body), expected, wish)

        with concurrent.futures.ThreadPoolExecutor(200) as threads:
            for done in [threads.submit(ask, wish) for wish in wishes]:
                done.result()
        self.wait_metric("mayfly_hub_relayed_requests_in_flight", 0)
        self.wait_metric("mayfly_hub_relayed_requests_waiting", 0)

    def test_two_servers_of_one_name_share_the_work(self) -> None:
        second = PtthServer(self.hub, "alpha").__enter__()
        self.addCleanup(second.__exit__)
        for server in (self.servers["alpha"], second):
            server.put("small.txt", SMALL)
        wait_for("both to poll", lambda: self.metric("mayfly_hub_tunnel_polls") == 3)
        for _ in range(50):
            self.assertEqual(self.read("/files/small.txt").body, SMALL)
        refused = [one for server in (self.servers["alpha"], second) for one in server.of("poll") if one["status"] != 200]
        self.assertLessEqual(len(refused), 2, "they fight")


class Late(WithServers):
    running = ()

    def test_requests_wait_for_their_server(self) -> None:
        alpha = PtthServer(self.hub, "alpha")
        self.addCleanup(alpha.__exit__)
        for i in range(20):
            alpha.put(f"{i}", f"body {i}".encode())
        with concurrent.futures.ThreadPoolExecutor(20) as threads:
            answers = [threads.submit(Visitor(self.hub.port).get, self.path(f"/files/{i}")) for i in range(20)]
            self.wait_metric("mayfly_hub_relayed_requests_waiting", 20)
            alpha.start()
            self.assertEqual([answer.result().body for answer in answers], [f"body {i}".encode() for i in range(20)])

    def test_limits_of_time(self) -> None:
        """25 s for a poll, 30 s for an answer: at once, to take half a minute only."""
        alpha = PtthServer(self.hub, "alpha").__enter__()
        self.addCleanup(alpha.__exit__)
        self.wait_connected("alpha")
        with concurrent.futures.ThreadPoolExecutor() as threads:
            start = time.monotonic()
            # This path is no UTF-8: the server never answers. beta never polls.
            silent = threads.submit(Visitor(self.hub.port).get, self.path("/%FF"))
            away = threads.submit(Visitor(self.hub.port).get, self.path("/x", "beta"))
            for answer in (silent, away):
                reply = answer.result()
                self.assertEqual((reply.status, reply.body), (504, b"Remote server never responded\n"))
            self.assertGreater(time.monotonic() - start, 29)
        self.assertIn(204, [one["status"] for one in alpha.of("poll")])
        self.assertEqual(alpha.of("back-off"), [])


class RawServer:
    """Speaks for a server byte by byte."""

    def __init__(self, hub: PtthHub, name: str) -> None:
        self.hub, self.name = hub, name

    def exchange(self, head: str, body: bytes = b"") -> bytes:
        with self.hub.connect() as connection:
            connection.sendall(f"{head}\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode() + body)
            received = b""
            while part := connection.recv(65536):
                received += part
        return received

    def poll(self) -> list:
        answer = self.exchange(f"GET /7ZSFUKGV/http_listen/{self.name} HTTP/1.1\r\nX-ApiKey: {key_of(self.name)}")
        return wire.unpack_requests(answer.split(b"\r\n\r\n", 1)[1])

    def post(self, identity: str, body: bytes, magic: str | None = None, key: str | None = None) -> int:
        magic = wire.pack_head(200, {}) if magic is None else magic
        answer = self.exchange(f"POST /7ZSFUKGV/http_response/{identity} HTTP/1.1\r\nX-PTTH-2LJYXWC4: {magic}\r\n"
                               f"X-ApiKey: {key or key_of(self.name)}\r\nContent-Length: {len(body)}", body)
        return int(answer.split(b" ", 2)[1])


class Hostile(WithServers):
    running = ()

    def test_only_the_right_answer_counts(self) -> None:
        alpha, beta = RawServer(self.hub, "alpha"), RawServer(self.hub, "beta")
        with concurrent.futures.ThreadPoolExecutor() as threads:
            reader = threads.submit(self.read, "/x")
            self.wait_metric("mayfly_hub_relayed_requests_waiting", 1)
            [(identity, method, uri, _)] = alpha.poll()
            self.assertEqual((method, uri), ("GET", "/x"))
            self.assertEqual(beta.post(identity, b"beta's"), 401)
            self.assertEqual(alpha.post(identity, b"wrong key", key="wrong"), 401)
            self.assertEqual(alpha.post(identity[:-1] + ("0" if identity[-1] != "0" else "1"), b"wrong id"), 400)
            self.assertEqual(alpha.post(identity, b"no head", magic="!"), 500)
            self.assertEqual(alpha.post(identity, b"right"), 200)
            self.assertEqual(alpha.post(identity, b"again"), 400)
            self.assertEqual(reader.result().body, b"right")

    def test_headers_that_would_split(self) -> None:
        alpha = RawServer(self.hub, "alpha")
        with concurrent.futures.ThreadPoolExecutor() as threads:
            reader = threads.submit(self.read, "/x")
            self.wait_metric("mayfly_hub_relayed_requests_waiting", 1)
            identity = alpha.poll()[0][0]
            magic = wire.pack_head(200, {"x-a": b"1\r\nSet-Cookie: a=b\r\n\r\n<script>"})
            self.assertEqual(alpha.post(identity, b"body", magic=magic), 200)
            answer = reader.result()
            self.assertEqual((answer.status, answer.headers["set-cookie"]), (502, None))

    def test_strangers_are_noted(self) -> None:
        stranger = RawServer(self.hub, "stranger")
        self.assertIn(b"401", stranger.exchange("GET /7ZSFUKGV/http_listen/stranger HTTP/1.1\r\nX-ApiKey: k"))
        page = self.visitor.get("/frontend/unregistered_servers").text()
        self.assertIn("stranger", page)
        self.assertIn(wire.tripcode(b"k"), page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
