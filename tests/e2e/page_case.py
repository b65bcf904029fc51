"""Test cases with a host and a browser: what a page shows, asked of the page itself."""

import tempfile
import unittest

import browser
from harness import Stack

DIRECTORIES = """\
directories:
  - {kind: log, name: demo}
  - {kind: log, name: short, max_events_per_key: 10, max_value_bytes: 60}
  - {kind: log, name: fast, max_keys: 10, max_events_per_key: 10000000, max_total_bytes: 48MiB, max_bytes_per_key: 48MiB}
  - {kind: status, name: web}
  - {kind: status, name: fading, stale_after: 1s}
"""
# A stopped daemon shall not be replaced, one that was killed soon.
PATIENT = ("--watchdog-ms", "600000", "--backoff-first-ms", "10", "--backoff-max-ms", "50")
ROWS = "[...document.querySelectorAll('.log-list .row')]"


class PageReader(unittest.TestCase):
    """What `self.page`, a browser, shows."""

    page: browser.Browser

    def wait_state(self, state: str) -> None:
        self.page.wait(f"the state {state}", "return document.querySelector('.toolbar')?.dataset.state === arguments[0]", state)

    def lines(self) -> list[str]:
        """Texts of the lines in sight, marks left out."""
        return self.page.run(f"return {ROWS}.filter((row) => !row.classList.contains('mark')).map((row) => row.querySelector('.text').textContent)")

    def marks(self) -> list[str]:
        return self.page.run(f"return {ROWS}.filter((row) => row.classList.contains('mark')).map((row) => row.querySelector('.text').textContent)")

    def wait_line(self, text: str) -> None:
        self.page.wait(f"the line {text!r}", f"return {ROWS}.some((row) => row.querySelector('.text').textContent === arguments[0])", text)

    def wait_mark(self, text: str) -> None:
        self.page.wait(f"the mark {text!r}", f"return {ROWS}.some((row) => row.classList.contains('mark') && row.textContent.includes(arguments[0]))", text)

    def counts(self) -> dict[str, int]:
        """received, shown, dropped (for display), missed."""
        return {name: int(value) for name, value in self.page.run("return {...document.querySelector('.counts').dataset}").items()}

    def assert_no_complaints(self) -> None:
        """Neither errors nor violations of the policy."""
        complaints = [message["message"] for message in self.page.console() if message["level"] == "SEVERE"]
        self.assertEqual(complaints, [])


class PageCase(PageReader):
    """One browser and one host for a class."""

    directories = DIRECTORIES

    @classmethod
    def setUpClass(cls) -> None:
        file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        cls.addClassCleanup(file.close)
        file.write(cls.directories)
        file.flush()
        cls.hub_flags = ("--hub-config", file.name)
        cls.stack = Stack(*PATIENT, *cls.hub_flags)
        cls.addClassCleanup(lambda: cls.stack.__exit__())
        cls.stack.wait_ready()
        cls.page = browser.Browser()
        cls.addClassCleanup(cls.page.__exit__)

    def show(self, view: str = "") -> None:
        """Opens a view, such as log/demo, in a page of its own."""
        self.page.open("about:blank")
        self.page.console()
        self.page.open(f"{self.stack.ready['relay']}/#/{view}")
        if view.startswith("log/"):
            self.wait_state("live")

    def log(self, directory: str, key: str, *lines: str) -> None:
        self.stack.send(*(f"LOG {directory} {key} {line}".encode() for line in lines))

    def set(self, directory: str, key: str, value: str) -> None:
        self.stack.send(f"STATUS {directory} {key} {value}".encode())
