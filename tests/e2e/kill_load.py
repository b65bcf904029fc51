"""What keeps an ingestd busy while it is killed: records that leave pages sparse, a directory whose quotas change all
the time, and a firehose. Nothing of it is checked but the totals; history_threads.py writes what is."""

import contextlib
import os
import pathlib
import random
import socket
import subprocess
import threading
from collections.abc import Callable

from harness import BIN, Stack

CHUNK_RECORDS = 400
CHUNKS = 8
WINDOW = 2  # chunks sent and not answered for
TURN_LOW, TURN_HIGH = "2KiB", "200KiB"

# sparse: many keys of a few records each, some written all the time and some hardly ever.
BUSY_DIRECTORIES = ("  - {kind: log, name: sparse, max_keys: 3000, max_events_per_key: 2, max_total_bytes: 400KiB, "
                    "reserve: 2MiB}\n"
                    "  - {kind: log, name: turn, max_total_bytes: %s, max_events_per_key: 1000000, reserve: 1MiB}\n")


def chunks(seed: int) -> list[bytes]:
    """Commands, prepared: the client shall not be what is slow."""
    choose = random.Random(seed)
    made = []
    for number in range(CHUNKS):
        lines = []
        for _ in range(CHUNK_RECORDS):
            if choose.random() < 0.7:
                key = choose.randrange(3000) if choose.random() < 0.1 else choose.randrange(40)
                lines.append(b"LOG sparse k%d %s" % (key, b"s" * choose.randrange(40, 400)))
            else:
                lines.append(b"LOG turn t%d %s" % (choose.randrange(50), b"t" * choose.randrange(10, 60)))
        lines.append(b"PING chunk%d" % number)
        made.append(b"\n".join(lines) + b"\n")
    return made


class Churn:
    """A thread that writes chunk after chunk, over any number of connections."""

    def __init__(self, current: Callable[[], Stack], seed: int) -> None:
        self.current = current
        self.chunks = chunks(seed)
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join()

    def _run(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(OSError):
                with self.current().connect() as connection, connection.makefile("rb") as replies:
                    connection.settimeout(1.0)
                    self._write(connection, replies)
            self.stopping.wait(0.002)

    def _write(self, connection: socket.socket, replies) -> None:
        sent = answered = 0
        while not self.stopping.is_set():
            while sent - answered < WINDOW:
                connection.sendall(self.chunks[sent % CHUNKS])
                sent += 1
            line = replies.readline()
            if not line:
                return
            answered += line.startswith(b"chunk")


class TurningQuotas:
    """The hub's file, rewritten: what `turn` may hold goes down and up again."""

    def __init__(self, path: str, directories: str) -> None:
        self.path = pathlib.Path(path)
        self.directories = directories
        self.low = False
        self._write()

    def turn(self) -> None:
        self.low = not self.low
        self._write()

    def _write(self) -> None:
        fresh = self.path.with_suffix(".fresh")
        fresh.write_text("directories:\n" + self.directories + BUSY_DIRECTORIES % (TURN_LOW if self.low else TURN_HIGH))
        fresh.rename(self.path)


def firehose(runtime_dir: str) -> subprocess.Popen:
    """MAYFLY_FIREHOSE_RATE records a second; 0: as many as possible."""
    return subprocess.Popen(
        [BIN / "mayfly", "load", "--runtime-dir", runtime_dir, "--json", "--seconds", "1000000",
         "--rate", os.environ.get("MAYFLY_FIREHOSE_RATE", "0"), "--connections", "2", "--keys", "50",
         "--directories", "2", "--prefix", "fire"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
