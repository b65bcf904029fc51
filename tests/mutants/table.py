"""Writes what run.py found: data for other pages, and a page of its own."""

import json
import pathlib

HEAD = """# Seeded faults

What the tests of the segment code would notice. `./dev soak mutants` puts one small fault at a time into a copy of
the code (`tests/mutants/faults.py`), builds it, and runs the tests in order of cost until one fails. This page is
written by that command.

"""


def row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def write(outcomes: list, data: pathlib.Path, page: pathlib.Path) -> None:
    noticed = [outcome for outcome in outcomes if outcome.noticed_by]
    survived = [outcome for outcome in outcomes if not outcome.noticed_by]
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text(json.dumps({
        "command": "./dev soak mutants",
        "faults": len(outcomes),
        "noticed": len(noticed),
        "survived": len(survived),
        "unexplained": sum(1 for outcome in survived if outcome.fault.unseen is None),
        "list": [{"name": outcome.fault.name, "file": outcome.fault.file, "what": outcome.fault.what,
                  "noticed_by": outcome.noticed_by, "unseen": outcome.fault.unseen} for outcome in outcomes],
    }, indent=1) + "\n")
    text = HEAD + f"{len(outcomes)} faults: {len(noticed)} noticed, {len(survived)} not.\n\n## Noticed\n\n"
    text += row("fault", "in", "noticed first by") + "|---|---|---|\n"
    for outcome in noticed:
        first = outcome.noticed_by[0]
        text += row(outcome.fault.what, f"`{outcome.fault.file}`", f"`{first['test']}`: {first['how']}")
    text += "\n## Not noticed\n\n" + row("fault", "in", "why, and what shows it") + "|---|---|---|\n"
    for outcome in survived:
        text += row(outcome.fault.what, f"`{outcome.fault.file}`", outcome.fault.unseen or "**unexplained**")
    page.write_text(text)
