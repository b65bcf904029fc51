#!/usr/bin/python3
"""A ptth_server 2.1.0 as far as its relay can tell: written from what was seen of the real one, oddities included.

    ptth_server.py --relay-url http://127.0.0.1:4000/7ZSFUKGV --name alpha --api-key KEY --file-server-root DIR

Serves DIR under /files/, and lists it under /api/v1/dir/. Says what it does as JSON, one object a line,
on standard output: {"event":"poll","n":1,"status":204}, {"event":"back-off","ms":500},
{"event":"request","id":…,"method":…,"uri":…,"headers":…}, {"event":"posted","id":…,"status":200,"text":"StreamFinished\\n"}.

What a relay has to stand: HEAD and 304 announce a body that never comes; 416 has neither length nor
encoding; a request whose uri is none gets no answer at all; head and body leave in separate segments,
with Nagle's algorithm on.
"""

import argparse
import asyncio
import html
import json
import os
import pathlib
import re
import socket
import stat
import sys
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import http1  # noqa: E402
import wire  # noqa: E402

LISTEN_LIMIT_S = 30
LONGEST_WAIT_MS = 30000
PIECE = 16384
CACHE_CONTROL = b"no-cache,max-age=0"


def say(event: str, **fields) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


class Answer:
    """What goes into one response POST. `announced`: its content-length; None: no length at all."""

    def __init__(self, status: int, headers: dict[str, bytes], body: bytes = b"", announced: int | None = None,
                 path: pathlib.Path | None = None, span: tuple[int, int] = (0, 0)) -> None:
        self.status, self.headers, self.body, self.announced = status, headers, body, announced
        self.path, self.span = path, span

    @staticmethod
    def page(status: int, body: bytes, **headers: bytes) -> "Answer":
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Answer(status, {**named, "content-length": str(len(body)).encode()}, body, len(body))


def parse_range(text: bytes, size: int) -> tuple[int, int] | None:
    """First and end. The real one reads a suffix as a range from 0, and what it cannot read as everything."""
    match = re.fullmatch(rb"bytes=(\d*)-(\d*)", text)
    if not match or not (match[1] or match[2]):
        return 0, size
    first = int(match[1] or 0)
    end = int(match[2]) + 1 if match[2] else size
    return None if end > size or first >= end else (first, end)


class Files:
    def __init__(self, root: str) -> None:
        self.root = pathlib.Path(root)

    def answer(self, method: str, uri: str, headers: dict[str, bytes]) -> Answer | None:
        """None: the handler fails, and nothing is sent."""
        if not re.fullmatch(r"/[!-;=?-_a-~]*", uri):
            return None
        path, question, _ = uri.partition("?")
        try:
            decoded = urllib.parse.unquote_to_bytes(path).decode()
        except UnicodeDecodeError:
            return None
        if method not in ("GET", "HEAD"):
            return Answer.page(405, b"Unsupported method\n")
        if decoded == "/favicon.ico":
            return Answer.page(404, b"Not found\n")
        if decoded == "/":
            return Answer.page(200, b"<!DOCTYPE html><title>root</title>\n", content_type=b"text/html; charset=UTF-8")
        if decoded.startswith("/api/v1/dir/"):
            return self.listing(self.root / decoded.removeprefix("/api/v1/dir/").lstrip("/"))
        if not decoded.startswith("/files/"):
            return self.missing()
        target = self.root / decoded.removeprefix("/files/").lstrip("/")
        if target.is_dir():
            return self.folder(target, decoded, bool(question))
        if not target.is_file():
            return self.missing()
        return self.file(method, target, headers)

    @staticmethod
    def missing() -> Answer:
        return Answer.page(404, b"404 Not Found\nAre you missing a trailing slash?\n")

    def listing(self, target: pathlib.Path) -> Answer:
        if not target.is_dir():
            return self.missing()
        entries = [{"name": entry.name, "size": entry.stat().st_size, "is_dir": entry.is_dir()}
                   for entry in sorted(target.iterdir(), key=lambda entry: os.fsencode(entry.name))]
        body = json.dumps({"entries": entries}, separators=(",", ":"), ensure_ascii=False).encode()
        return Answer.page(200, body, content_type=b"application/json; charset=UTF-8")

    @staticmethod
    def folder(target: pathlib.Path, decoded: str, has_query: bool) -> Answer:
        if has_query:
            return Answer.page(400, b"Query is invalid for this object\n")
        if not decoded.endswith("/"):
            return Answer.page(307, b"Redirecting...\n", location=target.name.encode() + b"/")
        rows = "".join(f"<li>{html.escape(entry.name)}</li>" for entry in sorted(target.iterdir()))
        return Answer.page(200, f"<!DOCTYPE html><ul>{rows}</ul>\n".encode(), content_type=b"text/html; charset=UTF-8")

    @staticmethod
    def file(method: str, target: pathlib.Path, headers: dict[str, bytes]) -> Answer:
        status = target.stat()
        if stat.S_IMODE(status.st_mode) == 0o600:
            return Answer.page(403, b"403 Forbidden\n")
        size = status.st_size
        etag = wire.file_etag(size, *divmod(status.st_mtime_ns, 10**9))
        common = {"accept-ranges": b"bytes", "cache-control": CACHE_CONTROL, "etag": etag}
        if headers.get("if-none-match") == etag:
            return Answer(304, common, announced=size)
        if method == "HEAD":
            return Answer(204, common, announced=size)
        if "range" not in headers:
            return Answer(200, common, announced=size, path=target, span=(0, size))
        span = parse_range(headers["range"], size)
        if span is None:
            return Answer(416, {"content-range": b"bytes */%d" % size})
        common["content-range"] = b"bytes %d-%d/%d" % (span[0], span[1] - 1, span[1])
        return Answer(206, common, announced=span[1] - span[0], path=target, span=span)


