"""Mayfly beside the servers that one would take instead: `./dev bench peers`.

MAYFLY_BENCH_ROUNDS (9), MAYFLY_BENCH_SECONDS (0.35, of one measurement), MAYFLY_BENCH_NOISE (0.03, the share of a
processor that others may use while it counts), MAYFLY_PEERS (a part of peers' names, to measure those alone; nothing is
written then).
"""

import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import debian
import mayfly
import nats
import servers
import tables
from measure import Measure, Peer, memory_mib
from servers import PeerError

import results

SENDER_CORE, SERVER_CORE = 0, 1
MOST_THROWN_OUT = 0.2
TRIES = 3  # of one measurement in one round
SERVERS = {
    "sink": servers.Sink, "toy": servers.Toy, "mayfly": mayfly.Mayfly, "redis": servers.Redis,
    "memcached": servers.Memcached, "memcached -R 1000": servers.MemcachedWide, "nats": nats.Nats,
    "jetstream": nats.JetStream, "syslog-ng": servers.SyslogNg, "rsyslog": servers.Rsyslog,
}
# name, server, format, listener, keeps
KINDS = [
    ("bare sink", "sink", "log", "", False),
    ("bare sink, 135 bytes", "sink", "line", "", False),
    ("toy store", "toy", "log", "", True),
    ("Mayfly LOG", "mayfly", "log", "", True),
    ("Mayfly STATUS", "mayfly", "status", "", True),
    ("Mayfly LOG, inline, 135 bytes", "mayfly", "line", "", True),
    ("Mayfly HSET (Redis listener)", "mayfly", "hset", "redis", True),
    ("Mayfly XADD (Redis listener)", "mayfly", "xadd", "redis", True),
    ("Redis SET", "redis", "set", "", True),
    ("Redis HSET", "redis", "hset", "", True),
    ("Redis XADD, MAXLEN ~ 2048", "redis", "xadd", "", True),
    ("memcached set noreply", "memcached", "memcached", "", True),
    ("memcached set noreply, -R 1000", "memcached -R 1000", "memcached", "", True),
    ("NATS core publish", "nats", "nats", "", False),
    ("NATS JetStream, one subject", "jetstream", "nats-one", "", True),
    ("NATS JetStream, 1,024 subjects", "jetstream", "nats", "", True),
    ("syslog-ng to tmpfs", "syslog-ng", "syslog", "", True),
    ("rsyslog to tmpfs", "rsyslog", "syslog", "", True),
]
ALSO_SINGLE = ("bare sink", "toy store", "Mayfly LOG", "Mayfly STATUS", "Redis SET", "memcached set noreply")


def all_peers() -> list[Peer]:
    peers = [Peer(name, server, form, connections, listener, keeps=keeps)
             for connections in (1, 64) for name, server, form, listener, keeps in KINDS]
    peers += [Peer(name, server, form, 1, listener, single=True, keeps=keeps)
              for name, server, form, listener, keeps in KINDS if name in ALSO_SINGLE]
    only = os.environ.get("MAYFLY_PEERS", "")
    return [peer for peer in peers if only.lower() in peer.name.lower()]


class Run:
    def __init__(self) -> None:
        parts = pathlib.Path(os.environ["MAYFLY_BENCH_PARTS"])
        self.programs = debian.Programs(results.ROOT / "build/peers")
        self.programs.parts = parts
        self.measure = Measure(parts, SENDER_CORE)
        self.rounds = int(results.environment_number("MAYFLY_BENCH_ROUNDS", 9))
        self.peers = all_peers()
        self.servers: dict[str, servers.Server] = {}
        self.number = 0  # of the round

    def start_servers(self) -> None:
        for name in dict.fromkeys(peer.server for peer in self.peers):
            server = SERVERS[name](self.programs, SERVER_CORE)
            self.servers[name] = server
            try:
                server.start()
            except PeerError as error:
                self.give_up_on(name, str(error))

    def give_up_on(self, server: str, trouble: str) -> None:
        """A peer that cannot be measured is named in the document, and the others go on."""
        print(f"NOT MEASURED: {server}: {trouble}", flush=True)
        for peer in self.peers:
            if peer.server == server:
                peer.trouble = trouble

    def each(self, what, peers: list[Peer]) -> None:
        for peer in peers:
            if peer.trouble:
                continue
            try:
                what(peer, self.servers[peer.server])
            except PeerError as error:
                if peer.server == "mayfly":
                    raise
                peer.trouble = str(error)
                print(f"NOT MEASURED: {error}", flush=True)

    def measure_round(self, number: int) -> None:
        turn = number * 5 % len(self.peers)  # every round begins with another one
        begin = time.monotonic()
        self.number = number
        self.each(self.try_measure, self.peers[turn:] + self.peers[:turn])
        print(f"round {number + 1} of {self.rounds}: {time.monotonic() - begin:.0f} s, "
              f"{sum(peer.thrown_out for peer in self.peers)} thrown out so far", flush=True)

    def try_measure(self, peer: Peer, server: servers.Server) -> None:
        for _ in range(TRIES):
            if self.measure.measure(peer, server, self.number):
                return

    def run(self) -> int:
        begin = time.monotonic()
        self.programs.fetch()
        try:
            self.start_servers()
            self.each(self.measure.calibrate, self.peers)
            for number in range(self.rounds):
                self.measure_round(number)
            memory = {name: memory_mib(server.pids()) for name, server in self.servers.items()
                      if not all(peer.trouble for peer in self.peers if peer.server == name)}
        finally:
            for server in self.servers.values():
                server.stop()
        return self.report(begin, memory)

    def report(self, begin: float, memory: dict[str, tuple[float, float]]) -> int:
        measured = sum(len(peer.rounds) for peer in self.peers)
        thrown = sum(peer.thrown_out for peer in self.peers)
        noisy = thrown > MOST_THROWN_OUT * (measured + thrown)
        for peer in self.peers:
            print(tables.line(peer))
        versions = {package: self.programs.version(package) for package in debian.peer_packages()}
        if not os.environ.get("MAYFLY_PEERS"):
            results.save("peers", "Beside other servers", "./dev bench peers", begin,
                         **tables.document(self.peers, memory, versions, self.measure, thrown, noisy))
        print(f"{measured} measurements, {thrown} thrown out because something else used the processors")
        if noisy:
            print("more than 20 % were thrown out: this machine is not quiet enough for figures", file=sys.stderr)
        return 1 if noisy else 0


if __name__ == "__main__":
    sys.exit(Run().run())
