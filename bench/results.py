"""What benchmarks leave for docs/benchmarks.md: one JSON file a section, in $MAYFLY_BENCH_RESULTS (build/bench-results).

    {"section": "peers", "title": "…", "command": "./dev bench peers", "time": "2026-…Z", "seconds": 200,
     "machine": {…},                                     # facts that decide figures
     "targets": [{"what": "…", "target": "…", "result": "…", "met": true}],
     "tables": [{"title": "…", "columns": ["…"], "rows": [["…"]], "note": "…"}],
     "notes": ["…"]}

bench/report/main.py makes the document of them. A section that is measured again replaces its file, no other.
"""

import json
import os
import pathlib
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]


def folder() -> pathlib.Path:
    path = pathlib.Path(os.environ.get("MAYFLY_BENCH_RESULTS", ROOT / "build/bench-results"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def target(what: str, wanted: str, result: str, met: bool | None) -> dict:
    """`met` is None where the machine cannot say (too noisy, a part missing)."""
    return {"what": what, "target": wanted, "result": result, "met": met}


def table(title: str, columns: list[str], rows: list[list[str]], note: str = "") -> dict:
    return {"title": title, "columns": columns, "rows": rows, "note": note}


def first_line(path: str, field: str) -> str:
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(field):
            return line.split(":", 1)[1].strip()
    return "?"


def setting(path: str) -> str:
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return "?"


def machine() -> dict:
    memory_gib = int(first_line("/proc/meminfo", "MemTotal").split()[0]) / (1 << 20)
    compiler = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=False).stdout.splitlines()
    return {
        "processor": f"{os.cpu_count()} x {first_line('/proc/cpuinfo', 'model name')}",
        "cache of a processor": first_line("/proc/cpuinfo", "cache size"),
        "memory": f"{memory_gib:.0f} GiB",
        "kernel": os.uname().release,
        "compiler": compiler[0] if compiler else "?",
        "congestion control": setting("/proc/sys/net/ipv4/tcp_congestion_control"),
        "transparent huge pages, shared memory": setting("/sys/kernel/mm/transparent_hugepage/shmem_enabled"),
        "virtual machine": "yes" if "hypervisor" in first_line("/proc/cpuinfo", "flags") else "no",
    }


def commit() -> str:
    result = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True,
                            check=False)
    return result.stdout.strip() or "?"


def save(section: str, title: str, command: str, begin: float, **parts) -> None:
    """`begin`: time.monotonic() when the section began."""
    document = {"section": section, "title": title, "command": command,
                "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "seconds": round(time.monotonic() - begin),
                "commit": commit(), "machine": machine(), **parts}
    path = folder() / f"{section}.json"
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    for one in document.get("targets", []):
        mark = {True: "met", False: "MISSED", None: "not known"}[one["met"]]
        print(f"{mark:>9}  {one['what']}: {one['result']} (target: {one['target']})")


def spread(values: list[float], digits: int, scale: float = 1.0) -> str:
    """"median (least–most)"."""
    if not values:
        return "–"
    scaled = sorted(value * scale for value in values)
    return f"{statistics.median(scaled):.{digits}f} ({scaled[0]:.{digits}f}–{scaled[-1]:.{digits}f})"


def median(values: list[float]) -> float:
    return statistics.median(values) if values else float("nan")


def environment_number(name: str, default: float) -> float:
    return float(os.environ.get(name, default))
