#!/usr/bin/env python3
"""What fuzzing came to: a line for one run, or docs/data/fuzzing.json and docs/fuzzing.md from all of them.

    tests/fuzz/report.py --one RUN.txt          prints one line
    tests/fuzz/report.py BUILD_DIR              takes the runs in BUILD_DIR/runs and the faults found in
                                                BUILD_DIR/seeded.json; what is not there stays as it was
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = ROOT / "docs" / "data" / "fuzzing.json"
PAGE = ROOT / "docs" / "fuzzing.md"
FINDING = re.compile(r"^(==\d+== ?ERROR|SUMMARY: |fuzz: )", re.M)


def last(pattern: str, text: str) -> int:
    found = re.findall(pattern, text, re.M)
    return int(found[-1]) if found else 0


def read_run(path: pathlib.Path) -> dict:
    """Of a run's output: how long, how many, how far."""
    text = path.read_text(errors="replace")
    done = re.search(r"^Done (\d+) runs in (\d+) second", text, re.M)
    corpus = re.findall(r" corp: (\d+)/", text)
    return {
        "seconds": int(done[2]) if done else 0,
        "executions": last(r"^stat::number_of_executed_units: (\d+)", text) or last(r"^#(\d+)\t", text),
        "edges": last(r" cov: (\d+)", text),
        "inputs": int(corpus[-1]) if corpus else 0,
        "finding": bool(FINDING.search(text)) or not done,
    }


def line(name: str, run: dict) -> str:
    verdict = "A FINDING" if run["finding"] else "no finding"
    return (f"fuzz {name}: {run['executions']:,} executions in {run['seconds']} s, {run['edges']:,} edges, "
            f"{run['inputs']:,} inputs, {verdict}")


def what_it_is(name: str) -> str:
    """The first sentence of the target's own comment."""
    comment = []
    for text in (ROOT / "tests" / "fuzz" / f"{name}_fuzz.cpp").read_text().splitlines():
        if not text.startswith("//"):
            break
        comment.append(text.removeprefix("//").strip())
    return re.split(r"(?<=[^.])\.( |$)", " ".join(comment))[0].split(": ")[0]


def kept(name: str) -> str:
    files = [file for file in (ROOT / "tests" / "fuzz" / "corpus" / name).glob("*") if file.is_file()]
    return f"{len(files)} / {sum(file.stat().st_size for file in files) / 1024:.0f} KiB"


def table(rows: list[list[str]]) -> str:
    head, *rest = rows
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
                     + ["| " + " | ".join(row) + " |" for row in rest])


def page(data: dict) -> str:
    runs = [["target", "what gets the bytes", "minutes", "executions", "edges", "kept inputs", "findings left"]]
    faults = [["target", "fault put in", "found after", "executions"]]
    for name, entry in sorted(data["targets"].items()):
        run = entry.get("run")
        if run:
            runs.append([f"`{name}`", what_it_is(name), f"{run['seconds'] / 60:.0f}", f"{run['executions']:,}",
                         f"{run['edges']:,}", kept(name), "**yes**" if run["finding"] else "none"])
        fault = entry.get("fault")
        if fault:
            after = f"{fault['seconds']:.0f} s" if fault["found"] else "**not found**"
            faults.append([f"`{name}`", fault["what"], after, f"{fault['executions']:,}"])
    return PAGE_TEXT.replace("RUNS", table(runs)).replace("FAULTS", table(faults))


PAGE_TEXT = """# Fuzzing

Everything that reads bytes of others is fed with bytes that nobody thought of: by
[libFuzzer](https://llvm.org/docs/LibFuzzer.html), which keeps what reaches new code and changes it on, under
AddressSanitizer and UndefinedBehaviorSanitizer. A target is one file `tests/fuzz/NAME_fuzz.cpp`. Besides
crashes, reads beyond an end, leaks and inputs that take long, each target looks for answers that are wrong: the
sessions for a different outcome when the same bytes come in other pieces, for sums that do not add up and for
stored data in a reply; the segment targets for records out of order and for a writer that leaves a sound
segment unsound; the others for what does not come back from its own text.

This page is made by `tests/fuzz/report.py` of the figures in [data/fuzzing.json](data/fuzzing.json).

## Runs

Each of at least 20 minutes on a machine with two processors that others used too, at the lowest priority, so
that executions say less than edges do. The inputs that together reach all edges, the shortest of them, are kept
in `tests/fuzz/corpus`; `./dev test` runs each of them once, under gcc and under its sanitizers, together with the
input of every fault that was ever found.

RUNS

Again: `./dev fuzz NAME SECONDS` (all of them: `./dev fuzz all 1200`), then `tests/fuzz/keep build/fuzz` and
`tests/fuzz/report.py build/fuzz`.

## Does it find anything?

A fuzzer that finds nothing may be a fuzzer that cannot. So one fault is put into a copy of the sources for each
target, and the target has to find it, starting without any input but its dictionary.

FAULTS

Again: `tests/fuzz/seeded.py build/fuzz`, which takes the faults from `tests/fuzz/faults.json`.
"""


def merge(build: pathlib.Path) -> None:
    data = json.loads(DATA.read_text()) if DATA.exists() else {"targets": {}}
    targets = data["targets"]
    for source in sorted((ROOT / "tests" / "fuzz").glob("*_fuzz.cpp")):
        targets.setdefault(source.stem.removesuffix("_fuzz"), {})
    for path in sorted((build / "runs").glob("*.txt")):
        if path.stem not in targets:
            continue
        targets[path.stem]["run"] = read_run(path)
        print(line(path.stem, targets[path.stem]["run"]))
    seeded = build / "seeded.json"
    for name, fault in (json.loads(seeded.read_text()) if seeded.exists() else {}).items():
        targets[name]["fault"] = fault
    DATA.parent.mkdir(exist_ok=True)
    DATA.write_text(json.dumps(data, indent=1, sort_keys=True) + "\n")
    PAGE.write_text(page(data))


def main() -> int:
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        path = pathlib.Path(sys.argv[2])
        print(line(path.stem, read_run(path)))
        return 0
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    merge(pathlib.Path(sys.argv[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
