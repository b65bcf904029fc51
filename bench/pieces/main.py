"""The pieces of the path of a record, and of reading: `./dev bench pieces`.

MAYFLY_BENCH_ROUNDS (9): how often what is compared is measured, in turn.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import results
from results import median, spread, table, target

BENCHES = pathlib.Path(os.environ["MAYFLY_BENCHES"])
ROUNDS = int(results.environment_number("MAYFLY_BENCH_ROUNDS", 9))
RECORDS = 2_000_000
KEYS = (1, 32, 1024, 32_768, 1_000_000)
DIRECTORIES = (1, 10, 100, 1000)
MEANING = {
    "memcpy_ring": "yardstick: two copies into a ring, nothing kept in order",
    "parse": "a LOG command of RESP, 155 bytes",
    "append/log": "append, and evict the oldest; commit every 128",
    "append_to_room": "append with room left: nothing to evict",
    "append/status": "replace one of 1,024 keys in random order, compacting meanwhile",
    "append/status_in_turn": "replace keys in turn: whole pages die, nothing to compact",
    "append/log_commit_of_16": "append and evict, a commit for 16",
    "append/log_commit_of_1": "append and evict, a commit for each",
    "evict": "a quota lowered to 0 evicts all",
    "scan/256KiB": "read all of a directory of 256 KiB, records of 135 bytes, validated copies",
    "scan/64MiB": "the same, 64 MiB",
    "get": "look one of 1,024 keys up",
    "attach_writer": "one attach of a writer to a segment of 256 MiB that holds 64 MiB",
    "attach_reader": "one attach of a reader to it",
}


def run(*command: str, cores: str = "") -> str:
    pin = ["taskset", "-c", cores] if cores else []
    return subprocess.run([*pin, *command], check=True, capture_output=True, text=True).stdout


def google_benchmarks() -> dict[str, dict[str, dict]]:
    """name -> statistic (median, min, max) -> what Google Benchmark says."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"{folder}/out.json"
        run(str(BENCHES / "bench_shm"), f"--benchmark_out={out}", "--benchmark_out_format=json", cores="1")
        found: dict[str, dict[str, dict]] = {}
        for one in json.loads(pathlib.Path(out).read_text())["benchmarks"]:
            if one.get("run_type") == "aggregate":
                name = re.split("/(?:repeats|min_time|iterations):", one["run_name"])[0]
                found.setdefault(name, {})[one["aggregate_name"]] = one
        return found


def time_text(nanoseconds: float) -> str:
    if nanoseconds >= 1e6:
        return f"{nanoseconds / 1e6:.2f} ms"
    return f"{nanoseconds / 1e3:.1f} µs" if nanoseconds >= 10_000 else f"{nanoseconds:.1f} ns"


def pieces(found: dict[str, dict[str, dict]]) -> tuple[list[dict], list[dict]]:
    rows = []
    for name, statistics in found.items():
        each = {key: statistics[key]["cpu_time"] for key in ("median", "min", "max")}
        rows.append([f"`{name}`", MEANING.get(name, ""),
                     f"{time_text(each['median'])} ({time_text(each['min'])}–{time_text(each['max'])})"])
    speed = {key: found["scan/64MiB"][key]["bytes_per_second"] / 1e9 for key in ("median", "min", "max")}
    targets = [target("full scan of a 64 MiB directory, records of 135 bytes, validated copies", "≥ 2 GB/s",
                      f"{speed['median']:.1f} ({speed['min']:.1f}–{speed['max']:.1f}) GB/s", speed["median"] >= 2)]
    return targets, [table("Pieces, in one thread (Google Benchmark)", ["name", "what", "a record, CPU time"], rows)]


class Path:
    """bench_ingest_path: prepared bytes through parser, session and batch into the segment."""

    def __init__(self) -> None:
        self.program = str(BENCHES / "bench_ingest_path")

    def command(self, kind: str, keys: int = 1024, directories: int = 1, threads: int = 1) -> list[str]:
        return [self.program, kind, str(RECORDS), str(keys), str(directories), str(threads)]

    def measure(self, *arguments, cores: str = "", **named) -> tuple[float, float]:
        """(ns a record of one thread, million records/s of all)"""
        return self.parse(run(*self.command(*arguments, **named), cores=cores))

    def parse(self, text: str) -> tuple[float, float]:
        match = re.search(r": ([\d.]+) ns a record .* ([\d.]+) million records/s", text)
        return float(match.group(1)), float(match.group(2))

    def two_processes(self) -> float:
        """Million records/s of two that share nothing but the machine."""
        both = [subprocess.Popen(["taskset", "-c", str(core), *self.command("log")], stdout=subprocess.PIPE, text=True)
                for core in (0, 1)]
        return sum(self.parse(one.communicate()[0])[1] for one in both)


def two_workers(path: Path) -> tuple[list[dict], list[dict]]:
    one, two, apart = [], [], []
    for _ in range(ROUNDS):
        one.append(path.measure("log", cores="1")[1])
        two.append(path.measure("log", threads=2)[1])
        apart.append(path.two_processes())
    scale = [b / a for a, b in zip(one, two)]
    ceiling = [b / a for a, b in zip(one, apart)]
    rows = [["one worker", spread(one, 2), ""], ["two workers, disjoint directories", spread(two, 2), spread(scale, 2)],
            ["two processes that share nothing: what the machine allows", spread(apart, 2), spread(ceiling, 2)]]
    return ([target("two workers against one, prepared bytes to commit, in process", "≥ 1.7 ×", f"{spread(scale, 2)} ×",
                    median(scale) >= 1.7)],
            [table("Prepared bytes to commit, in process (LOG)", ["", "million records/s", "× one worker"], rows)])


