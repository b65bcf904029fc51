"""HTTP/1.1 on asyncio streams, as far as the peers need it: heads, bodies, and nothing hidden."""

import asyncio
import email.utils
from dataclasses import dataclass, field

REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 304: "Not Modified", 307: "Temporary Redirect",
           400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
           416: "Range Not Satisfiable", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
           502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout"}
MAX_HEAD = 417792


@dataclass
class Head:
    first: list[str]                # the three words of the first line
    headers: list[tuple[str, bytes]] = field(default_factory=list)  # names in lower case

    def get(self, name: str) -> bytes | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def chunked(self) -> bool:
        return (self.get("transfer-encoding") or b"").lower() == b"chunked"

    @property
    def length(self) -> int | None:
        text = self.get("content-length")
        return None if text is None else int(text)


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """None: the connection ended before the head did. ValueError: that was no head."""
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    lines = data[:-4].split(b"\r\n")
    head = Head(lines[0].decode("latin-1").split(" ", 2))
    if len(head.first) < 2:
        raise ValueError("no first line")
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        if not colon:
            raise ValueError("no header line")
        head.headers.append((name.decode("latin-1").lower(), value.strip(b" \t")))
    return head


async def read_body(reader: asyncio.StreamReader, head: Head, to_end: bool = False):
    """Yields the pieces of a body. IncompleteReadError: it broke off."""
    if head.chunked:
        while True:
            line = await reader.readuntil(b"\r\n")
            size = int(line.split(b";")[0], 16)
            if size == 0:
                await reader.readuntil(b"\r\n")
                return
            while size > 0:
                piece = await reader.read(min(size, 65536))
                if not piece:
                    raise asyncio.IncompleteReadError(b"", size)
                size -= len(piece)
                yield piece
            await reader.readexactly(2)
    elif head.length is not None:
        left = head.length
        while left > 0:
            piece = await reader.read(min(left, 65536))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
            yield piece
    elif to_end:
        while piece := await reader.read(65536):
            yield piece


async def whole_body(reader: asyncio.StreamReader, head: Head, to_end: bool = False) -> bytes:
    return b"".join([piece async for piece in read_body(reader, head, to_end)])


class Connection:
    """One accepted connection, and what is left to say on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def head(self, status: int, headers: list[tuple[str, bytes]]) -> None:
        lines = [f"HTTP/1.1 {status} {REASONS[status]}".encode()]
        lines += [name.encode() + b": " + value for name, value in headers]
        if not any(name == "date" for name, _ in headers):
            lines.append(b"date: " + email.utils.formatdate(usegmt=True).encode())
        self.writer.write(b"\r\n".join(lines) + b"\r\n\r\n")

    async def text(self, status: int, body: bytes, close: bool = False) -> None:
        headers = [("content-type", b"text/plain"), ("content-length", b"%d" % len(body))]
        if status == 204:
            headers.pop()
        self.head(status, headers + ([("connection", b"close")] if close else []))
        self.writer.write(b"" if status == 204 else body)
        await self.writer.drain()

    async def gone(self) -> None:
        """Returns when the peer has closed. What it sends meanwhile stays unread."""
        while not self.reader.at_eof() and self.reader.exception() is None:
            await asyncio.sleep(0.01)
