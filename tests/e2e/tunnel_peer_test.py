"""relayd behind a relay that is PTTH's: a program written from the facts about it, with its oddities."""

import concurrent.futures
import http.client
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

import reading
from harness import BIN, DEADLINE_S, Stack, wait_for
from peer_process import PtthRelay

NAME = "web-1"
PREFIX = f"/frontend/servers/{NAME}"


class BehindARelay(unittest.TestCase):
    """A stack whose tunnel goes to ptth_relay.py, and whose quotas come from its own hub."""

    relay_flags: tuple[str, ...] = ("--listen-s", "2")

    def setUp(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mayfly-tunnel-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.host_file = self.folder / "host.yaml"
        # The key file does not exist: relayd makes it when it is first asked for the tripcode.
        self.write_host_file("http://127.0.0.1:1/7ZSFUKGV")
        self.tripcode = subprocess.run([BIN / "relayd", "--print-tripcode", "--config", self.host_file], check=True,
                                       stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                       timeout=DEADLINE_S).stdout.strip()
        self.relay = self.start_relay(0, *self.relay_flags)
        self.write_host_file(self.relay.tunnel_url)
        self.stack = Stack("--config", str(self.host_file))
        self.addCleanup(self.stack.__exit__)
        self.stack.wait_ready()
        self.relay.wait_event("listen")

    def write_host_file(self, tunnel_url: str) -> None:
        self.host_file.write_text(f"name: {NAME}\napi_key_file: {self.folder}/key\ntunnel_url: {tunnel_url}\n")

    def start_relay(self, port: int, *flags: str) -> PtthRelay:
        relay = PtthRelay(NAME, self.tripcode, port, *flags)
        self.addCleanup(relay.__exit__)
        return relay

    def get(self, path: str, headers: dict[str, str] | None = None) -> reading.Answer:
        return reading.get(self.relay.url, PREFIX + path, headers)

    def local(self, path: str, headers: dict[str, str] | None = None) -> reading.Answer:
        return reading.get(self.stack.ready["relay"], path, headers)

    def uplink_connections(self) -> int:
        """Open connections from relayd to the relay."""
        port = f":{self.relay.port:04X}"
        sockets = {line.split()[9] for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
                   if line.split()[2].endswith(port) and line.split()[3] == "01"}
        folder = f"/proc/{self.stack.pid('relayd')}/fd"
        count = 0
        for entry in os.listdir(folder):
            try:
                match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(f"{folder}/{entry}"))
            except FileNotFoundError:
                continue
            count += bool(match and match[1] in sockets)
        return count


