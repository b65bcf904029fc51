#!/usr/bin/python3
"""A ptth_relay 2.0.0 as far as its servers and clients can tell: written from what was seen of the real one.

    ptth_relay.py --port 0 --server alpha=TRIPCODE [--listen-s 25] [--answer-s 30] [--script 500,junk,close,204]

Says what it does as JSON, one object a line, on standard output: {"event":"ready","port":4000},
{"event":"listen","n":1,"gap_ms":0,"headers":…}, {"event":"listened","n":1,"status":200,"ids":[…]},
{"event":"responded","id":…,"status":200,"text":"StreamFinished\\n","length":34,"chunked":false},
{"event":"abandoned","id":…} and {"event":"timed-out","id":…} for clients without an answer.

Oddities kept: queries are dropped, of a repeated header only the first value goes on, a second
listener displaces the first, requests of clients that left are delivered all the same, and a shutdown
ends running downloads as if they were complete. `--script` answers the first listens otherwise: a
status, `junk` (200 with garbage), `empty` (200 with no request) or `close` (no answer at all).
"""

import argparse
import asyncio
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import http1  # noqa: E402
import wire  # noqa: E402

BACKEND = "/7ZSFUKGV/"
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
REFUSED_METHODS = b"Bad request\n"


def say(event: str, **fields) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


def new_ulid() -> str:
    number = int(time.time() * 1000) << 80 | secrets.randbits(80)
    return "".join(CROCKFORD[number >> 5 * i & 31] for i in reversed(range(26)))


class Response:
    """A server's answer on its way: the head, and the pieces of the body as they come. None: the end."""

    def __init__(self, status: int, headers: dict[str, bytes]) -> None:
        self.status, self.headers = status, headers
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue(1)
        self.client_gone = asyncio.Event()
        self.broken = False


class Host:
    """One server: what waits for its next listen, and the listen that waits."""

    def __init__(self, tripcode: str) -> None:
        self.tripcode = tripcode
        self.queue: list[tuple[str, str, str, dict[str, bytes]]] = []
        self.parked: asyncio.Future | None = None

    def push(self, request) -> None:
        if self.parked is not None and not self.parked.done():
            self.parked.set_result([request])
            self.parked = None
        else:
            self.queue.append(request)


