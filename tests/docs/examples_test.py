"""Runs the examples of the pages against the real programs, each page against programs of its own."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import pages

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
import harness  # found by the line above

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

class Shell:
    """Runs blocks as a reader would, with the programs in PATH and the ports of this run."""

    def __init__(self, runtime_dir: str, ports: dict[str, int]) -> None:
        self.ports = ports
        self.env = dict(os.environ, RUNTIME_DIRECTORY=runtime_dir, LC_ALL="C.UTF-8")
        self.env["PATH"] = os.environ["MAYFLY_BIN"] + os.pathsep + os.environ["PATH"]

    def command(self, block: pages.Block) -> list[str]:
        text = re.sub(r"\b(4717|4718|4719|4000)\b", lambda port: str(self.ports[port[0]]), block.text)
        return ["bash", "-euo", "pipefail", "-c", text]

    def run(self, block: pages.Block) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(block), env=self.env, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="backslashreplace", timeout=harness.DEADLINE_S, check=False)

    def keeps_promise(self, block: pages.Block) -> bool:
        result = self.run(block)
        return result.returncode == 0 and pages.matches(block.output or "", result.stdout)


class Follower:
    """A block that runs until the page ends; its output goes to a file that can be looked at meanwhile."""

    def __init__(self, shell: Shell, block: pages.Block) -> None:
        self.block = block
        self.output = tempfile.TemporaryFile("w+", encoding="utf-8", errors="backslashreplace")
        self.process = subprocess.Popen(
            shell.command(block), env=shell.env, stdin=subprocess.DEVNULL, stdout=self.output, cwd=ROOT,
            start_new_session=True)

    def text(self) -> str:
        self.output.seek(0)
        return self.output.read()

    def kept_promise(self) -> bool:
        return pages.matches(self.block.output or "", self.text(), anywhere=True)

    def stop(self) -> None:
        os.killpg(self.process.pid, 9)
        self.process.wait()
        self.output.close()


class Examples(unittest.TestCase):
    def check(self, page: pathlib.Path, shell: Shell, followers: list[Follower]) -> None:
        for block in pages.runnable(page):
            with self.subTest(page=page.name, line=block.line):
                mode = block.info.split()[2:]
                if mode == ["follow"]:
                    followers.append(Follower(shell, block))
                    continue
                if mode == ["until"]:
                    harness.wait_for("what the page says", lambda: shell.keeps_promise(block))
                    continue
                result = shell.run(block)
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                if block.output is not None:
                    self.assertTrue(pages.matches(block.output, result.stdout), f"printed:\n{result.stdout}")
        for follower in followers:
            with self.subTest(page=page.name, line=follower.block.line):
                harness.wait_for("what the page says", follower.kept_promise)

    def test_examples_do_what_the_pages_say(self) -> None:
        pages_run = 0
        for page in PAGES:
            if not pages.runnable(page):
                continue
            pages_run += 1
            followers: list[Follower] = []
            with harness.Stack() as stack:
                try:
                    self.check(page, Shell(stack.runtime_dir, stack.ports_by_default()), followers)
                finally:
                    for follower in followers:
                        follower.stop()
        self.assertGreaterEqual(pages_run, 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
