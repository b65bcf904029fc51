"""Makes docs/reliability.md from docs/data/reliability.json. Not a run itself (it is not executable):

    python3 tests/soak/reliability.py        writes the page
"""

import pathlib
import sys

import results

PAGE = results.ROOT / "docs" / "reliability.md"

HEAD = """# Reliability

<!-- Made by tests/soak/reliability.py from docs/data/reliability.json: change those. -->

How many crashes the store has survived, how they were made, and what that does not say. The promise under test: a
`kill -9` of any process at any instruction loses nothing that was committed, except what a quota was evicting, and
shows nothing torn, reordered, twice, revived or never sent; before recovery and after it.

Every run below adds to a running total, so that it can be broken off and taken up again. Totals belong to a state of
the code (a hash over its sources, shown with the commits between which it was run) and start anew when it changes.
A failure ends a run with an error and adds nothing: what is counted here was survived.
"""

LIMITS = """## What all this does not cover

- **Power cuts and kernel crashes.** The data is in memory: they empty the store, by design.
- **Other processors.** Everything ran on x86-64. The model says what a weaker memory order needs; nobody has run it there.
- **The compiler.** Crash points are stores of the source; single steps are instructions of one compiler's output.
  Another compiler, or other flags, are another program.
- **Damage.** A kill stops a writer between two instructions; it does not flip bits. What a reader and a successor do
  with damaged bytes is the matter of the fuzz targets and of `hostile_test`.
- **Two writers.** That only one process writes is the lock file's promise, tested elsewhere.
- **Several workers killed in mid-batch at once** are met by the kills of real processes, not by crash points or single
  steps, which stop one thread at a time while the others stand still.
- **What was never thought of.** The crash points' operations and quotas are drawn at random from ranges that somebody
  wrote down; the validator and the model that judge them have blind spots of their own.
- **A count without failures is a bound, not a proof**: of N kills without a loss, 95 % of the time the rate is below 3/N.
"""


def number(n: float) -> str:
    return f"{n:,.0f}"


def table(head: tuple[str, ...], rows: list[tuple]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]) + "\n"


def state_line(entries: list[dict]) -> str:
    entry = entries[-1]
    first, last = entry["commits"]
    return f"State `{entry['code']}`, run at commits {first} to {last}.\n"


def earlier(entries: list[dict], key: str, what: str) -> str:
    if len(entries) < 2:
        return ""
    before = sum(entry["totals"].get(key, 0) for entry in entries[:-1])
    return f"\nEarlier states of the code: {number(before)} {what}, in {len(entries) - 1} states.\n"


