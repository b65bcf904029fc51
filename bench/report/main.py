"""Makes docs/benchmarks.md of what the sections have measured: `./dev bench report`.

A section is a JSON file as bench/results.py describes it. This measures nothing, so that a section can be measured again
alone.
"""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import results

FIRST = ["peers", "workers", "pieces"]  # then the others, by name
HEAD = """# Benchmarks

Made by `./dev bench report` from what the commands below have measured; not edited by hand. Figures are medians, with the
least and the most in brackets.

"""
REPRODUCE = """## How to reproduce

On a quiet machine with two processors or more, Debian 12:

```bash
{commands}
./dev bench report
```

Each command measures one section and leaves its figures in `build/bench-results/`; the last one writes this page from all
that are there, so that one section can be measured again alone. What they need is fetched from Debian. `./dev bench
peers` ends with 1 when more than 20 % of its measurements had to be thrown out, because the machine was busy with
something else.

"""
OWN = """## Measuring an installation of your own

`mayfly load` sends records to what is running, and says what that cost and who was the limit:

```bash
mayfly load --kind status --keys 1024 --seconds 10
mayfly load --rate 50000 --connections 16 --json
```

It prepares all bytes before the clock starts and sends them from one thread (`--threads`), 64 KiB at a time
(`--batch`). `limited by` names what held it back: the server, this program, the rate asked for, or the machine,
where neither end had a processor to itself. `sent = stored + dropped + unknown`, where unknown is what no PONG covers,
because a connection broke; `accounted` says that this holds and that the segment agrees. Beside the load another
connection writes a record every 5 ms, and measures how long it takes to become visible. `--dialect inline` sends lines
as a shell does, `--dialect redis` what a Redis client would (HSET, XADD), with an answer to each.

"""
MARKS = {True: "yes", False: "**no**", None: "not known"}


def sections() -> list[dict]:
    found = [json.loads(path.read_text()) for path in sorted(results.folder().glob("*.json"))]
    return sorted(found, key=lambda one: (FIRST.index(one["section"]) if one["section"] in FIRST else len(FIRST),
                                          one["section"]))


def cell(text: str) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def markdown_table(columns: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(map(cell, row)) + " |" for row in (columns, ["---"] * len(columns), *rows)]
    return "\n".join(lines) + "\n\n"


def targets_table(all_sections: list[dict]) -> str:
    rows = [[one["what"], one["target"], one["result"], MARKS[one["met"]], f"`{section['command']}`"]
            for section in all_sections for one in section.get("targets", [])]
    met = sum(one["met"] is True for section in all_sections for one in section.get("targets", []))
    return (f"## Targets\n\n{met} of {len(rows)} are met.\n\n"
            + markdown_table(["what", "target", "result", "met", "command"], rows))


def section_text(section: dict) -> str:
    text = f"## {section['title']}\n\n`{section['command']}`, {section['time'][:10]}, {section['seconds']} s"
    text += f", at {section['commit']}.\n\n" if section.get("commit", "?") != "?" else ".\n\n"
    for one in section.get("tables", []):
        text += f"### {one['title']}\n\n" + markdown_table(one["columns"], one["rows"])
        if one.get("note"):
            text += one["note"] + "\n\n"
    if section.get("notes"):
        text += "### How this was measured\n\n" * (len(section.get("notes")) > 1)
        text += "".join(f"- {note}\n" for note in section["notes"]) + "\n"
    return text


def machine_text(all_sections: list[dict]) -> str:
    machines: dict[str, list[str]] = {}
    for section in all_sections:
        machines.setdefault(json.dumps(section["machine"]), []).append(section["section"])
    text = "## The machine\n\n"
    for machine, names in machines.items():
        if len(machines) > 1:
            text += f"For {', '.join(names)}:\n\n"
        text += markdown_table(["", ""], [[name, value] for name, value in json.loads(machine).items()])
    return text


def main() -> int:
    all_sections = sections()
    if not all_sections:
        print(f"nothing was measured yet: {results.folder()} is empty", file=sys.stderr)
        return 1
    commands = "\n".join(dict.fromkeys(section["command"] for section in all_sections))
    text = HEAD + targets_table(all_sections) + "".join(map(section_text, all_sections))
    text += OWN + REPRODUCE.format(commands=commands) + machine_text(all_sections)
    page = pathlib.Path(os.environ.get("MAYFLY_BENCH_PAGE", results.ROOT / "docs/benchmarks.md"))
    page.write_text(text.rstrip("\n") + "\n")
    print(f"{page}: {', '.join(section['section'] for section in all_sections)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
