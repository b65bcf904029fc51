"""Loki's API of one host, as Grafana and logcli use it; results equal to those of `mayfly tail`."""

import json
import sys
import tempfile
import time
import unittest
import urllib.parse

import reading
from harness import Stack
from loki_client import GRAFANA, NS, Entry, Loki, entries_of, parse_ns

DIRECTORIES = ("demo", "web", "app")
LEVELS = ("info", "warn", "error", "debug")


def tail_of_command_line(stack: Stack, directory: str) -> list[Entry]:
    result = stack.mayfly("tail", directory, "-n", "1000000", "--json")
    if result.returncode != 0:
        raise AssertionError(result.stderr)
    records = [json.loads(line) for line in result.stdout.splitlines()]
    return [Entry(parse_ns(record["time"]), directory, record["key"], record["line"]) for record in records]


class LokiApi(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = cls.enterClassContext(Stack())
        cls.before = time.time_ns()
        for round_ in range(40):
            # Several directories in one batch: their lines have the same time.
            cls.stack.send(*(f"LOG {directory} k{round_ % 3} round {round_} level={LEVELS[round_ % 4]} in {directory}".encode()
                             for directory in DIRECTORIES))
        cls.stack.send(b"LOG demo odd \xff\xfe <script> \\ \"quoted\" \x1b[31mred", b"STATUS web pid 4711")
        cls.after = time.time_ns() + NS
        cls.loki = Loki(cls.stack.ready["relay"])
        cls.logs = sorted(entry for directory in DIRECTORIES for entry in tail_of_command_line(cls.stack, directory))

    def range(self) -> dict[str, int]:
        return {"start": self.before, "end": self.after}

    def test_save_and_test(self) -> None:
        now = time.time_ns()
        data = self.loki.get("query", {"direction": "backward", "query": "vector(1)+vector(1)", "time": now}, GRAFANA)
        self.assertEqual(data["resultType"], "vector")
        self.assertEqual([(one["metric"], one["value"][1]) for one in data["result"]], [({}, "2")])
        self.assertAlmostEqual(data["result"][0]["value"][0], now / NS, delta=0.002)
        self.assertTrue(self.loki.get("status/buildinfo")["version"])
        self.assertEqual(reading.get(self.stack.ready["relay"], "/ready").body, b"ready\n")

    def test_explore_shows_what_tail_shows(self) -> None:
        fields = {"query": '{kind="log"} |= ``', "limit": 1000, "direction": "backward", "step": "1000ms", **self.range()}
        data = self.loki.get("query_range", fields, GRAFANA)
        self.assertEqual(data["encodingFlags"], ["categorize-labels"])
        self.assertEqual(sorted(entries_of(data["result"])), self.logs)
        for stream in data["result"]:
            self.assertEqual(set(stream["stream"]), {"kind", "directory", "key"})
            times = [int(value[0]) for value in stream["values"]]
            self.assertEqual(times, sorted(times, reverse=True))
            for value in stream["values"]:
                self.assertEqual(set(value[2]), {"structuredMetadata"})
                level = value[2]["structuredMetadata"]["detected_level"]
                self.assertTrue(f"level={level}" in value[1] or level == "unknown", value)
        self.assertEqual(sorted(self.loki.logs('{kind="log"}', limit=1000, **self.range())), self.logs)
        self.assertEqual(data["stats"]["summary"]["totalEntriesReturned"], len(self.logs))

    def test_filters(self) -> None:
        def expect(query: str, wanted: list[Entry]) -> None:
            self.assertEqual(sorted(self.loki.logs(query, limit=1000, **self.range())), wanted, query)

        expect('{directory="web", kind="log"}', [entry for entry in self.logs if entry.directory == "web"])
        expect('{directory=~"w.b|app", kind="log", key!="k1"}',
               [entry for entry in self.logs if entry.directory in ("web", "app") and entry.key != "k1"])
        expect('{kind="log"} |= "round 7 " != "in demo"',
               [entry for entry in self.logs if "round 7 " in entry.line and "in demo" not in entry.line])
        expect('{kind="log"} |~ `round \\d+ level=(warn|error)` !~ "demo|web"',
               [entry for entry in self.logs if entry.directory == "app" and ("=warn" in entry.line or "=error" in entry.line)])
        expect('{kind="log"} | detected_level="error"', [entry for entry in self.logs if "=error" in entry.line])
        self.assertEqual([entry.line for entry in self.loki.logs('{kind="status"}')], ["4711"])

    def test_histogram_counts_every_line_once(self) -> None:
        step = 2
        start = self.before // (step * NS) * step
        end = start + 60 * step
        query = f'sum by (level, detected_level) (count_over_time({{kind="log"}} |= `round` | drop __error__[{step}s]))'
        data = self.loki.get("query_range", {"query": query, "start": start * NS, "end": end * NS, "step": f"{step}s"}, GRAFANA)
        self.assertEqual(data["resultType"], "matrix")
        counts = {series["metric"]["detected_level"]: sum(int(value) for _, value in series["values"]) for series in data["result"]}
        self.assertEqual(counts, {level: 10 * len(DIRECTORIES) for level in LEVELS})
        for series in data["result"]:
            self.assertTrue(all(isinstance(second, int) and second % step == 0 for second, _ in series["values"]))
        total = self.loki.get("query", {"query": 'sum(count_over_time({kind="log"}[1h]))'})
        self.assertEqual(total["result"][0]["value"][1], str(len(self.logs)))

    def test_label_browser(self) -> None:
        fields = self.range()
        self.assertEqual(self.loki.get("labels", fields), ["directory", "key", "kind"])
        self.assertEqual(self.loki.get("label/directory/values", fields), sorted(DIRECTORIES))
        self.assertEqual(self.loki.get("label/key/values", {"query": '{directory="web"}', **fields}), ["k0", "k1", "k2", "pid"])
        series = self.loki.get("series", [("match[]", '{directory="web"}'), *fields.items()])
        self.assertEqual(series, [{"directory": "web", "key": f"k{i}", "kind": "log"} for i in range(3)]
                         + [{"directory": "web", "key": "pid", "kind": "status"}])
        stats = self.loki.get("index/stats", {"query": '{kind="log"}', **fields})
        self.assertEqual((stats["streams"], stats["entries"]), (10, len(self.logs)))
        volume = self.loki.get("index/volume", {"query": '{directory=~".+"}', **fields})
        self.assertEqual({one["metric"]["directory"] for one in volume["result"]}, set(DIRECTORIES))

    def test_forms(self) -> None:
        body = urllib.parse.urlencode([("match[]", '{directory="web", key="pid"}'), ("start", self.before)])
        self.assertEqual(self.loki.post("series", body), [{"directory": "web", "key": "pid", "kind": "status"}])

    def test_errors_are_lokis(self) -> None:
        answer = self.loki.ask("query_range", {"query": '{kind="log"} | json'})
        self.assertEqual((answer.status, answer.headers.get_content_type()), (400, "text/plain"))
        self.assertEqual(answer.body, b"parse error at line 1, col 16: the stage json is not supported\n")

    def test_logcli_pages(self) -> None:
        for forward in (True, False):
            for batch in (5, 7, 50):
                lines = self.loki.logcli('{kind="log"}', 1000, batch, self.before, self.after, forward)
                self.assertEqual(lines, sorted(self.logs, reverse=not forward), (forward, batch))
        newest = self.loki.logcli('{kind="log"}', 10, 5, self.before, self.after, False)
        self.assertTrue(set(newest) <= set(self.logs[-12:]) and len(newest) >= 10)

    def test_every_way_of_paging_by_time(self) -> None:
        for limit in (1, 2, 7):
            start, forward = self.before, []
            while page := sorted(self.loki.logs('{kind="log"}', limit=limit, start=start, end=self.after, direction="forward")):
                forward += page
                start = page[-1].time_ns + 1
            self.assertEqual(forward, self.logs)
            end, backward = self.after, []
            while page := sorted(self.loki.logs('{kind="log"}', limit=limit, start=self.before, end=end)):
                backward = page + backward
                end = page[0].time_ns
            self.assertEqual(backward, self.logs)


class LiveTail(unittest.TestCase):
    def test_equals_the_command_lines(self) -> None:
        with Stack() as stack:
            stack.send(b"LOG one k early 1", b"LOG two k early 2")
            loki = Loki(stack.ready["relay"])
            with loki.tail('{kind="log"}', limit=100) as tail:
                got = tail.entries(2)
                tail.send(9, b"are you there?")
                for number in range(50):
                    stack.send(*(f"LOG {directory} k{number % 2} late {number}".encode() for directory in ("one", "two", "three")))
                got += tail.entries(150)
                self.assertEqual(tail.close(), 1000)
            wanted = [entry for directory in ("one", "two", "three") for entry in tail_of_command_line(stack, directory)]
            self.assertEqual(sorted(got), sorted(wanted))
            for directory in ("one", "two", "three"):
                times = [entry.time_ns for entry in got if entry.directory == directory]
                self.assertEqual(times, sorted(times))

    def test_filters_and_history(self) -> None:
        with Stack() as stack:
            loki = Loki(stack.ready["relay"])
            stack.send(*(f"LOG one k line {number}".encode() for number in range(20)))
            with loki.tail('{directory="one"} |~ "[05]$"', limit=2) as tail:
                self.assertEqual([entry.line for entry in tail.entries(2)], ["line 10", "line 15"])
                stack.send(*(f"LOG one k line {number}".encode() for number in range(20, 31)))
                self.assertEqual([entry.line for entry in tail.entries(3)], ["line 20", "line 25", "line 30"])

    def test_a_slow_reader_is_told_what_he_missed(self) -> None:
        quotas = "directories: [{kind: log, name: one, max_events_per_key: 1000, max_total_bytes: 16MiB, max_value_bytes: 64KiB}]"
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write(quotas)
            file.flush()
            self.overrun(file.name)

    def overrun(self, hub_file: str) -> None:
        with Stack("--hub-config", hub_file) as stack:
            loki = Loki(stack.ready["relay"])
            count = 20_000
            with loki.tail('{directory="one"}', limit=0) as tail:
                padding = "x" * 2000
                for first in range(0, count, 1000):  # far more than any socket's buffer, and nobody reads
                    stack.send(*(f"LOG one k {number} {padding}".encode() for number in range(first, first + 1000)))
                stack.send(b"LOG one k the end")
                lines, missed = 0, 0
                for message in tail:
                    lines += len(entries_of(message["streams"]))
                    missed += sum(gap["missed"] for gap in message["dropped_entries"] or [])
                    if any(entry.line == "the end" for entry in entries_of(message["streams"])):
                        break
            self.assertEqual(lines + missed, count + 1)
            self.assertGreater(missed, 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v"])
