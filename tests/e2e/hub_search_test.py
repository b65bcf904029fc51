"""One pattern over the logs of all hosts: merged by time, within limits, and honest about what is missing."""

import concurrent.futures
import unittest
import urllib.parse

from fleet import PASSWORD, Fleet
from harness import wait_for
from hub_process import NAME
from visitor import Reply, Visitor, add_user

HOSTS = ["web-1", "web-2"]
DIRECTORIES = "".join(f"  - {{kind: log, name: {name}, max_total_bytes: 8MiB, max_bytes_per_key: 8MiB, "
                      "max_events_per_key: 100000}\n" for name in ("app-a", "app-b", "secret"))


class Search(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.fleet = Fleet(DIRECTORIES, HOSTS).__enter__()
        cls.addClassCleanup(cls.fleet.close)
        cls.admin = cls.fleet.administrator()

    def search(self, pattern: str, visitor: Visitor | None = None, **parameters: str) -> dict:
        reply = self.ask(pattern, visitor, **parameters)
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, "application/json"), reply.text())
        return reply.json()

    def ask(self, pattern: str, visitor: Visitor | None = None, **parameters: str) -> Reply:
        return (visitor or self.admin).get("/api/v1/search?" + urllib.parse.urlencode({"q": pattern, **parameters}))

    def write(self, host: str, *lines: str) -> None:
        self.fleet.hosts[host].send(*(line.encode() for line in lines))

    @staticmethod
    def found(result: dict) -> list[tuple[str, str, str, str]]:
        return [(one["server"], one["directory"], one["key"], one["line"]) for one in result["records"]]

    @staticmethod
    def missed(result: dict) -> list[dict]:
        """What was left out of the hosts that run; the hub knows one more, that never does."""
        return [one for one in result["left_out"] if one.get("server") != NAME]

    def test_records_of_all_hosts_by_time(self) -> None:
        for number in range(6):  # each is visible before the next is written
            self.write(HOSTS[number % 2], f"LOG app-{'ab'[number % 3 % 2]} k merged {number}", f"LOG secret k merged {number} s")
        result = self.search("merged [0-9]$")
        self.assertEqual([line for *_, line in self.found(result)], [f"merged {number}" for number in range(6)])
        self.assertEqual(self.missed(result), [])
        self.assertEqual(self.found(result)[1], ("web-2", "app-b", "k", "merged 1"))
        only = self.search("merged [0-9]$", server="web-1", directory="app-a")
        self.assertEqual({(server, directory) for server, directory, *_ in self.found(only)}, {("web-1", "app-a")})
        newest = self.search("merged [0-9]$", limit="2")
        self.assertEqual([line for *_, line in self.found(newest)], ["merged 4", "merged 5"])
        self.assertFalse(newest["complete"])
        times = [one["time"] for one in result["records"]]
        self.assertEqual(times, sorted(times))
        since = self.search("merged [0-9]$", since=times[3])
        self.assertEqual(since["records"], result["records"][3:])

    def test_rights_come_before_the_merge(self) -> None:
        add_user(self.fleet.hub.file, "app", PASSWORD, "web-2:app-")
        wait_for("the user", lambda: self.fleet.visitor().log_in("app", PASSWORD).status == 303)
        reader = self.fleet.log_in("app")
        for host in HOSTS:
            self.write(host, "LOG app-a k rights", "LOG secret k rights")
        result = self.search("rights", reader)
        self.assertEqual(self.found(result), [("web-2", "app-a", "k", "rights")])
        self.assertEqual((result["complete"], result["left_out"]), (True, []))
        self.assertEqual(self.search("rights", reader, server="web-1")["records"], [])
        self.assertEqual(self.search("rights", reader, directory="secret")["records"], [])

    def test_bytes_that_are_no_text(self) -> None:
        self.fleet.hosts["web-1"].send(b"LOG app-a k no\xff\x01text")
        [record] = self.search("\x01text$")["records"]
        self.assertEqual((record["line"], record["line_b64"]), ("no\\xff\x01text", "bm//AXRleHQ="))

    def test_many_searches_at_once_delay_nobody(self) -> None:
        self.write("web-1", *(f"LOG app-b bulk {'x' * 60} {number}" for number in range(20000)))
        with concurrent.futures.ThreadPoolExecutor(12) as threads:
            searches = [threads.submit(self.ask, "(x+x+)+y|[0-9]{4,5}$", None, limit="5000") for _ in range(12)]
            while not all(one.done() for one in searches):
                self.assertEqual(self.admin.get("/frontend/servers/web-2/readyz").status, 200)
        statuses = [one.result().status for one in searches]
        self.assertLessEqual(set(statuses), {200, 503})
        self.assertIn(200, statuses)
        full = next(one.result().json() for one in searches if one.result().status == 200)
        self.assertLessEqual(len(full["records"]), 5000)

    def test_z_a_host_that_is_away_is_named(self) -> None:
        self.fleet.hosts["web-2"].stop()
        self.write("web-1", "LOG app-a k away")
        expected = [{"server": "web-2", "reason": "not_connected"}]
        wait_for("web-2 to be missed", lambda: self.missed(self.search("away")) == expected)
        result = self.search("away")
        self.assertEqual((self.missed(result), result["complete"]), (expected, False))
        self.assertEqual(self.found(result), [("web-1", "app-a", "k", "away")])


if __name__ == "__main__":
    unittest.main(verbosity=2)
