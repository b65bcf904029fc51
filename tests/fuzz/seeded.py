#!/usr/bin/env python3
"""Can the fuzz targets find anything? One fault a target, from faults.json, is put into a copy of the sources;
the target is built there and has to end with a finding, starting from its dictionary alone.

    tests/fuzz/seeded.py BUILD_DIR [TARGET...]

The copy is BUILD_DIR/seeded. What was found, and how fast, is kept in BUILD_DIR/seeded.json, which
tests/fuzz/report.py puts into docs/fuzzing.md. Exit code 1 where a fault was not found in time.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SECONDS = 900  # for one fault
JOBS = os.environ.get("MAYFLY_JOBS", str(os.cpu_count()))


def sources() -> list[str]:
    """Files under version control, and new ones that will be."""
    listed = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                            capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def copy_sources(to: pathlib.Path) -> None:
    """Brings the copy up to date; files that are the same keep their times, so that little is built again."""
    for name in sources():
        source, target = ROOT / name, to / name
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        shutil.copymode(source, target)


def build(copy: pathlib.Path, target: str) -> None:
    env = dict(os.environ, CCACHE_BASEDIR=str(copy), CCACHE_NOHASHDIR="1")
    folder = copy / "build" / "fuzz"
    if not (folder / "build.ninja").exists():
        subprocess.run([str(copy / "tests/fuzz/configure"), str(folder)], env=env, check=True)
    subprocess.run(["cmake", "--build", str(folder), "--parallel", JOBS, "--target", f"{target}_fuzz"], env=env,
                   check=True, stdout=subprocess.DEVNULL)


def hunt(copy: pathlib.Path, target: str) -> dict:
    """Runs the target until it finds something."""
    folder = copy / "build" / "fuzz"
    corpus = folder / "corpus" / target
    shutil.rmtree(corpus, ignore_errors=True)
    corpus.mkdir(parents=True)
    command = [str(folder / "fuzz" / f"{target}_fuzz"), f"-max_total_time={SECONDS}", "-timeout=25",
               "-print_final_stats=1", "-seed=1", f"-artifact_prefix={folder}/{target}-"]
    dictionary = copy / "tests" / "fuzz" / f"{target}.dict"
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    begin = time.monotonic()
    ran = subprocess.run([*command, str(corpus)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    text = ran.stderr.decode(errors="replace")
    (folder / f"{target}.txt").write_text(text)
    executions = re.search(r"^stat::number_of_executed_units: (\d+)", text, re.M)
    return {"found": ran.returncode != 0, "seconds": round(time.monotonic() - begin, 1),
            "executions": int(executions[1]) if executions else 0}


def seed(copy: pathlib.Path, target: str, fault: dict) -> dict:
    path = copy / fault["file"]
    whole = path.read_text()
    if whole.count(fault["old"]) != 1:
        raise SystemExit(f"{target}: {fault['file']} holds the text of its fault {whole.count(fault['old'])} times, "
                         "not once: tests/fuzz/faults.json has to follow the sources")
    path.write_text(whole.replace(fault["old"], fault["new"]))
    try:
        build(copy, target)
        return {"what": fault["what"], **hunt(copy, target)}
    finally:
        path.write_text(whole)


def main() -> int:
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    build_dir = pathlib.Path(sys.argv[1]).resolve()
    copy = build_dir / "seeded"
    copy_sources(copy)
    faults = json.loads((HERE / "faults.json").read_text())
    results_file = build_dir / "seeded.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    missed = []
    for target in sys.argv[2:] or sorted(faults):
        result = results[target] = seed(copy, target, faults[target])
        results_file.write_text(json.dumps(results, indent=1) + "\n")
        verdict = f"found after {result['seconds']} s" if result["found"] else f"NOT FOUND in {SECONDS} s"
        print(f"seeded {target}: {result['what']}: {verdict}, {result['executions']:,} executions", flush=True)
        if not result["found"]:
            missed.append(target)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
