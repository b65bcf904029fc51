"""Markdown pages as the tests of this folder need them: code blocks with their marks, links, headings.

A fenced block whose info string is `bash run` is executed; a block `text output` directly after it holds what
it prints, where `…` stands for any text within a line. `bash run until` is repeated until it prints that,
`bash run follow` is started, must print that some time before the page ends, and is then killed.
"""

import dataclasses
import pathlib
import re

FENCE = re.compile(r"^```(?P<info>.*)$")


@dataclasses.dataclass
class Block:
    """One fenced block. `output` is None where the page promises none."""

    line: int
    info: str
    text: str
    output: str | None = None


def blocks(page: pathlib.Path) -> list[Block]:
    """All fenced blocks of a page, `text output` ones folded into the block before them."""
    found: list[Block] = []
    current: Block | None = None
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        fence = FENCE.match(line)
        if fence and current is None:
            current = Block(number, fence["info"].strip(), "")
        elif fence and current is not None:
            if current.info == "text output":
                if not found or found[-1].output is not None:
                    raise ValueError(f"{page.name}:{current.line}: output of nothing")
                found[-1].output = current.text
            else:
                found.append(current)
            current = None
        elif current is not None:
            current.text += line + "\n"
    if current is not None:
        raise ValueError(f"{page.name}:{current.line}: block without end")
    return found


def runnable(page: pathlib.Path) -> list[Block]:
    """The blocks of a page that are to be executed, in order."""
    return [block for block in blocks(page) if block.info.split()[:2] == ["bash", "run"]]


def matches(expected: str, actual: str, anywhere: bool = False) -> bool:
    """True when `actual` is what the page promises (`anywhere`: contains it). CRLF reads as a line end."""
    actual = actual.replace("\r\n", "\n")
    pattern = re.escape(expected.rstrip("\n")).replace("…", "[^\n]*")
    if anywhere:
        return re.search(pattern, actual) is not None
    return re.fullmatch(pattern, actual.rstrip("\n")) is not None


def prose(page: pathlib.Path) -> str:
    """The page without its fenced blocks."""
    kept, inside = [], False
    for line in page.read_text(encoding="utf-8").splitlines():
        if FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(page: pathlib.Path) -> list[str]:
    """The targets of the page's inline links."""
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", prose(page))


def anchors(page: pathlib.Path) -> set[str]:
    """The fragments that the page's headings answer to (the rule that code hosts use)."""
    headings = re.findall(r"^#+ +(.*)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
