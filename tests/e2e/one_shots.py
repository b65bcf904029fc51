"""Writers that connect, send one line, and are gone at once without reading what they are told."""

import errno
import os
import select
import socket
import threading


def send_one(address: tuple[str, int] | str, line: bytes) -> None:
    """One such writer. An address without a port is a unix socket's path."""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as writer:
            try:
                writer.connect(address)
            except OSError as error:
                # Every port of this side is in TIME_WAIT: the kernel frees some in a moment. A full
                # backlog of a unix socket is told in the same way.
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAGAIN):
                    raise
                select.select([], [], [], 0.01)
                continue
            writer.sendall(line)
            return


def send_many(address: tuple[str, int] | str, count: int, threads: int = 4) -> None:
    """`count` writers one after the other in each of `threads`: line i is `LOG shots k<i % 100> <i>`."""
    failures: list[BaseException] = []

    def run(first: int) -> None:
        try:
            for i in range(first, count, threads):
                send_one(address, b"LOG shots k%d %d\n" % (i % 100, i))
        except OSError as error:
            failures.append(error)

    running = [threading.Thread(target=run, args=(first,)) for first in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]


def count_from_environment(default: int) -> int:
    return int(os.environ.get("MAYFLY_ONE_SHOTS", default))
