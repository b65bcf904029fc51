"""The hub's page in a real browser: logging in, all hosts, one host's views through the tunnel, a host that goes and
comes back."""

import sys
import unittest

import browser
import page_case
from fleet import ADMIN, PASSWORD, Fleet
from harness import Stack
from page_case import PageReader
from visitor import add_user

DIRECTORIES = """\
  - {kind: log, name: app-web}
  - {kind: log, name: system}
  - {kind: status, name: app-health}
"""
NAMES = ["alpha", "beta"]


class HubPage(PageReader):
    @classmethod
    def setUpClass(cls) -> None:
        cls.fleet = Fleet(DIRECTORIES, NAMES)
        cls.addClassCleanup(cls.fleet.close)
        cls.fleet.__enter__()
        cls.url = cls.fleet.hub.url

    def setUp(self) -> None:
        """A browser that nobody has logged in with."""
        self.page = browser.Browser()
        self.addCleanup(self.page.__exit__)

    def log_in(self, name: str = ADMIN, where: str = "/frontend/servers/") -> None:
        self.page.open(self.url + where)
        self.page.wait("the form", "return document.querySelector('input[name=username]')")
        self.page.type("input[name=username]", name)
        self.page.type("input[name=password]", PASSWORD)
        self.page.click("form button, form input[type=submit]")
        self.page.wait("the page asked for", "return location.pathname === arguments[0]", where)
        self.page.console()

    def open_host(self, name: str, view: str = "") -> None:
        self.page.open("about:blank")
        self.page.open(f"{self.url}/frontend/servers/{name}/#/{view}")

    def rows(self) -> list[list[str]]:
        """Name and state of each server in the list."""
        return self.page.run("return [...document.querySelectorAll('#servers tr')].map((row) => ['.server', '.state'].map((cell) => row.querySelector(cell).textContent))")

    def test_the_list_shows_all_hosts_and_leads_to_one(self) -> None:
        self.log_in()
        self.page.wait("both connected", "return document.querySelectorAll('.host-state[data-state=up]').length === 2")
        self.assertEqual(self.rows()[:2], [["alpha", "connected"], ["beta", "connected"]])
        self.page.wait("what they hold", "return [...document.querySelectorAll('td.holds')].filter((cell) => cell.textContent === '3 directories').length === 2")
        self.page.wait("how full", "return document.querySelectorAll('td.fullest .bar:not([hidden])').length === 2")
        self.page.type("#find", "bet")
        self.page.wait("one row", "return document.querySelectorAll('#servers tr').length === 1")
        self.page.click("#servers a")
        self.page.wait_text("app-web", ".card")
        self.page.wait_text("connected", "#host-state")
        self.assertEqual(self.page.run("return document.querySelector('#host-name').textContent"), "beta")
        self.assert_no_complaints()

    def test_a_host_is_read_through_the_hub(self) -> None:
        host = self.fleet.hosts["alpha"]
        host.send(b"LOG app-web k before")
        self.log_in()
        self.open_host("alpha", "log/app-web")
        self.wait_line("before")
        host.send(b"LOG app-web k after <b>")
        self.wait_line("after <b>")
        self.page.press("/")
        self.page.type(".filter-input", "^bef|(")
        self.page.wait_text("missing )", ".problem")
        self.page.console()  # the browser notes the answer 400
        self.page.clear(".filter-input")
        self.page.type(".filter-input", "^bef")
        self.page.wait("one line", f"return {page_case.ROWS}.length === 1")
        host.send(b"STATUS app-health load 1")
        self.open_host("alpha", "status/app-health")
        self.page.wait_text("load", ".status-list .key")
        host.send(b"STATUS app-health load 2")
        self.page.wait_text("2", ".status-list .value")
        self.assert_no_complaints()

    def test_a_host_goes_away_and_comes_back(self) -> None:
        host = self.fleet.hosts["beta"]
        host.send(b"LOG system k before")
        self.log_in()
        self.open_host("beta", "log/system")
        self.wait_line("before")
        self.wait_state("live")
        flags = ("--config", str(self.fleet.hub.folder / "beta.yaml"), "--no-hub", "--hub-url", self.url)
        host.keep = True
        host.__exit__()
        self.page.wait_text("away", "#host-state")
        self.wait_mark("connection lost")
        self.fleet.hosts["beta"] = host = Stack(*flags, runtime_dir=host.runtime_dir)
        self.fleet.push(host.__exit__)
        host.wait_ready()
        host.send(b"LOG system k after")
        self.wait_line("after")
        self.wait_mark("connected again")
        self.page.wait_text("connected", "#host-state")
        self.assertEqual(self.lines(), ["before", "after"])
        self.assertEqual(self.counts()["missed"], 0)

    def test_who_may_see_part_sees_no_more(self) -> None:
        add_user(self.fleet.hub.file, "ada", PASSWORD, "alpha:app-")
        self.wait_for_user("ada")
        self.log_in("ada")
        self.page.wait("the list", "return document.querySelectorAll('#servers tr').length > 0")
        self.assertEqual([name for name, _ in self.rows()], ["alpha"])
        self.open_host("alpha")
        self.page.wait("the cards", "return document.querySelectorAll('.card').length > 0")
        shown = self.page.run("return [...document.querySelectorAll('.card h3')].map((head) => head.textContent)")
        self.assertEqual(shown, ["app-web", "app-health"])
        self.fleet.hosts["alpha"].send(b"LOG app-web pick me")
        self.page.run("location.hash = '#/log/app-web'")
        self.wait_line("me")
        self.page.press("c")
        self.page.wait("the keys", "return [...document.querySelectorAll('datalist option')].some((one) => one.value === 'pick')")
        self.page.run("location.hash = '#/log/system'")
        self.wait_state("waiting")
        self.page.wait_text("no such resource", ".state")

    def wait_for_user(self, name: str) -> None:
        """A changed file counts within a second."""
        browser.wait_for(f"the user {name}", lambda: self.fleet.visitor().log_in(name, PASSWORD).status == 303)

    def test_search_finds_lines_of_all_hosts(self) -> None:
        for name in NAMES:
            self.fleet.hosts[name].send(f"LOG system needle \x1b[31mneedle\x1b[0m of {name} <i>".encode())
        self.log_in()
        self.page.press("f")
        self.page.type(".search .filter-input", "needle.*of \ue007")
        self.page.wait("both lines", "return document.querySelectorAll('.search-results .row').length >= 2")
        shown = self.page.run("return [...document.querySelectorAll('.search-results .row')].map((row) => row.querySelector('.where').textContent + ': ' + row.querySelector('.text').textContent)")
        self.assertEqual(sorted(shown), [f"{name} system: needle of {name} <i>" for name in NAMES])
        self.page.clear(".search .filter-input")
        self.page.type(".search .filter-input", "(\ue007")
        self.page.wait("the problem", "return document.querySelector('.search .note.bad')")

    def test_logging_out(self) -> None:
        self.log_in()
        self.page.wait_text("Log out", "#session")
        self.assertIn(ADMIN, self.page.run("return document.querySelector('#session').textContent"))
        self.page.click("#session button")
        self.page.wait("the form", "return document.querySelector('input[name=username]')")
        self.page.open(f"{self.url}/frontend/servers/alpha/")
        self.page.wait("the form again", "return location.pathname === '/login'")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
