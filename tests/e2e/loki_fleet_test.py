"""Loki's API over all hosts, through the hub: the label `server`, merging, rights, hosts that go and come."""

import os
import signal
import sys
import time
import unittest

from fleet import PASSWORD, Fleet
from harness import wait_for
from loki_client import GRAFANA, NS, Entry, Loki, entries_of
from visitor import add_key, add_user

SERVERS = ["web-1", "web-2"]
DIRECTORIES = "  - {kind: log, pattern: '*'}\n  - {kind: status, pattern: '*'}\n"


class FleetLoki(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.fleet = Fleet(DIRECTORIES, SERVERS)
        cls.enterClassContext(cls.fleet)
        cls.before = time.time_ns()
        for round_ in range(20):
            for server in SERVERS:
                cls.fleet.hosts[server].send(f"LOG app k{round_ % 2} round {round_} level=info".encode(),
                                             f"LOG sec k round {round_} level=error".encode())
        cls.after = time.time_ns() + NS
        cls.loki = cls.reader("all", "*:")
        wait_for("the last key", lambda: cls.loki.ask("labels", {}).status == 200)
        cls.logs = sorted(cls.loki.logs('{kind="log"}', limit=1000, start=cls.before, end=cls.after))

    @classmethod
    def reader(cls, name: str, *rights: str) -> Loki:
        """As Grafana: a key in the data source's settings."""
        return Loki(cls.fleet.hub.url, {"Authorization": f"Bearer {add_key(cls.fleet.hub.file, name, *rights)}"})

    def range(self) -> dict[str, int]:
        return {"start": self.before, "end": self.after}

    def of(self, **wanted: str) -> list[Entry]:
        return [entry for entry in self.logs if all(getattr(entry, name) == value for name, value in wanted.items())]

    def test_all_hosts_are_there(self) -> None:
        self.assertEqual(len(self.logs), 80)
        for server in SERVERS:
            own = Loki(self.fleet.hosts[server].ready["relay"]).logs('{kind="log"}', limit=1000, **self.range())
            self.assertEqual(sorted(own), [Entry(entry.time_ns, entry.directory, entry.key, entry.line)
                                           for entry in self.of(server=server)])

    def test_save_and_test_and_histogram(self) -> None:
        data = self.loki.get("query", {"query": "vector(1)+vector(1)", "time": time.time_ns()}, GRAFANA)
        self.assertEqual(data["result"][0]["value"][1], "2")
        self.assertTrue(self.loki.get("status/buildinfo")["version"])
        start = self.before // NS
        fields = {"start": start * NS, "end": (start + 120) * NS, "step": "2s"}
        query = 'sum by (level, detected_level) (count_over_time({kind="log"} | drop __error__ [2s]))'
        data = self.loki.get("query_range", {"query": query, **fields}, GRAFANA)
        sums = {one["metric"]["detected_level"]: sum(int(value) for _, value in one["values"]) for one in data["result"]}
        self.assertEqual(sums, {"info": 40, "error": 40})
        data = self.loki.get("query_range", {"query": 'sum by (server) (count_over_time({directory="app"}[2s]))', **fields})
        self.assertEqual({one["metric"]["server"]: sum(int(value) for _, value in one["values"]) for one in data["result"]},
                         {server: 20 for server in SERVERS})

    def test_metrics_over_hosts(self) -> None:
        def value(query: str) -> dict[str, float]:
            result = self.loki.get("query", {"query": query})["result"]
            return {",".join(one["metric"].values()): float(one["value"][1]) for one in result}

        self.assertEqual(value('sum(count_over_time({kind="log"}[1h]))'), {"": 80})
        self.assertEqual(value('sum by (server) (count_over_time({kind="log", server="web-2"}[1h]))'), {"web-2": 40})
        self.assertEqual(value('avg(sum by (server, directory) (count_over_time({kind="log"}[1h])))'), {"": 20})
        self.assertEqual(value('count(count_over_time({kind="log"} | drop detected_level [1h]))'), {"": 6})
        self.assertEqual(value('max by (server) (count_over_time({kind="log"} | server=~".*-1" | drop detected_level [1h]))'),
                         {"web-1": 20})
        self.assertEqual(value('sum by (server) (count_over_time({kind="log"} | drop server [1h]))'), {"": 80})
        self.assertEqual(value('topk(1, sum by (directory) (bytes_over_time({kind="log", server!="web-1"}[1h])))'),
                         {"sec": sum(len(entry.line) for entry in self.of(server="web-2", directory="sec"))})

    def test_selectors_with_server(self) -> None:
        def lines(query: str) -> list[Entry]:
            return sorted(self.loki.logs(query, limit=1000, **self.range()))

        self.assertEqual(lines('{server="web-1"}'), self.of(server="web-1"))
        self.assertEqual(lines('{server=~"web-.", directory="app"}'), self.of(directory="app"))
        self.assertEqual(lines('{kind="log", server!~"web-1|db.*"}'), self.of(server="web-2"))
        self.assertEqual(lines('{kind="log"} | server="web-2" and directory="sec"'), self.of(server="web-2", directory="sec"))
        self.assertEqual(lines('{server="elsewhere"}'), [])
        self.assertEqual({entry.server for entry in lines('{kind="log"} | drop server')}, {""})

    def test_label_browser(self) -> None:
        self.assertEqual(self.loki.get("labels"), ["directory", "key", "kind", "server"])
        self.assertEqual(self.loki.get("label/server/values"), SERVERS)
        self.assertEqual(self.loki.get("label/server/values", {"query": '{server!="web-1"}'}), ["web-2"])
        self.assertEqual(self.loki.get("label/directory/values", {"query": '{server="web-1"}'}), ["app", "sec"])
        self.assertEqual(self.loki.get("series", {"match[]": '{server="web-2", directory="app"}'}),
                         [{"directory": "app", "key": f"k{i}", "kind": "log", "server": "web-2"} for i in range(2)])
        self.assertEqual(self.loki.get("index/stats", {"query": '{kind="log"}'})["entries"], 80)
        volume = self.loki.get("index/volume", {"query": '{server=~".+"}', **self.range()})
        self.assertEqual([one["metric"] for one in volume["result"]], [{"server": "web-1"}, {"server": "web-2"}])

    def test_paging(self) -> None:
        for forward in (True, False):
            self.assertEqual(self.loki.logcli('{kind="log"}', 1000, 7, self.before, self.after, forward),
                             sorted(self.logs, reverse=not forward))
        end, got = self.after, []
        while page := sorted(self.loki.logs('{kind="log"}', limit=3, start=self.before, end=end)):
            got = page + got
            end = page[0].time_ns
        self.assertEqual(got, self.logs)

    def test_rights(self) -> None:
        readers = {"apps": (("*:app",), lambda entry: entry.directory == "app"),
                   "one": (("web-2:",), lambda entry: entry.server == "web-2"),
                   "mixed": (("web-1:", "web-2:sec"), lambda entry: entry.server == "web-1" or entry.directory == "sec"),
                   "none": (("db-1:",), lambda entry: False)}
        for name, (rights, covers) in readers.items():
            loki = self.reader(name, *rights)
            wait_for(f"the key of {name}", lambda one=loki: one.ask("labels", {}).status == 200)
            wanted = [entry for entry in self.logs if covers(entry)]
            with self.subTest(name):
                self.assertEqual(sorted(loki.logs('{kind="log"}', limit=1000, **self.range())), wanted)
                total = loki.get("query", {"query": 'sum(count_over_time({kind="log"}[1h]))'})["result"]
                self.assertEqual([one["value"][1] for one in total], [str(len(wanted))] if wanted else [])
                self.assertEqual(loki.get("label/server/values"), sorted({entry.server for entry in wanted}))
                self.assertEqual(loki.get("label/directory/values"), sorted({entry.directory for entry in wanted}))
                if wanted:
                    with loki.tail('{kind="log"}', limit=1000) as tail:
                        self.assertEqual(sorted(tail.entries(len(wanted))), wanted)
        self.assertEqual(Loki(self.fleet.hub.url).ask("labels", {}).status, 401)

    def test_people_read_it_too(self) -> None:
        add_user(self.fleet.hub.file, "ada", PASSWORD, "*:app")
        visitor = self.fleet.visitor()
        wait_for("ada's login", lambda: visitor.log_in("ada", PASSWORD).status == 303)
        self.assertEqual(visitor.get("/loki/api/v1/label/directory/values").json()["data"], ["app"])

    def test_errors(self) -> None:
        answer = self.loki.ask("query_range", {"query": "{"})
        self.assertEqual((answer.status, answer.headers.get_content_type()), (400, "text/plain"))
        self.assertTrue(answer.body.startswith(b"parse error at line 1, col 2: "), answer.body)
        self.assertEqual(self.loki.ask("nothing", {}).status, 404)


class HostsThatComeAndGo(unittest.TestCase):
    def test_a_tail_goes_on_and_says_what_is_left_out(self) -> None:
        with Fleet(DIRECTORIES, SERVERS) as fleet:
            loki = Loki(fleet.hub.url, {"Authorization": f"Bearer {add_key(fleet.hub.file, 'all', '*:')}"})
            wait_for("the key", lambda: loki.ask("labels", {}).status == 200)
            one, two = (fleet.hosts[server] for server in SERVERS)
            with loki.tail('{directory="app"}', limit=10) as tail:
                one.send(b"LOG app k from one")
                two.send(b"LOG app k from two")
                self.assertEqual(sorted((entry.server, entry.line) for entry in tail.entries(2)),
                                 [("web-1", "from one"), ("web-2", "from two")])
                relayd = one.pid("relayd")
                one.mayfly("log", "app", "k", "before the loss")
                self.assertEqual([entry.line for entry in tail.entries(1)], ["before the loss"])
                os.kill(relayd, signal.SIGKILL)
                one.send(b"LOG app k during the loss")
                two.send(b"LOG app k meanwhile")
                lines, losses = [], 0
                for message in tail:
                    lines += [entry.line for entry in entries_of(message["streams"])]
                    losses += len(message["dropped_entries"] or [])
                    for gap in message["dropped_entries"] or []:
                        self.assertEqual((gap["labels"], gap["missed"]), ({"server": "web-1"}, None))
                    if {"during the loss", "meanwhile"} <= set(lines):
                        break
                self.assertEqual(sorted(lines), ["during the loss", "meanwhile"])
                self.assertEqual(losses, 1)
            two.stop()
            wait_for("the loss to be known", lambda: loki.get("label/server/values") == ["web-1"])
            answer = loki.ask("query_range", {"query": '{kind="log"}'}).json()
            self.assertEqual({entry.server for entry in entries_of(answer["data"]["result"])}, {"web-1"})
            self.assertEqual(answer["warnings"], ["left out (not_connected): under-test, web-2"])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
