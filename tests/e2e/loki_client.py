"""What clients of Loki send: Grafana's data source, logcli, and a live tail over a WebSocket (RFC 6455)."""

import base64
import dataclasses
import datetime
import hashlib
import http.client
import json
import os
import socket
import struct
import urllib.parse
from collections.abc import Iterator
from typing import Any

import reading
from harness import DEADLINE_S

NS = 1_000_000_000
GRAFANA = {"X-Loki-Response-Encoding-Flags": "categorize-labels", "Accept": "application/json, text/plain, */*"}


@dataclasses.dataclass(frozen=True, order=True)
class Entry:
    """One line, whoever told it."""

    time_ns: int
    directory: str
    key: str
    line: str
    server: str = ""


def parse_ns(text: str) -> int:
    """RFC 3339 with nanoseconds, UTC."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return int(seconds) * NS + int(fraction.ljust(9, "0") or 0)


def entries_of(streams: list[dict]) -> list[Entry]:
    """The lines of an answer's or a message's streams, stream by stream."""
    return [Entry(int(value[0]), stream["stream"].get("directory", ""), stream["stream"].get("key", ""), value[1],
                  stream["stream"].get("server", ""))
            for stream in streams for value in stream["values"]]


class Loki:
    """A data source: the base address, and headers that go with every request."""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.url = url
        self.headers = headers or {}

    def ask(self, path: str, fields: dict[str, Any] | list[tuple[str, Any]], headers: dict[str, str] | None = None) -> reading.Answer:
        target = f"/loki/api/v1/{path}?{urllib.parse.urlencode(fields)}"
        return reading.get(self.url, target, {**self.headers, **(headers or {})})

    def get(self, path: str, fields: dict[str, Any] | list[tuple[str, Any]] = (), headers: dict[str, str] | None = None) -> Any:
        """The answer's "data"; the whole object where it has none."""
        answer = self.ask(path, fields, headers)
        if answer.status != 200:
            raise AssertionError(f"{path} {fields}: {answer.status} {answer.body!r}")
        if answer.headers.get_content_type() != "application/json":
            raise AssertionError(f"{path}: {answer.headers.get_content_type()}")
        document = answer.json()
        if "status" in document and document["status"] != "success":
            raise AssertionError(f"{path}: {document}")
        return document.get("data", document)

    def post(self, path: str, form: str) -> Any:
        """The "data" that a form's answer has."""
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.url).netloc, timeout=DEADLINE_S)
        try:
            connection.request("POST", f"/loki/api/v1/{path}", form,
                               {**self.headers, "Content-Type": "application/x-www-form-urlencoded"})
            return json.load(connection.getresponse())["data"]
        finally:
            connection.close()

    def logs(self, query: str, **fields: Any) -> list[Entry]:
        """In the order of the answer, the streams one after the other."""
        data = self.get("query_range", {"query": query, **fields})
        if data["resultType"] != "streams":
            raise AssertionError(data["resultType"])
        return entries_of(data["result"])

    def logcli(self, query: str, limit: int, batch: int, start: int, end: int, forward: bool) -> list[Entry]:
        """Page by page as logcli does: the next page begins with the last one's last time, and what came twice is left out."""
        printed: list[Entry] = []
        last: list[Entry] = []
        while len(printed) < limit:
            size = min(batch, limit - len(printed) + len(last))
            page = self.logs(query, limit=size, start=start, end=end, direction="FORWARD" if forward else "BACKWARD")
            page = sorted(set(page) - set(last), reverse=not forward)
            if not page:
                break
            printed += page
            edge = page[-1].time_ns
            last = [entry for entry in printed if entry.time_ns == edge]
            if forward:
                start = edge
            else:
                end = edge + 1
        return printed

    def tail(self, query: str, **fields: Any) -> "TailSocket":
        return TailSocket(self.url, f"/loki/api/v1/tail?{urllib.parse.urlencode({'query': query, **fields})}", self.headers)


class TailSocket:
    """A WebSocket's client side. Use as a context; iterates over messages until the server closes."""

    def __init__(self, url: str, target: str, headers: dict[str, str]) -> None:
        host, port = urllib.parse.urlsplit(url).netloc.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {target} HTTP/1.1", f"Host: {host}:{port}", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}", *(f"{name}: {value}" for name, value in headers.items())]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        self.file = self.socket.makefile("rb")
        status = self.file.readline()
        answer = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(": ")
            answer[name.lower()] = value
        if not status.startswith(b"HTTP/1.1 101 "):
            raise AssertionError(status)
        guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        expected = base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()
        if answer["sec-websocket-accept"] != expected:
            raise AssertionError(answer)

    def __enter__(self) -> "TailSocket":
        return self

    def __exit__(self, *_: Any) -> None:
        self.file.close()
        self.socket.close()

    def send(self, opcode: int, payload: bytes) -> None:
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))
        self.socket.sendall(bytes([0x80 | opcode, 0x80 | len(payload)]) + mask + masked)

    def frame(self) -> tuple[int, bytes]:
        first, second = self.file.read(2)
        size = second & 0x7F
        if size == 126:
            size = struct.unpack(">H", self.file.read(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.file.read(8))[0]
        if second & 0x80 or not first & 0x80:
            raise AssertionError("a masked or fragmented frame")
        return first & 0x0F, self.file.read(size)

    def close(self) -> int:
        """Says goodbye as browsers do; the server's code."""
        self.send(8, struct.pack(">H", 1000))
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return struct.unpack(">H", payload[:2])[0]

    def __iter__(self) -> Iterator[dict]:
        while True:
            opcode, payload = self.frame()
            if opcode == 8:
                return
            if opcode == 9:
                self.send(10, payload)
            if opcode == 1:
                yield json.loads(payload)

    def entries(self, count: int) -> list[Entry]:
        """The next `count` lines, in order of arrival."""
        got: list[Entry] = []
        for message in self:
            if message["dropped_entries"]:
                raise AssertionError(message)
            got += sorted(entries_of(message["streams"]))
            if len(got) >= count:
                break
        return got
