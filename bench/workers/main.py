"""What a second worker costs over sockets: `./dev bench workers`.

16 connections, each to a directory of its own, to an ingestd with one worker and to one with two; nothing is pinned,
since two workers and the sender share the machine's processors. What counts is the server's CPU time per record.
"""

import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "peers")]
import mayfly
from measure import Measure, Peer

import results
from results import median, spread, table, target

CONNECTIONS = 16
ROUNDS = int(results.environment_number("MAYFLY_BENCH_ROUNDS", 9))


class Workers(mayfly.Mayfly):
    hub = f"directories:\n  - {{kind: log, pattern: 'b0*', max_directories: {CONNECTIONS}}}\n"
    probe = None

    def __init__(self, programs, workers: int) -> None:
        super().__init__(programs, None)
        self.workers = workers

    def count(self, peer) -> int:
        return sum(one["stored"] - sum(one["dropped"].values()) for one in self.directories()
                   if one["name"].startswith("b0"))


class Programs:
    """Nothing of Debian's is needed here."""

    def __init__(self) -> None:
        self.parts = pathlib.Path(os.environ["MAYFLY_BENCH_PARTS"])


def main() -> int:
    begin = time.monotonic()
    programs = Programs()
    measure = Measure(programs.parts, None)
    peers = [Peer(f"{workers} worker{'s' * (workers > 1)}", "mayfly", "log", CONNECTIONS, keeps=False,
                  directories=CONNECTIONS) for workers in (1, 2)]
    servers: list[Workers] = []
    try:
        for workers in (1, 2):
            servers.append(Workers(programs, workers))
            servers[-1].start()
        for peer, server in zip(peers, servers):
            measure.calibrate(peer, server)
        for number in range(ROUNDS):
            for peer, server in zip(peers, servers):
                _ = any(measure.measure(peer, server, number) for _ in range(3))
    finally:
        for server in servers:
            server.stop()
    one, two = (peer.cpu_us() for peer in peers)
    known = bool(one and two)
    ratio = median(two) / median(one) if known else float("nan")
    rows = [[peer.name, spread(peer.million_per_s(), 2), spread(peer.cpu_us(), 3),
             f"{len(peer.rounds)} ({peer.thrown_out})"] for peer in peers]
    results.save("workers", "Two workers over sockets", "./dev bench workers", begin,
                 targets=[target("server CPU per record with two workers, of one worker's, over sockets", "≤ 1.15 ×",
                                 f"{ratio:.2f} ×", ratio <= 1.15 if known else None)],
                 tables=[table(f"{CONNECTIONS} connections, each to a directory of its own (LOG)",
                               ["ingestd with", "million records/s", "server CPU per record, µs", "measured (thrown out)"],
                               rows)],
                 notes=["Nothing is pinned: the sender and the workers share the machine's processors."])
    return 0


if __name__ == "__main__":
    sys.exit(main())
