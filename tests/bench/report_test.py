"""docs/benchmarks.md is made of what the sections left, and of nothing else."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SECTION = {
    "section": "one", "title": "One", "command": "./dev bench one", "time": "2026-11-21T10:00:00Z", "seconds": 3,
    "commit": "abc", "machine": {"processor": "2 x Some"},
    "targets": [{"what": "cost | a record", "target": "≤ 1", "result": "2", "met": False},
                {"what": "rate", "target": "≥ 1", "result": "2", "met": True}],
    "tables": [{"title": "Costs", "columns": ["what", "ns"], "rows": [["parse", "20"]], "note": "A note."}],
    "notes": ["How."],
}


def make(results: str, page: str) -> subprocess.CompletedProcess:
    environment = dict(os.environ, MAYFLY_BENCH_RESULTS=results, MAYFLY_BENCH_PAGE=page)
    return subprocess.run([sys.executable, str(ROOT / "bench/report/main.py")], env=environment, capture_output=True,
                          text=True, check=False)


class Report(unittest.TestCase):
    def test_the_page_holds_targets_and_tables(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, "page.md")
            self.assertEqual(make(f"{folder}/none", str(page)).returncode, 1, "nothing was measured")
            results = pathlib.Path(folder, "results")
            results.mkdir()
            for name in ("one", "peers"):
                (results / f"{name}.json").write_text(json.dumps(SECTION | {"section": name, "command": f"./dev bench {name}"}))
            self.assertEqual(make(str(results), str(page)).returncode, 0)
            text = page.read_text()
        self.assertIn("2 of 4 are met", text)
        self.assertIn("| cost \\| a record | ≤ 1 | 2 | **no** | `./dev bench peers` |", text)
        self.assertIn("| parse | 20 |", text)
        self.assertLess(text.index("./dev bench peers"), text.index("./dev bench one"))
        self.assertIn("2 x Some", text)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