def spread(counts: dict[str, int]) -> tuple[str, str, str, str]:
    ordered = sorted(counts.values())
    return (number(len(ordered)), number(ordered[0]), number(ordered[len(ordered) // 2]), number(ordered[-1]))


def crash_points(entries: list[dict]) -> str:
    totals = entries[-1]["totals"]
    points = totals["points"]
    situations = totals["situations"]
    named = sorted(situations.items(), key=lambda item: item[1])
    return f"""## Crash points

After a store to the segment the memory is what a killed writer leaves: it is copied, and read; recovered, read again,
recounted by the validator; recovered once more with a kill at one of the recovery's own stores; and one in 64 goes on
taking records, which must come out as the model says. Only a store to a generation word may change what a reader sees.
Random operations on segments of 96 to 160 KiB with pages of 1 KiB: appends to logs and statuses, unsets, quotas lowered
and raised, directories opened and removed, age; with little memory, and with many merges. Points are drawn so that they
spread over the cells of a table: the store's line in the source × what was going on. Every point counted was examined in
full; stores in between that were passed over are not counted.

{state_line(entries)}
{table(("", ""), [
    ("crash points", number(points)),
    ("of them, with something to roll back", f"{number(totals['pending'])} ({100 * totals['pending'] / points:.1f} %)"),
    ("killed again inside recovery", number(totals["second_kills"])),
    ("went on, against the model", number(totals["continuations"])),
    ("operations they came from", number(totals["operations"])),
    ("failures", 0),
    ("processor time, seconds", number(totals["seconds"])),
    ("95 % bound on the share of points that fail", f"{3 / points:.1e}"),
])}
{table(("spread over", "how many", "least", "median", "most"), [
    ("stores in the source", *spread(totals["sites"])),
    ("situations", *spread(situations)),
])}
Cells of the table (store × situation) met in one round: {number(totals["most_cells"])}. The rarest situations:
{"; ".join(f"{name}: {number(n)}" for name, n in named[:4])}.
{earlier(entries, "points", "points")}
Reproduce: `./dev soak crash_points` (goes on to 250 million; `MAYFLY_SOAK_SECONDS` ends it earlier). A small run is in
`./dev test`: `shm_crash_test`.
"""


def single_steps(entries: list[dict]) -> str:
    totals = entries[-1]["totals"]
    steps = totals["instructions"]
    kinds = sorted(totals.get("windows_by_kind", {}).items(), key=lambda item: -item[1])
    return f"""## Single steps of the shipped binary

The release build's `ingestd`, under load by its socket, stopped by ptrace after every instruction from the first store
of a transaction to its last. A `kill -9` there would leave the shared memory as it is at that stop: a stopped thread
has no store under way, and the segment is what all processes map. So instead of killing it, which would cost a process
start each time, the segment is copied as it stands, and goes through the same examination as a crash point (above). An
instruction that stored nothing leaves the very memory that was examined after the one before: it is stepped, and
counted as a place to be killed at, but not examined a second time. What each instruction stores to is known by
decoding it; a comparison of the whole segment after each transaction shows that no store was missed.

{state_line(entries)}
{table(("", ""), [
    ("instructions stepped between a transaction's first and last store", number(steps)),
    ("of them, in code of `shm/`", number(totals["in_segment_code"])),
    ("states of the memory that they left, each examined", number(totals["images"])),
    ("of them, with something to roll back", number(totals["pending"])),
    ("killed again inside recovery", number(totals["second_kills"])),
    ("transactions stepped through", number(totals["windows"])),
    *[(f"… {name}", number(n)) for name, n in kinds],
    ("failures", 0),
])}{earlier(entries, "instructions", "instructions")}
Reproduce: `./dev soak single_steps`. A small run is in `./dev test`: `step_test`.
"""


def kills(entries: list[dict]) -> str:
    totals = entries[-1]["totals"]
    killed = totals["kills"]
    all_kills = sum(killed.values())
    found = totals["found"]
    seen = max(sum(found.values()), 1)
    midway = seen - found.get("nothing", 0)
    stopped = totals.get("stopped", {})
    return f"""## Kills of real programs

`mayfly up` with all its processes, four writers and several readers whose whole history is checked, and other clients
that write as fast as they can, change quotas, and leave pages sparse. Processes are killed (`kill -9`) in random order.
Checked: every record that a PONG covered is visible, or was evicted in its turn; order; nothing twice; nothing that was
not sent; nothing revived; totals balance; the validator finds the file whole.

{state_line(entries)}
{table(("killed", "times"), [(name, number(n)) for name, n in sorted(killed.items())] + [("**in all**", number(all_kills))])}
95 % bound on the share of kills that lose anything: 3/N = {3 / max(all_kills, 1):.1e}.

What a killed ingestd had under way, by the undo log that it left (read before its successor had it):

{table(("found in", "times", "share"), [
    (name, number(n), f"{100 * n / seen:.1f} %") for name, n in sorted(found.items(), key=lambda item: -item[1])])}
In mid-batch, all kinds together: {number(midway)} of {number(seen)} ({100 * midway / seen:.1f} %). Of the kills of
ingestd {number(totals.get("aimed", 0))} were aimed: the killer watched the segment and struck when the undo log
said so. {number(totals.get("not_seen", 0))} times the successor was quicker than the look.

{table(("checked", "times"), [(name, number(n)) for name, n in sorted(totals["checked"].items())])}
{"Stopped (SIGSTOP) and let go on, while the others were seen to work: " + ", ".join(
    f"{name} {number(one['times'])} times, {number(one['seconds'])} s" for name, one in sorted(stopped.items())) + "."
    if stopped else ""}
{earlier([{"totals": {"all": sum(entry["totals"]["kills"].values())}} for entry in entries], "all", "kills")}
Reproduce: `./dev soak kills` (goes on to 100,000), `./dev soak stops`. Small runs are in `./dev test`: `e2e_kill_test`,
`e2e_stop_test`.
"""


def model(entries: list[dict]) -> str:
    totals = entries[-1]["totals"]
    return f"""## A model, and what x86 hides

`tests/model/commit.pml`: batch, eviction mark, commit, retirement and reuse of pages, recovery and a kill inside it, a
reader, and between writer and reader a store buffer: first in, first out as on x86, or leaving in any order that
release stores and fences allow (`WEAK`). Searched exhaustively by spin; nothing was found. It says which orders the
protocol rests on: the stamp before the page's new contents; the last generation word before the copy that is filled
next; all of a commit before its generation word. The undo log rests on program order alone: a kill lets what was
stored drain, and the successor comes after.

{state_line(entries)}
{table(("search", "states, all visited"), [(name, number(n)) for name, n in sorted(totals.get("searches", {}).items())])}
{table(("seeded fault", "outcome"), sorted(totals.get("faults", {}).items()))}
Reproduce: `./dev soak model`; smaller, in `./dev test`: `model_test`.
"""


def render(data: dict[str, list[dict]]) -> str:
    parts = [HEAD]
    for kind, section in (("crash_points", crash_points), ("single_steps", single_steps), ("kills", kills),
                          ("model", model)):
        entries = [entry for entry in data.get(kind, []) if entry["totals"]]  # one without: its first run failed
        if entries:
            parts.append(section(entries))
    return "\n".join(parts + [LIMITS])


def write() -> None:
    """Not where the totals are another file's."""
    if results.FILE == results.ROOT / "docs" / "data" / "reliability.json":
        PAGE.write_text(render(results.load()))


if __name__ == "__main__":
    write()
    sys.exit(0)
