"""What the measurements of the peers come to: targets, tables and how they were made."""

from measure import Peer
from results import median, spread, table, target

SINK = "bare sink"
METHOD = [
    "One sender thread with prepared bytes sends to every server: 1,024 keys of 16 bytes in a seeded random order (the "
    "same sequence for every peer), values of 100 bytes, writes of 64 KiB, loopback TCP with congestion control "
    "{congestion} on every connection. The sender has one core, the server the other.",
    "A measurement begins when connections are open and warm, and ends when the server has said that it took everything "
    "(PONG, +OK, MN; JetStream: the stream's last sequence number; syslog: the size of the file). It takes about "
    "{seconds} s; all peers are measured in turn, {rounds} rounds.",
    "Server CPU is user and system time of all threads of the server's processes (for Mayfly: ingestd, relayd, hubd and "
    "the supervisor together), read from their process clocks (clock_getcpuclockid), which count nanoseconds. This kernel "
    "charges work of interrupts to the process it interrupts; loopback delivers in the sender's send(), so that the "
    "sender pays for that part, whoever the server is.",
    "After every measurement the server's own counter must have grown by exactly what was sent, and every key that it "
    "keeps must hold the value that was sent last; a difference fails the whole run. (The bare sink counts bytes. NATS' core "
    "keeps nothing. With 64 connections a log's end need not hold all keys.)",
    "A measurement during which other processes (or the hypervisor) used more than {noise} of a processor is thrown out "
    "and repeated, at most twice in a round.",
    "The bare sink receives the same bytes as Mayfly LOG (155 a record) and forgets them; the toy store parses them and "
    "keeps a private ring with a hash table, without quotas, readers or crash safety.",
]


def line(peer: Peer) -> str:
    """For the terminal."""
    if peer.trouble:
        return f"{peer.id:<48} not measured: {peer.trouble}"
    return (f"{peer.id:<48} {spread(peer.million_per_s(), 2):>22} M/s  {spread(peer.cpu_us(), 3):>24} us  sender busy "
            f"{100 * median(peer.sender_share()):3.0f} %  {len(peer.rounds)} rounds, {peer.thrown_out} thrown out, "
            f"{peer.checked_keys} keys checked")


class Figures:
    def __init__(self, peers: list[Peer]) -> None:
        self.peers = {(peer.name, peer.connections, peer.single): peer for peer in peers}

    def cpu(self, name: str, connections: int = 1, single: bool = False) -> float:
        return median(self.peers[name, connections, single].cpu_us())

    def rate(self, name: str, connections: int = 1) -> float:
        return median(self.peers[name, connections, False].million_per_s())

    def paired(self, name: str, other: str, how, single: bool = False) -> list[float]:
        """how(CPU of one, CPU of the other), of each round in which both count."""
        by_round = {one["round"]: one for one in self.peers[other, 1, single].rounds}
        return [how(one["server_cpu_ns"] / one["records"] / 1000,
                    by_round[one["round"]]["server_cpu_ns"] / by_round[one["round"]]["records"] / 1000)
                for one in self.peers[name, 1, single].rounds if one["round"] in by_round]


def targets(figures: Figures) -> list[dict]:
    found = []
    for name in ("Mayfly LOG", "Mayfly STATUS"):
        above = figures.paired(name, SINK, lambda a, b: a - b)
        found.append(target(f"{name}: server CPU per record above the bare sink's, one connection",
                            "≤ 0.060 µs (aim: 0.040)", f"{spread(above, 3)} µs", median(above) <= 0.060))
    for name, other, least, aim in (("Mayfly STATUS", "Redis SET", 5, 6),
                                    ("Mayfly LOG", "Redis XADD, MAXLEN ~ 2048", 13, 15)):
        ratios = figures.paired(name, other, lambda a, b: b / a)
        found.append(target(f"{name}: times less server CPU per record than {other}", f"≥ {least} (aim: {aim})",
                            spread(ratios, 1), median(ratios) >= least if ratios else None))
    for name in ("Mayfly LOG", "Mayfly STATUS"):
        share = figures.rate(name) / figures.rate(SINK)
        found.append(target(f"{name}: throughput, one connection, of the bare sink's", "≥ 50 %", f"{100 * share:.0f} %",
                            share >= 0.5))
    for name in ("Mayfly LOG", "Mayfly STATUS"):
        cpu = figures.cpu(name, 64) / figures.cpu(name) - 1
        rate = figures.rate(name, 64) / figures.rate(name) - 1
        found.append(target(f"{name}: 64 connections against one", "within 10 %, or better",
                            f"CPU {100 * cpu:+.0f} %, throughput {100 * rate:+.0f} %", cpu <= 0.1 and rate >= -0.1))
    for name in ("Mayfly LOG", "Mayfly STATUS"):
        more = figures.paired(name, SINK, lambda a, b: a / b - 1, single=True)
        found.append(target(f"{name}: one write() a record, server CPU above the bare sink's for the same writes", "≤ 10 %",
                            f"{spread(more, 1, 100)} %", median(more) <= 0.1))
    return found


def peers_table(title: str, peers: list[Peer], sink: float) -> dict:
    rows = []
    for peer in peers:
        if peer.trouble or not peer.rounds:
            rows.append([peer.name, "not measured" + (f": {peer.trouble.splitlines()[0][:80]}" if peer.trouble else ""),
                         "", "", "", ""])
            continue
        rows.append([peer.name, spread(peer.million_per_s(), 2), spread(peer.cpu_us(), 3),
                     f"{median(peer.cpu_us()) / sink:.1f}", f"{100 * median(peer.sender_share()):.0f} %",
                     f"{len(peer.rounds)} ({peer.thrown_out})"])
    return table(title, ["server", "million records/s", "server CPU per record, µs", "× bare sink", "sender busy",
                         "measured (thrown out)"], rows)


def memory_table(memory: dict[str, tuple[float, float]]) -> dict:
    return table("Memory of the servers, after all measurements", ["server", "peak resident, MiB", "PSS, MiB"],
                 [[name, f"{peak:.1f}", f"{pss:.1f}"] for name, (peak, pss) in memory.items()],
                 "Mayfly was started with `--memory 64MiB`, which it allocates at once; its peak is the sum over its four "
                 "processes, which counts shared pages more than once, PSS counts them once. JetStream was limited to 2,048 "
                 "messages for one subject and to one message for each of 1,024.")


def document(peers: list[Peer], memory: dict, versions: dict[str, str], measure, thrown: int, noisy: bool) -> dict:
    figures = Figures(peers)
    tables = []
    for title, connections, single in (("One connection", 1, False), ("64 connections", 64, False),
                                       ("One connection, one write() a record, TCP_NODELAY", 1, True)):
        chosen = [peer for peer in peers if (peer.connections, peer.single) == (connections, single)]
        tables.append(peers_table(title, chosen, figures.cpu(SINK, connections, single)))
    facts = {"congestion": measure.congestion or "as the machine's own", "seconds": measure.seconds,
             "rounds": max(len(peer.rounds) for peer in peers), "noise": f"{100 * measure.noise:.0f} %"}
    notes = [text.format(**facts) for text in METHOD]
    notes.append("Versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()) + ".")
    measured = sum(len(peer.rounds) for peer in peers)
    notes.append(f"{measured} measurements count, {thrown} were thrown out"
                 + (": more than 20 %, so these figures are provisional." if noisy else "."))
    return {"targets": targets(figures), "tables": [*tables, memory_table(memory)], "notes": notes,
            "raw": {peer.id: peer.rounds for peer in peers}, "noisy": noisy}
