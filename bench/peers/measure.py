"""One measurement of one peer, and whether it counts."""

import dataclasses
import json
import pathlib
import subprocess
import sys

from servers import PeerError, Server

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import results

LAP = 1024  # records; as in bench/peers/workload.h
SENDER_S = 120


@dataclasses.dataclass
class Peer:
    """Something to measure: a server, and how it is spoken to."""

    name: str
    server: str
    format: str
    connections: int
    listener: str = ""
    single: bool = False        # one write a record
    keeps: bool = True          # whether it keeps anything that could be looked at
    batch: int = 64 << 10
    directories: int = 0        # written to in turn; 0: the format's own
    laps: int = 0               # of each connection; 0: to be found out
    rounds: list[dict] = dataclasses.field(default_factory=list)
    thrown_out: int = 0
    checked_keys: int = 0
    trouble: str = ""

    @property
    def id(self) -> str:
        return f"{self.name}, {self.connections}" + (", one write a record" if self.single else "")

    def cpu_us(self) -> list[float]:
        return [one["server_cpu_ns"] / one["records"] / 1000 for one in self.rounds]

    def million_per_s(self) -> list[float]:
        return [one["records"] / one["ns"] * 1000 for one in self.rounds]

    def sender_share(self) -> list[float]:
        return [one["sender_cpu_ns"] / one["ns"] for one in self.rounds]


class Measure:
    def __init__(self, parts: pathlib.Path, core: int | None) -> None:
        self.sender = str(parts / "peer_sender")
        self.core = core
        self.congestion = congestion()
        self.seconds = results.environment_number("MAYFLY_BENCH_SECONDS", 0.35)
        # Of the two processors' time, what others (or the hypervisor) may use.
        self.noise = results.environment_number("MAYFLY_BENCH_NOISE", 0.03)

    def send(self, peer: Peer, server: Server, laps: int) -> dict:
        command = [self.sender, "--format", peer.format, "--connections", str(peer.connections), "--laps", str(laps),
                   "--batch", str(peer.batch), "--last-values", str(server.folder / "last_values"),
                   "--port", str(server.ports()[peer.listener])]
        command += [part for pid in server.pids() for part in ("--server", str(pid))]
        command += ["--core", str(self.core)] if self.core is not None else []
        command += ["--congestion", self.congestion] if self.congestion else []
        command += ["--directories", str(peer.directories)] if peer.directories else []
        command += ["--single"] if peer.single else []
        command += completion(peer, server)
        done = subprocess.run(command, capture_output=True, text=True, timeout=SENDER_S, check=False)
        if done.returncode != 0:
            raise PeerError(f"{peer.id}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def calibrate(self, peer: Peer, server: Server) -> None:
        """Chooses the number of laps so that one measurement takes about `seconds`."""
        laps = 1
        while True:
            took = self.send(peer, server, laps)["ns"] / 1e9
            if took > self.seconds / 8 or laps >= 1 << 16:
                peer.laps = max(1, round(laps * self.seconds / max(took, 1e-6)))
                return
            laps *= 4

    def disturbed(self, one: dict) -> bool:
        limit = self.noise * one["ns"]
        # The last two are counted in ticks of 10 ms: one or two of them say nothing.
        return (one["other_cpu_ns"] > limit or one["stolen_cpu_ns"] > limit + 10e6
                or one["unexplained_cpu_ns"] > 3 * limit + 50e6)

    def measure(self, peer: Peer, server: Server, number: int) -> bool:
        """Measures and checks once; true when the measurement counts."""
        server.before(peer)
        before = server.count(peer)
        one = self.send(peer, server, peer.laps)
        self.check(peer, server, one, server.count(peer) - before)
        if self.disturbed(one):
            peer.thrown_out += 1
            return False
        peer.rounds.append(one | {"round": number})
        return True

    def check(self, peer: Peer, server: Server, one: dict, counted: int) -> None:
        """Every record was counted, and what is kept of a key is the last that was sent."""
        wanted = one["records"] + one["warm_up_records"]
        if peer.server == "sink":
            wanted = wanted * one["bytes_per_record"] + one["barrier_bytes"]
        if counted != wanted:
            raise PeerError(f"{peer.id}: sent {wanted}, but the server counted {counted}")
        if not peer.keeps:
            return
        lines = (server.folder / "last_values").read_bytes().splitlines()
        last = dict(line.split(b" ", 1) for line in lines)
        kept = server.values(peer, list(last))
        wrong = [key for key in kept if kept[key] != last.get(key)]
        if wrong:
            raise PeerError(f"{peer.id}: {len(wrong)} keys do not hold the last value, such as {wrong[0]!r}")
        # With several connections the end of a log may hold fewer keys than were written.
        if not kept or (peer.connections == 1 and len(kept) != len(last)):
            raise PeerError(f"{peer.id}: {len(kept)} of {len(last)} keys are kept")
        peer.checked_keys = len(kept)


def completion(peer: Peer, server: Server) -> list[str]:
    if hasattr(server, "file"):
        return ["--await", f"file:{server.file}"]
    if hasattr(server, "stream") and peer.format.startswith("nats"):
        return ["--await", f"jetstream:{server.port}:{server.stream(peer)}"]
    return []


def congestion() -> str:
    """cubic where the kernel has it: for one connection over loopback the choice matters."""
    available = results.setting("/proc/sys/net/ipv4/tcp_available_congestion_control").split()
    return "cubic" if "cubic" in available else ""


def memory_mib(pids: list[int]) -> tuple[float, float]:
    """Most that was ever resident (VmHWM, summed: what processes share is counted for each), and PSS now."""
    peak = pss = 0
    for pid in pids:
        peak += int(results.first_line(f"/proc/{pid}/status", "VmHWM").split()[0])
        pss += int(results.first_line(f"/proc/{pid}/smaps_rollup", "Pss:").split()[0])
    return peak / 1024, pss / 1024
