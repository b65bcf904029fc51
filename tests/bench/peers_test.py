"""The measurements of ./dev bench peers count every record and look at what is kept: in small, against the servers
that need nothing of Debian's."""

import os
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "bench/peers")]
import mayfly
import servers
from measure import Measure, Peer

CORE = sorted(os.sched_getaffinity(0))[0]


class Programs:
    parts = pathlib.Path(os.environ["MAYFLY_BENCH_PARTS"])

    def environment(self) -> dict[str, str]:
        return dict(os.environ)


class Forgetful(servers.Toy):
    """One value is not the last."""

    wrong = False

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        found = super().values(peer, keys)
        if self.wrong:
            found[keys[0]] = b"another"
        return found


class Measurements(unittest.TestCase):
    def start(self, kind, *arguments) -> servers.Server:
        server = kind(Programs(), *(arguments or (CORE,)))
        self.addCleanup(server.stop)
        server.start()
        return server

    def measure(self, peer: Peer, server: servers.Server) -> dict:
        measure = Measure(Programs.parts, None)
        measure.noise = 1e9  # that others run here is no matter
        peer.laps = 2
        self.assertTrue(measure.measure(peer, server, 0))
        return peer.rounds[-1]

    def test_every_server_here_takes_what_it_is_sent(self) -> None:
        sink, toy, host = self.start(servers.Sink), self.start(servers.Toy), self.start(mayfly.Mayfly)
        for name, server, form, listener, keeps in (
                ("sink", sink, "log", "", False), ("sink", sink, "line", "", False), ("toy", toy, "log", "", True),
                ("mayfly", host, "log", "", True), ("mayfly", host, "status", "", True), ("mayfly", host, "line", "", True),
                ("mayfly", host, "hset", "redis", True), ("mayfly", host, "xadd", "redis", True)):
            for connections in (1, 5):
                with self.subTest(name=name, form=form, connections=connections):
                    peer = Peer(name, name, form, connections, listener, keeps=keeps)
                    one = self.measure(peer, server)
                    self.assertEqual(one["records"], 2 * 1024 * connections)
                    self.assertGreater(one["server_cpu_ns"], 0)
                    self.assertEqual(peer.checked_keys > 0, keeps)
        peer = Peer("mayfly", "mayfly", "log", 1, single=True)
        self.assertEqual(self.measure(peer, host)["bytes_per_record"], 155)

    def test_a_lost_record_or_an_old_value_fails(self) -> None:
        server = self.start(Forgetful)
        peer = Peer("toy", "toy", "log", 1)
        self.measure(peer, server)
        server.wrong = True
        with self.assertRaisesRegex(servers.PeerError, "do not hold the last value"):
            self.measure(peer, server)
        server.wrong = False
        counts = iter((0, 3071))
        server.count = lambda _: next(counts)
        with self.assertRaisesRegex(servers.PeerError, "sent 3072, but the server counted 3071"):
            self.measure(peer, server)

    def test_a_busy_machine_is_noticed(self) -> None:
        measure = Measure(Programs.parts, None)
        quiet = {"ns": 10**9, "other_cpu_ns": 0, "stolen_cpu_ns": 0, "unexplained_cpu_ns": 0}
        self.assertFalse(measure.disturbed(quiet))
        for field in ("other_cpu_ns", "stolen_cpu_ns", "unexplained_cpu_ns"):
            self.assertTrue(measure.disturbed(quiet | {field: 5 * 10**8}), field)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
