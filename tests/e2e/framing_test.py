"""The framing table (tests/data/framing.json) against the real relayd and hubd: every row is refused, the
connection closed, and the good request behind it never answered. Rows that break a body are also sent to
the endpoint that takes bodies as they come, the tunnel's."""

import json
import pathlib
import re
import sys
import unittest

import reading
from harness import Stack

TABLE = pathlib.Path(__file__).parent.parent / "data" / "framing.json"
FEWEST_ROWS = 50
BEHIND = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
RESPONSE_PATH = b"/7ZSFUKGV/http_response/01M7Z82ZHT2P219AJ4Q90T55WF"
STATUS_LINE = re.compile(rb"HTTP/1\.1 \d\d\d ")
ONE_ANSWER = re.compile(rb"HTTP/1\.1 ([45]\d\d) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n")


def row_bytes(row: dict) -> bytes:
    return b"".join(part.encode("latin-1") if isinstance(part, str)
                    else part["repeat"].encode("latin-1") * part["times"] for part in row["send"])


def answer_to(stack: Stack, listener: str, sent: bytes) -> bytes:
    """All that comes until the listener closes; an error when it does not."""
    with stack.connect(listener) as connection:
        try:
            connection.sendall(sent)
        except (ConnectionResetError, BrokenPipeError):
            pass  # it had seen enough
        received = b""
        while True:
            try:
                part = connection.recv(65536)
            except ConnectionResetError:
                return received
            if not part:
                return received
            received += part


class Framing(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.rows = json.loads(TABLE.read_text())["rows"]
        cls.stack = Stack()
        cls.stack.__enter__()
        cls.addClassCleanup(cls.stack.__exit__)

    def refused(self, listener: str, sent: bytes, statuses: list[int] | None) -> None:
        """One answer, of these statuses (None: any refusal), and the end."""
        received = answer_to(self.stack, listener, sent + BEHIND)
        match = ONE_ANSWER.match(received)
        self.assertIsNotNone(match, received[:200])
        self.assertEqual(len(STATUS_LINE.findall(received)), 1, received)
        if statuses is not None:
            self.assertIn(int(match.group(1)), statuses)

    def alive(self) -> None:
        for listener in ("relay", "hub"):
            self.assertEqual(reading.get(self.stack.ready[listener], "/healthz").status, 200)

    def test_every_row_at_every_listener(self) -> None:
        self.assertGreaterEqual(len(self.rows), FEWEST_ROWS)
        for listener in ("relay", "hub"):
            for row in self.rows:
                with self.subTest(listener=listener, row=row["name"]):
                    self.refused(listener, row_bytes(row), row["status"])
        self.alive()
        print(f"{len(self.rows)} rows at 2 listeners", file=sys.stderr)

    def test_refusals_are_counted(self) -> None:
        def refused() -> float:
            text = reading.get(self.stack.ready["hub"], "/metrics").body.decode()
            return float(re.search(r"^mayfly_hub_malformed_requests_total (\S+)$", text, re.M).group(1))
        before = refused()
        for row in self.rows:
            answer_to(self.stack, "hub", row_bytes(row))
        self.assertGreaterEqual(refused() - before, len(self.rows) - 1)

    def test_bodies_on_their_way_into_the_tunnel(self) -> None:
        rows = [row for row in self.rows if row.get("in_body")]
        self.assertTrue(rows)
        for row in rows:
            sent = row_bytes(row).replace(b"POST / ", b"POST " + RESPONSE_PATH + b" ", 1)
            self.assertIn(RESPONSE_PATH, sent)
            for key in (b"", b"X-ApiKey: no such key\r\n"):
                with self.subTest(row=row["name"], key=key):
                    self.refused("hub", sent.replace(b"Host:", key + b"Host:", 1), None)
        self.alive()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
