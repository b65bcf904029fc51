"""The list of branches that no test can take: unreachable.txt beside this file.

One entry a line, `FILE | SOURCE LINE | BRANCHES | REASON`: the line's text without its indentation (numbers would
be wrong after the next change), and how many of its branches are never taken. `#` begins a comment.
"""

import pathlib


class Unreachable:
    def __init__(self, path: pathlib.Path) -> None:
        self._left: dict[tuple[str, str], int] = {}
        for number, line in enumerate(path.read_text().split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            # The source line may have bars of its own.
            parts = line.split(" | ")
            if len(parts) < 4 or not parts[-2].strip().isdigit() or not parts[-1].strip():
                raise SystemExit(f"{path}:{number}: not `FILE | SOURCE LINE | BRANCHES | REASON`")
            key = (parts[0].strip(), " | ".join(parts[1:-2]).strip())
            self._left[key] = self._left.get(key, 0) + int(parts[-2])

    def excuse(self, file: str, text: str, missed: int) -> int:
        """How many of a line's missed branches the list excuses; each entry once."""
        key = (file, text)
        excused = min(missed, self._left.get(key, 0))
        if excused:
            self._left[key] -= excused
        return excused

    def stale(self) -> list[str]:
        """Entries whose branches were taken after all, or whose line is gone."""
        return [f"{file}: {text} ({left})" for (file, text), left in self._left.items() if left > 0]