class Reading(BehindARelay):
    def test_answers_are_those_of_the_host_itself(self) -> None:
        self.stack.send(*(f"LOG demo key{i % 3} line {i}".encode() for i in range(50)),
                        b"STATUS web pid 123", b"STATUS web \xff\x01 bytes", b"LOG web-log a/b slash")
        for path in ("/api/v1/directories", "/api/v1/logs/demo", "/api/v1/logs/demo/key1", "/api/v1/logs/demo;last=2",
                     "/api/v1/logs/demo;last=3;grep=line%204", "/api/v1/status/web/pid", "/api/v1/logs/web-log;key=a%2Fb",
                     "/api/v1/logs/demo;key_b64=a2V5MQ==;last=1", "/healthz", "/readyz",
                     "/api/v1/logs/nowhere.at-all", "/api/v1/logs/demo;last=x", "/no/such/path", "/api/v1/logs/%zz"):
            with self.subTest(path=path):
                far, near = self.get(path), self.local(path)
                self.assertEqual(far.body, near.body)
                # A status that the tunnel lacks goes as one near to it; none of these is.
                self.assertEqual(far.status, near.status)
                for name in ("content-type", "content-length", "cache-control", "x-content-type-options"):
                    self.assertEqual(far.headers[name], near.headers[name])
        self.assertEqual(len(self.get("/api/v1/logs/demo;last=2").lines()), 2)
        # The relay drops queries: without the path form all of it comes.
        self.assertEqual(len(self.get("/api/v1/logs/demo?last=2").lines()), 50)
        scrape = self.get("/metrics").body.decode()
        self.assertIn("\nmayfly_tunnel_connected 1\n", scrape)
        self.assertRegex(scrape, r'\nmayfly_tunnel_requests_total\{outcome="taken"\} [1-9]')
        self.assertIn('\nmayfly_tunnel_requests_total{outcome="refused"} 0\n', scrape)
        # The bytes of a request are the original's; what is added, a stock relay passes over.
        polled = self.relay.those("listen")[0]["headers"]
        self.assertEqual(set(polled), {"accept", "host", "mayfly-version", "mayfly-features"})
        self.assertEqual(polled["accept"], "*/*")
        for answer in self.relay.those("responded"):
            self.assertEqual((answer["status"], answer["text"]), (200, "StreamFinished\n"))

    def test_head_and_range(self) -> None:
        self.stack.send(b"STATUS web pid 12345")
        connection = http.client.HTTPConnection("127.0.0.1", self.relay.port, timeout=DEADLINE_S)
        self.addCleanup(connection.close)
        connection.request("HEAD", PREFIX + "/api/v1/status/web/pid")
        head = connection.getresponse()
        head.read()
        self.assertEqual((head.status, head.headers["content-length"]), (200, "5"))
        wait_for("the POST's end", lambda: self.relay.those("responded"))
        self.assertEqual(self.relay.those("responded")[0]["length"], 0)
        ranged = {"Range": "bytes=1-2"}
        far, near = self.get("/api/v1/status/web/pid", ranged), self.local("/api/v1/status/web/pid", ranged)
        self.assertEqual((far.status, far.body), (near.status, near.body))

    def test_methods_and_statuses_that_the_tunnel_lacks(self) -> None:
        # 503 goes as 500, with the exact one beside it for a hub that knows the header.
        os.kill(self.stack.pid("ingestd"), signal.SIGSTOP)
        self.addCleanup(os.kill, self.stack.pid("ingestd"), signal.SIGCONT)
        for path in pathlib.Path(self.stack.runtime_dir, "segments").glob("data"):
            path.rename(path.with_name("hidden"))
        wait_for("a host without a segment", lambda: self.local("/readyz").status == 503)
        answer = self.get("/readyz")
        self.assertEqual((answer.status, answer.headers["mayfly-status"]), (500, "503"))
        self.assertEqual(answer.json()["status"], 503)

    def test_many_at_once_and_none_swapped(self) -> None:
        self.stack.send(*(f"STATUS many k{i} value-{i}".encode() for i in range(200)))
        with concurrent.futures.ThreadPoolExecutor(40) as pool:
            answers = list(pool.map(lambda i: self.get(f"/api/v1/status/many/k{i}").body, range(200)))
        self.assertEqual(answers, [f"value-{i}".encode() for i in range(200)])