def flatness(path: Path) -> tuple[list[dict], list[dict]]:
    targets, tables = [], []
    for what, values in (("keys", KEYS), ("directories", DIRECTORIES)):
        rows = []
        worst = {}
        for kind in ("log", "status"):
            costs: dict[int, list[float]] = {value: [] for value in values}
            for _ in range(max(1, ROUNDS // 2)):
                for value in values:
                    costs[value].append(path.measure(kind, **{what: value}, cores="1")[0])
            rows.append([kind.upper(), *(spread(costs[value], 0) for value in values)])
            medians = [median(costs[value]) for value in values]
            worst[kind] = max(medians) / min(medians)
        targets.append(target(f"cost per record from 1 to {values[-1]:,} {what}", "within 2 ×",
                              f"LOG {worst['log']:.1f} ×, STATUS {worst['status']:.1f} ×", max(worst.values()) <= 2))
        tables.append(table(f"Cost per record over {what}, ns, prepared bytes to commit, in process",
                            ["", *(f"{value:,}" for value in values)], rows))
    return targets, tables


LATENCY = re.compile(r"^(.+?) +min +([\d.]+) +p50 +([\d.]+) +p90 +([\d.]+) +p99 +([\d.]+) +max +([\d.]+) us")


def latencies(program: str) -> tuple[dict[str, list[float]], str]:
    """name -> min, p50, p90, p99, max in microseconds; and all that was printed."""
    text = run(str(BENCHES / program))
    found = {}
    for line in text.splitlines():
        if match := LATENCY.match(line):
            found[match.group(1).strip()] = [float(part) for part in match.groups()[1:]]
    return found, text


def latency_rows(found: dict[str, list[float]]) -> list[list[str]]:
    return [[name, *(f"{value:.1f}" for value in values)] for name, values in found.items() if name != "warm-up"]


COLUMNS = ["µs", "least", "median", "90 %", "99 %", "most"]


def reads() -> tuple[list[dict], list[dict]]:
    found, text = latencies("bench_key_reads")
    written = re.search(r"written meanwhile: (.*)", text)
    targets = [target(f"one key's last 100 events, {name}", "≤ 20 µs", f"median {found[name][1]:.1f}, 99 %: "
                      f"{found[name][3]:.1f} µs", found[name][1] <= 20) for name in ("at rest", "while it is written")]
    return targets, [table("One key's last 100 events, a directory at default quotas", COLUMNS, latency_rows(found),
                           f"Written meanwhile by another process: {written.group(1)}." if written else "")]


def visible() -> tuple[list[dict], list[dict]]:
    found, _ = latencies("bench_visible_latency")
    back = found["back to back"]
    targets = [target("write() to visible in another process, back to back: median", "≤ 20 µs", f"{back[1]:.1f} µs",
                      back[1] <= 20),
               target("write() to visible in another process, back to back: 99 %", "≤ 35 µs", f"{back[3]:.1f} µs",
                      back[3] <= 35)]
    busy = found.get("back to back, busy polling")
    targets.append(target("the same with ingestd polling without pause: median", "≤ 8 µs",
                          f"{busy[1]:.1f} µs" if busy else "not measured", busy[1] <= 8 if busy else None))
    return targets, [table("write() to visible to a reader in another process", COLUMNS, latency_rows(found))]


def instructions(path: Path) -> tuple[list[dict], list[dict]]:
    """As tests/budget/budget_test.py counts them, in the release build."""
    budget = {kind: int(value) for kind, value in
              re.findall(r'"(log|status)": (\d+)', (results.ROOT / "tests/budget/budget_test.py").read_text())}
    targets = []
    for kind, most in budget.items():
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
                                   "--toggle-collect=mayfly::bench::counted*", path.program, kind, "65536"],
                                  capture_output=True, text=True, check=True)
        counted = int(re.search(r"Collected : (\d+)", done.stderr).group(1))
        each = counted / int(re.search(r"(\d+) records counted", done.stdout).group(1))
        targets.append(target(f"instructions per {kind.upper()} record, received bytes to commit (callgrind)",
                              f"≤ {most:,} (budget that CI holds)", f"{each:,.0f}", each <= most))
    return targets, []


def main() -> int:
    begin = time.monotonic()
    path = Path()
    targets, tables = [], []
    parts = {"instructions": lambda: instructions(path), "pieces": lambda: pieces(google_benchmarks()),
             "two workers": lambda: two_workers(path), "flat": lambda: flatness(path), "reads": reads, "visible": visible}
    for name, part in parts.items():
        start = time.monotonic()
        new_targets, new_tables = part()
        targets += new_targets
        tables += new_tables
        print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
    results.save("pieces", "The pieces", "./dev bench pieces", begin, targets=targets, tables=tables,
                 notes=[f"Medians of {ROUNDS} repetitions with ranges, those that are compared measured in turn (cost over "
                        f"keys and directories: {max(1, ROUNDS // 2)}). One thread is pinned to one core. Batches of 128 "
                        "records, 1,024 keys in random order, default quotas where nothing else is said."])
    return 0


if __name__ == "__main__":
    sys.exit(main())