class Relay:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.hosts = {}
        for entry in options.server:
            name, _, tripcode = entry.partition("=")
            self.hosts[name] = Host(tripcode)
        # Of a client that has its 504 or has left, the entry stays until the server answers.
        self.rendezvous: dict[str, asyncio.Future] = {}
        self.script = [word for word in options.script.split(",") if word]
        self.listens = 0
        self.last_listen_end = time.monotonic()
        self.stopping = asyncio.Event()

    # --- connections ---

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = http1.Connection(reader, writer)
        try:
            while (head := await http1.read_head(reader)) is not None:
                if not await self.route(connection, head):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except (ValueError, asyncio.LimitOverrunError):
            writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
        finally:
            writer.close()

    async def route(self, connection: http1.Connection, head: http1.Head) -> bool:
        """False: nothing more comes on this connection."""
        method = head.first[0]
        path = head.first[1].partition("?")[0].partition("#")[0]
        if method == "POST" and path.startswith(BACKEND + "http_response/"):
            return await self.take_response(connection, head, path.rpartition("/")[2])
        if path.startswith(BACKEND + "http_listen/"):
            return await self.listen(connection, head, path.removeprefix(BACKEND + "http_listen/"))
        if match := re.fullmatch(r"/frontend/servers/([^/]+)(/.*)", path):
            return await self.forward(connection, head, match[1], match[2])
        if path == "/frontend/relay_up_check":
            await connection.text(200, b"Relay is up\n")
        else:
            await connection.text(200, b"URL routing failed\n")
        return True

    # --- servers ---

    async def listen(self, connection: http1.Connection, head: http1.Head, name: str) -> bool:
        self.listens += 1
        number = self.listens
        gap_ms = round((time.monotonic() - self.last_listen_end) * 1000)
        say("listen", n=number, name=name, gap_ms=gap_ms,
            headers={key: value.decode("latin-1") for key, value in head.headers if key != "x-apikey"})
        try:
            return await self.answer_listen(connection, head, name, number)
        finally:
            self.last_listen_end = time.monotonic()

    async def refuse_listen(self, connection: http1.Connection, number: int, status: int, text: bytes) -> bool:
        say("listened", n=number, status=status)
        await connection.text(status, text)
        return True

    async def answer_listen(self, connection: http1.Connection, head: http1.Head, name: str, number: int) -> bool:
        if self.script:
            return await self.follow_script(connection, number, self.script.pop(0))
        if head.first[0] == "POST":
            return await self.refuse_listen(connection, number, 400, b"Can't POST this\n")
        key, host = head.get("x-apikey"), self.hosts.get(name)
        if key is None:
            return await self.refuse_listen(connection, number, 403, b"Can't run server without an API key\n")
        if host is None or wire.tripcode(key).rstrip("=") != host.tripcode.rstrip("="):
            return await self.refuse_listen(connection, number, 401, b"Bad X-ApiKey\n")
        if host.parked is not None and not host.parked.done():
            host.parked.set_result(None)
        requests = await self.wait_for_requests(connection, host)
        if self.stopping.is_set():
            return await self.refuse_listen(connection, number, 503, b"Server is shutting down, try again soon\n")
        if requests is None:
            return await self.refuse_listen(connection, number, 500, b"Server error\n")
        if not requests:
            return not connection.reader.at_eof() and await self.refuse_listen(connection, number, 204, b"")
        say("listened", n=number, status=200, ids=[request[0] for request in requests])
        body = wire.pack_requests(requests)
        connection.head(200, [("content-length", b"%d" % len(body))])
        connection.writer.write(body)
        await connection.writer.drain()
        return True

    async def wait_for_requests(self, connection: http1.Connection, host: Host) -> list | None:
        """None: displaced. Nothing in it: the time is over, or the server left."""
        if host.queue:
            requests, host.queue = host.queue, []
            return requests
        host.parked = parked = asyncio.get_running_loop().create_future()
        others = {asyncio.ensure_future(connection.gone()), asyncio.ensure_future(self.stopping.wait())}
        await asyncio.wait({parked, *others}, timeout=self.options.listen_s, return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if host.parked is parked:
            host.parked = None
        return parked.result() if parked.done() else []

    async def follow_script(self, connection: http1.Connection, number: int, word: str) -> bool:
        say("listened", n=number, scripted=word)
        if word == "close":
            return False
        if word in ("junk", "empty"):
            body = b"no MessagePack \xc1" if word == "junk" else b"\x90"
            connection.head(200, [("content-length", b"%d" % len(body))])
            connection.writer.write(body)
        else:
            await connection.text(int(word), b"scripted\n")
        return True

    async def take_response(self, connection: http1.Connection, head: http1.Head, identity: str) -> bool:
        status, text, keep = await self.pass_on(connection, head, identity)
        say("responded", id=identity, status=status, text=text.decode(), length=head.length, chunked=head.chunked)
        await connection.text(status, text, close=not keep)
        return keep

    async def pass_on(self, connection: http1.Connection, head: http1.Head, identity: str) -> tuple[int, bytes, bool]:
        """Status, text, and whether the POST was read to its end."""
        try:
            magic = head.get("x-ptth-2ljyxwc4")
            response = Response(*wire.unpack_head((magic or b"").decode()))
        except (ValueError, TypeError, IndexError):
            return 500, b"Error in relay\n", False
        waiting = self.rendezvous.pop(identity, None)
        if waiting is None:
            return 400, b"Request ID not found in response_rendezvous\n", False
        if waiting.done():
            return 502, b"Failed to connect to client\n", False
        waiting.set_result(response)
        try:
            async for piece in http1.read_body(connection.reader, head):
                if not await self.hand_over(response, piece):
                    return 200, b"ClientDisconnected\n", False
        except (ConnectionError, asyncio.IncompleteReadError):
            response.broken = True
            await self.hand_over(response, None)
            raise
        if not await self.hand_over(response, None):
            return 200, b"ClientDisconnected\n", True
        return 200, b"StreamFinished\n", True

    @staticmethod
    async def hand_over(response: Response, piece: bytes | None) -> bool:
        """False: the client is gone."""
        put = asyncio.ensure_future(response.pieces.put(piece))
        gone = asyncio.ensure_future(response.client_gone.wait())
        await asyncio.wait({put, gone}, return_when=asyncio.FIRST_COMPLETED)
        taken = put.done() and not response.client_gone.is_set()
        for task in (put, gone):
            task.cancel()
        return taken

    # --- clients ---

    async def forward(self, connection: http1.Connection, head: http1.Head, name: str, uri: str) -> bool:
        method = head.first[0]
        if method not in ("GET", "HEAD"):
            await connection.text(400, b"Can't POST this\n" if method == "POST" else REFUSED_METHODS)
            return True
        if name not in self.hosts:
            await connection.text(404, b"Unknown server\n")
            return True
        headers: dict[str, bytes] = {}
        for key, value in head.headers:
            headers.setdefault(key, value)
        identity = new_ulid()
        waiting = self.rendezvous[identity] = asyncio.get_running_loop().create_future()
        self.hosts[name].push((identity, method, uri, headers))
        stopped = asyncio.ensure_future(self.stopping.wait())
        gone = asyncio.ensure_future(connection.gone())
        await asyncio.wait({waiting, stopped, gone}, timeout=self.options.answer_s,
                           return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if waiting.done():
            try:
                return await self.send_response(connection, method, waiting.result(), gone)
            finally:
                gone.cancel()
        say("abandoned" if gone.done() else "timed-out", id=identity)
        waiting.cancel()
        gone.cancel()
        text = b"Relay shutting down\n" if self.stopping.is_set() else b"Remote server never responded\n"
        await connection.text(504, text, close=True)
        return False

    async def send_response(self, connection: http1.Connection, method: str, response: Response,
                            gone: asyncio.Future) -> bool:
        headers = list(response.headers.items())
        valid = all(re.fullmatch(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+", key) and not re.search(rb"[\0-\x08\n-\x1f\x7f]", value)
                    for key, value in headers)
        if not valid:
            response.client_gone.set()
            await connection.text(500, b"Error in relay\n")
            return True
        length = response.headers.get("content-length")
        bodiless = method == "HEAD" or response.status in (204, 304)
        if length is None and not bodiless:
            headers.append(("transfer-encoding", b"chunked"))
        connection.head(response.status, headers)
        await connection.writer.drain()
        if bodiless:
            response.client_gone.set()
            return False
        try:
            complete = await self.send_body(connection, response, None if length is None else int(length), gone)
        finally:
            response.client_gone.set()
        return complete

    async def send_body(self, connection: http1.Connection, response: Response, left: int | None,
                        gone: asyncio.Future) -> bool:
        stopped = asyncio.ensure_future(self.stopping.wait())
        try:
            while True:
                next_piece = asyncio.ensure_future(response.pieces.get())
                await asyncio.wait({next_piece, gone, stopped}, return_when=asyncio.FIRST_COMPLETED)
                if not next_piece.done():
                    next_piece.cancel()
                    if stopped.done() and left is None:
                        connection.writer.write(b"0\r\n\r\n")  # the real one's silent truncation
                    return False
                piece = next_piece.result()
                if piece is None:
                    if left is None and not response.broken:
                        connection.writer.write(b"0\r\n\r\n")
                    await connection.writer.drain()
                    return not response.broken and not left
                if left is not None:
                    piece = piece[:left]
                    left -= len(piece)
                    connection.writer.write(piece)
                elif piece:
                    connection.writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await connection.writer.drain()
        finally:
            stopped.cancel()


async def main(options: argparse.Namespace) -> None:
    relay = Relay(options)
    server = await asyncio.start_server(relay.serve, "127.0.0.1", options.port, limit=http1.MAX_HEAD, reuse_address=True)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, relay.stopping.set)
    say("ready", port=server.sockets[0].getsockname()[1])
    await relay.stopping.wait()
    server.close()
    await asyncio.sleep(0.2)  # what is parked says its farewell
    os._exit(0)  # and what still runs is cut


if __name__ == "__main__":
    PARSER = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    PARSER.add_argument("--port", type=int, default=4000)
    PARSER.add_argument("--server", action="append", default=[], metavar="NAME=TRIPCODE")
    PARSER.add_argument("--listen-s", type=float, default=25)
    PARSER.add_argument("--answer-s", type=float, default=30)
    PARSER.add_argument("--script", default="")
    asyncio.run(main(PARSER.parse_args()))