class Streams(BehindARelay):
    def tail(self, path: str = "/api/v1/tail/demo") -> reading.EventStream:
        stream = reading.EventStream(self.relay.url, PREFIX + path)
        self.addCleanup(stream.__exit__)
        self.assertEqual(stream.status, 200)
        return stream

    def assert_cut(self, stream: reading.EventStream) -> None:
        """It ends, and not as if it were complete."""
        with self.assertRaises((http.client.IncompleteRead, ConnectionError)):
            stream.response.read()

    def test_a_tail_runs_through_and_resumes(self) -> None:
        self.stack.send(b"LOG demo k before")
        stream = self.tail("/api/v1/tail/demo;last=1")
        events = iter(stream)
        self.assertEqual(next(events)[1]["line"], "before")
        for i in range(20):
            self.stack.send(f"LOG demo k live-{i}".encode())
            event, record, identifier = next(events)
            self.assertEqual((event, record["line"]), ("record", f"live-{i}"))
        stream.__exit__()
        self.stack.send(b"LOG demo k missed-1", b"LOG demo k missed-2")
        resumed_stream = reading.EventStream(self.relay.url, PREFIX + "/api/v1/tail/demo", identifier)
        self.addCleanup(resumed_stream.__exit__)
        resumed = iter(resumed_stream)
        self.assertEqual([next(resumed)[1]["line"] for _ in range(2)], ["missed-1", "missed-2"])

    def test_a_reader_that_left_frees_its_upload(self) -> None:
        self.stack.send(b"LOG demo k first")
        resting = self.uplink_connections()
        streams = [self.tail("/api/v1/tail/demo;last=1") for _ in range(30)]
        for stream in streams:
            self.assertEqual(next(iter(stream))[1]["line"], "first")
        self.assertGreaterEqual(self.uplink_connections(), 31)
        # Others are served all the same.
        self.assertEqual(self.get("/healthz").status, 200)
        for stream in streams:
            stream.__exit__()
        self.relay.wait_event("responded", 30, text="ClientDisconnected\n", chunked=True)
        wait_for("the uploads to end", lambda: self.uplink_connections() <= max(resting, 1) + 16)
        self.assertEqual(self.get("/healthz").status, 200)

    def test_a_slow_reader_holds_up_nobody(self) -> None:
        self.stack.send(b"LOG demo k first")
        slow = socket.create_connection(("127.0.0.1", self.relay.port), timeout=DEADLINE_S)
        self.addCleanup(slow.close)
        slow.sendall(f"GET {PREFIX}/api/v1/tail/demo;last=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        stream = iter(self.tail("/api/v1/tail/demo;last=1"))
        self.assertEqual(next(stream)[1]["line"], "first")
        total = 20000
        batches = [[f"LOG demo k {i:05} {'x' * 900}".encode() for i in range(at, at + 500)]
                   for at in range(0, total, 500)]
        last, missed, seen = -1, 0, 0
        for batch in batches:
            self.stack.send(*batch)
        for event, data, _ in stream:
            if event == "gap":
                missed += data["missed"]
            else:
                seen += 1
                last = int(data["line"][:5])
            if last == total - 1:
                break
        self.assertEqual(seen + missed, total)
        self.assertEqual(self.get("/healthz").status, 200)

    def test_the_relay_restarts(self) -> None:
        self.stack.send(b"LOG demo k first")
        stream = self.tail("/api/v1/tail/demo;last=1")
        self.assertEqual(next(iter(stream))[1]["line"], "first")
        self.relay.stop(signal.SIGKILL)
        self.assert_cut(stream)
        wait_for("relayd's complaint", lambda: "7ZSFUKGV is away" in self.stack.log_text())
        self.relay = self.start_relay(self.relay.port, *self.relay_flags)
        self.relay.wait_event("listen")
        again = iter(self.tail("/api/v1/tail/demo;last=1"))
        self.assertEqual(next(again)[1]["line"], "first")
        self.stack.send(b"LOG demo k second")
        self.assertEqual(next(again)[1]["line"], "second")
        # Each change of state is said once: connected, away, connected.
        wait_for("the log", lambda: self.stack.log_text().count("tunnel: connected") == 2)
        self.assertEqual(self.stack.log_text().count("is away"), 1)

    def test_the_end_of_relayd_is_visible(self) -> None:
        self.stack.send(b"LOG demo k first")
        stream = self.tail("/api/v1/tail/demo;last=1")
        next(iter(stream))
        os.kill(self.stack.pid("relayd"), signal.SIGTERM)
        self.assert_cut(stream)
        polls = len(self.relay.those("listen"))
        self.relay.wait_event("listen", polls + 1)  # its successor's, or the one after
        again = iter(self.tail("/api/v1/tail/demo;last=1"))
        self.assertEqual(next(again)[1]["line"], "first")


class Abandoned(BehindARelay):
    def test_requests_whose_client_left_are_outlived(self) -> None:
        self.stack.send(b"STATUS web pid 123")
        relayd = self.stack.pid("relayd")
        os.kill(relayd, signal.SIGSTOP)
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", self.relay.port), timeout=DEADLINE_S) as client:
                client.sendall(f"GET {PREFIX}/api/v1/status/web/pid HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        self.relay.wait_event("abandoned", 5)
        os.kill(relayd, signal.SIGCONT)
        # The original delivers them all the same; what comes back is refused.
        self.relay.wait_event("responded", 5, status=502)
        self.assertEqual(self.get("/api/v1/status/web/pid").body, b"123")

    def test_a_rival_of_the_same_name(self) -> None:
        key = (self.folder / "key").read_text().strip()
        rival = socket.create_connection(("127.0.0.1", self.relay.port), timeout=DEADLINE_S)
        self.addCleanup(rival.close)
        rival.sendall(f"GET /7ZSFUKGV/http_listen/{NAME} HTTP/1.1\r\nhost: x\r\nx-apikey: {key}\r\n\r\n".encode())
        self.relay.wait_event("listened", status=500)
        rival.close()
        self.relay.wait_event("listen", 3)  # relayd again, after its back-off
        self.assertEqual(self.get("/healthz").body, b"ok\n")


class Failures(BehindARelay):
    relay_flags = ("--listen-s", "2", "--script", "500,junk,close,204,empty,401")

    def test_back_off(self) -> None:
        self.relay.wait_event("listen", 7)
        gaps = {entry["n"]: entry["gap_ms"] for entry in self.relay.those("listen")}
        # old * 2 + 500 ms, at most 2 s towards loopback, shortened by up to a quarter: lower bounds only.
        # The connection that was closed without an answer is tried once more at once, on a new one.
        self.assertGreaterEqual(gaps[2], 370)
        self.assertGreaterEqual(gaps[3], 1120)
        self.assertGreaterEqual(gaps[5], 90)  # an instant 204, and an instant empty list, are no hot loop
        self.assertGreaterEqual(gaps[6], 90)
        self.assertGreaterEqual(gaps[7], 370)
        wait_for("the log", lambda: "tunnel: connected" in self.stack.log_text())
        self.assertEqual(self.get("/healthz").status, 200)
        for text in ("does not answer as a relay does: status 500", "does not know this name and key"):
            self.assertEqual(self.stack.log_text().count(text), 1)


class Keys(unittest.TestCase):
    def test_made_and_refused(self) -> None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="mayfly-keys-"))
        self.addCleanup(shutil.rmtree, folder)
        host = folder / "host.yaml"

        def tripcode(text: str) -> subprocess.CompletedProcess:
            host.write_text(f"name: {NAME}\n{text}\n")
            host.chmod(0o600)
            return subprocess.run([BIN / "relayd", "--print-tripcode", "--config", host], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, timeout=DEADLINE_S, check=False)

        made = tripcode(f"api_key_file: {folder}/key")
        self.assertEqual(made.returncode, 0)
        self.assertRegex(made.stdout, r"\A[A-Za-z0-9+/]{43}=\n\Z")
        self.assertEqual((folder / "key").stat().st_mode & 0o777, 0o600)
        key = (folder / "key").read_text().strip()
        self.assertGreaterEqual(len(key), 64)
        self.assertIn(f"{folder}/key", made.stderr)
        self.assertNotIn(key, made.stderr)
        self.assertEqual(tripcode(f"api_key_file: {folder}/key").stdout, made.stdout)
        self.assertEqual(tripcode(f"api_key: {key}").stdout, made.stdout)
        for weak in ("secretpassword", "A" * 88, "bad_password"):
            refused = tripcode(f"api_key: {weak}")
            self.assertEqual((refused.returncode, refused.stdout), (2, ""))
            self.assertIn("host.yaml:2:", refused.stderr)
            self.assertNotIn(weak, refused.stderr)
        strong = tripcode(f"api_key: {secrets.token_hex(16)}\ntunnel_url: http://relay.example.org/7ZSFUKGV")
        self.assertEqual(strong.returncode, 2)
        self.assertIn("https", strong.stderr)


if __name__ == "__main__":
    unittest.main()