class Server:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        url = urllib.parse.urlsplit(options.relay_url)
        self.address, self.root = (url.hostname, url.port), url.path
        self.authority = url.netloc
        self.files = Files(options.file_server_root)
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.tasks: set[asyncio.Task] = set()

    async def connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self.idle:
            reader, writer = self.idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
        reader, writer = await asyncio.open_connection(*self.address, limit=http1.MAX_HEAD)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
        return reader, writer

    def tail(self) -> bytes:
        return f"accept: */*\r\nx-apikey: {self.options.api_key}\r\nhost: {self.authority}\r\n\r\n".encode()

    async def listen_once(self) -> tuple[int, bytes]:
        reader, writer = await self.connection()
        writer.write(f"GET {self.root}/http_listen/{self.options.name} HTTP/1.1\r\n".encode() + self.tail())
        head = await http1.read_head(reader)
        if head is None:
            writer.close()
            raise ConnectionError("closed without an answer")
        status = int(head.first[1])
        body = b"" if status == 204 else await http1.whole_body(reader, head, to_end=True)
        if head.get("connection") == b"close":
            writer.close()
        else:
            self.idle.append((reader, writer))
        return status, body

    async def run(self) -> None:
        wait_ms, polls = 0, 0
        while True:
            polls += 1
            requests = None
            try:
                status, body = await asyncio.wait_for(self.listen_once(), LISTEN_LIMIT_S)
                say("poll", n=polls, status=status)
                if status == 204:
                    await asyncio.sleep(wait_ms / 1000)  # an earlier failure is not forgiven by this
                    continue
                requests = wire.unpack_requests(body) if status == 200 else None
            except TimeoutError:
                say("poll", n=polls, status=0, text="no answer")
                continue
            except (OSError, ValueError, TypeError, EOFError) as error:
                say("poll", n=polls, status=0, text=str(error))
            if requests is None:
                wait_ms = min(wait_ms * 2 + 500, LONGEST_WAIT_MS)
                say("back-off", ms=wait_ms)
                await asyncio.sleep(wait_ms / 1000)
                continue
            wait_ms = 0
            for request in requests:
                task = asyncio.create_task(self.serve(*request))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    async def serve(self, identity: str, method: str, uri: str, headers: dict[str, bytes]) -> None:
        say("request", id=identity, method=method, uri=uri,
            headers={name: value.decode("latin-1") for name, value in headers.items()})
        answer = self.files.answer(method, uri, headers)
        if answer is None:
            return
        try:
            status, text = await self.post(identity, answer)
            say("posted", id=identity, status=status, text=text)
        except (OSError, EOFError, ValueError) as error:
            say("posted", id=identity, status=0, text=str(error))

    async def post(self, identity: str, answer: Answer) -> tuple[int, str]:
        reader, writer = await self.connection()
        length = "" if answer.announced is None else f"content-length: {answer.announced}\r\n"
        magic = wire.pack_head(answer.status, answer.headers)
        writer.write(f"POST {self.root}/http_response/{identity} HTTP/1.1\r\nx-ptth-2ljyxwc4: {magic}\r\n{length}".encode()
                     + self.tail())
        # asyncio sends at once what it can: the head is a segment of its own by now, as with the real one.
        upload = asyncio.create_task(self.upload(writer, answer))
        try:
            head = await http1.read_head(reader)
            if head is None:
                raise ConnectionError("closed without an answer")
            text = (await http1.whole_body(reader, head, to_end=True)).decode()
            whole = upload.done() and answer.announced == answer.span[1] - answer.span[0] + len(answer.body)
            if not whole or head.get("connection") == b"close":
                writer.close()  # an upload that was not finished leaves nothing to reuse
            else:
                self.idle.append((reader, writer))
            return int(head.first[1]), text
        finally:
            upload.cancel()

    async def upload(self, writer: asyncio.StreamWriter, answer: Answer) -> None:
        try:
            if answer.path is None:
                writer.write(answer.body)
                return await writer.drain()
            with answer.path.open("rb") as file:
                file.seek(answer.span[0])
                left = answer.span[1] - answer.span[0]
                while left > 0 and (piece := file.read(min(PIECE, left))):
                    left -= len(piece)
                    writer.write(piece)
                    await writer.drain()
                    if self.options.throttle_upload:
                        await asyncio.sleep(1)
        except ConnectionError:
            pass  # the relay's answer, or its absence, says why


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--relay-url", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--file-server-root", default=".")
    parser.add_argument("--throttle-upload", action="store_true", help="one piece of 16 KiB a second")
    parser.add_argument("--print-tripcode", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    OPTIONS = parse_arguments()
    if OPTIONS.print_tripcode:
        print(f'name = "{OPTIONS.name}"\ntripcode = "{wire.tripcode(OPTIONS.api_key.encode())}"')
        sys.exit(0)
    try:
        asyncio.run(Server(OPTIONS).run())
    except KeyboardInterrupt:
        pass
