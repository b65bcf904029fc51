"""Clocks that jump while everything runs: the wall clock by an hour either way, a suspend (boot time goes on, the
monotonic clock does not), a host whose clock says 2106. The programs' clocks are the test's (shift_clock.cpp)."""

import calendar
import datetime
import json
import mmap
import os
import pathlib
import struct
import sys
import tempfile
import time
import unittest
import unittest.mock

import reading
from harness import Stack, wait_for

HOUR_NS = 3600 * 10**9
QUOTAS = ("directories:\n"
          "  - {kind: log, name: day}\n"
          "  - {kind: log, name: hour, max_age: 1h}\n"
          "  - {kind: status, name: state, max_age: 1h}\n")


class Clocks:
    """What the programs' clocks are ahead by, in nanoseconds."""

    def __init__(self) -> None:
        with tempfile.NamedTemporaryFile(prefix="mayfly-clocks-", dir="/dev/shm", delete=False) as file:
            file.write(bytes(24))
            self.path = file.name
            file.flush()
            self.map = mmap.mmap(file.fileno(), 24)

    def close(self) -> None:
        self.map.close()
        os.unlink(self.path)

    def shift(self, wall: int = 0, boot: int = 0, mono: int = 0) -> None:
        """By so much more than now."""
        for place, more in enumerate((wall, boot, mono)):
            struct.pack_into("<q", self.map, 8 * place, struct.unpack_from("<q", self.map, 8 * place)[0] + more)

    def suspend(self, ns: int) -> None:
        """As a host that slept: no process saw it but by these two."""
        self.shift(wall=ns, boot=ns)

    def wall_ns(self) -> int:
        return time.time_ns() + struct.unpack_from("<q", self.map)[0]


def to_ns(text: str) -> int:
    """RFC 3339 with nanoseconds, without a floating point number on the way."""
    seconds = calendar.timegm(datetime.datetime.strptime(text[:19], "%Y-%m-%dT%H:%M:%S").timetuple())
    return seconds * 10**9 + int(text[20:29])


class Time(unittest.TestCase):
    def setUp(self) -> None:
        if os.environ.get("MAYFLY_SANITIZED"):
            self.skipTest("the sanitizer must be loaded first")
        self.clocks = Clocks()
        self.addCleanup(self.clocks.close)
        library = pathlib.Path(os.environ["MAYFLY_TESTS"]) / "shift_clock.so"
        # For all that is started from here, the command line too.
        self.enterContext(unittest.mock.patch.dict(os.environ, LD_PRELOAD=str(library), CLOCK_SHIFTS=self.clocks.path))
        hub_file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(hub_file.close)
        hub_file.write(QUOTAS)
        hub_file.flush()
        self.hub_file = hub_file.name

    def start(self) -> Stack:
        return self.enterContext(Stack("--hub-config", self.hub_file))

    def lines(self, stack: Stack, path: str) -> list[str]:
        return [record["line"] for record in self.records(stack, path)]

    def records(self, stack: Stack, path: str) -> list[dict]:
        answer = reading.get(stack.ready["relay"], path)
        self.assertEqual(answer.status, 200, answer.body)
        return [json.loads(line) for line in answer.body.decode().splitlines()]

    def directory(self, stack: Stack, name: str) -> dict:
        answer = reading.get(stack.ready["relay"], "/api/v1/directories")
        return next(entry for entry in json.loads(answer.body)["directories"] if entry["name"] == name)

    def assert_accounted(self, stack: Stack) -> None:
        for name in ("day", "hour", "state"):
            entry = self.directory(stack, name)
            self.assertEqual(entry["stored"], entry["records"] + entry["replaced"] + sum(entry["evicted"].values()), entry)

    def assert_nobody_was_replaced(self, stack: Stack, pids: dict) -> None:
        self.assertEqual(stack.info()["pids"], pids)
        self.assertEqual([event for event in stack.events if event["event"] == "exited"], [])

    def test_the_wall_clock_steps_ahead_and_back(self) -> None:
        stack = self.start()
        pids = stack.info()["pids"]
        stack.send(b"LOG day k one", b"LOG hour k one", b"STATUS state s one")
        self.clocks.shift(wall=HOUR_NS)
        stack.send(b"LOG day k two", b"LOG hour k two")
        first, second = self.records(stack, "/api/v1/logs/day")
        self.assertGreaterEqual(to_ns(second["time"]) - to_ns(first["time"]), HOUR_NS)
        self.assertEqual(self.lines(stack, "/api/v1/logs/day?since=30m"), ["two"])
        # An hour of wall clock is no age: nothing of it is due.
        self.assertEqual(self.lines(stack, "/api/v1/logs/hour"), ["one", "two"])

        self.clocks.shift(wall=-2 * HOUR_NS)
        stack.send(b"LOG day k three", b"LOG hour k three", b"STATUS state s two")
        times = [to_ns(record["time"]) for record in self.records(stack, "/api/v1/logs/day")]
        self.assertEqual(self.lines(stack, "/api/v1/logs/day"), ["one", "two", "three"])  # the order of arrival
        self.assertLess(times[2], times[0])  # set back by more than a second: as the clock says
        self.assertIn("three", self.lines(stack, "/api/v1/logs/day?since=30m"))
        self.assertEqual(self.lines(stack, "/api/v1/logs/hour"), ["one", "two", "three"])
        tail = stack.mayfly("tail", "day", "--since", "30m")
        self.assertIn(b"three", tail.stdout)
        status = json.loads(reading.get(stack.ready["relay"], "/api/v1/status/state").body)["keys"][0]
        self.assertEqual(status["value"], "two")
        self.assertLess(status["age_ms"], 10 * 60 * 1000)  # by the boot-time clock
        self.assert_accounted(stack)
        self.assert_nobody_was_replaced(stack, pids)

    def test_a_small_step_back_keeps_the_times_in_order(self) -> None:
        stack = self.start()
        stack.send(b"LOG day k one")
        self.clocks.shift(wall=-900 * 10**6)
        stack.send(b"LOG day k two", b"LOG day k three")
        times = [to_ns(record["time"]) for record in self.records(stack, "/api/v1/logs/day")]
        self.assertEqual(len(times), 3)
        if times[1] != times[0] + 1:  # the second line took longer than the step
            self.skipTest("too slow a machine for a step of under a second")
        self.assertEqual(times[2], times[0] + 2)

    def test_a_suspend_ages_records_and_replaces_nobody(self) -> None:
        stack = self.start()
        pids = stack.info()["pids"]
        stack.send(b"LOG day k one", b"LOG hour k one", b"STATUS state s one")
        self.clocks.suspend(2 * HOUR_NS)
        # Due: never shown, whether or not the writer has been there.
        self.assertEqual(self.lines(stack, "/api/v1/logs/hour"), [])
        self.assertEqual(json.loads(reading.get(stack.ready["relay"], "/api/v1/status/state").body)["keys"], [])
        self.assertEqual(self.directory(stack, "hour")["evicted"], {"age": 1})
        self.assertEqual(self.lines(stack, "/api/v1/logs/day"), ["one"])
        self.assert_accounted(stack)
        stack.send(b"LOG hour k two", b"LOG day k two")
        self.assertEqual(self.lines(stack, "/api/v1/logs/hour"), ["two"])
        self.assertEqual(self.lines(stack, "/api/v1/logs/day?since=1h"), ["two"])
        self.assertEqual(stack.mayfly("get", "state").stdout, b"")
        self.assertEqual(stack.mayfly("inspect", "--verify").returncode, 0)
        self.assert_accounted(stack)
        self.assert_nobody_was_replaced(stack, pids)
        self.assertEqual(reading.get(stack.ready["relay"], "/readyz").status, 200)

    def test_a_host_in_2106(self) -> None:
        seconds = 2**32 - 5  # 2106-02-07: then 32 bits without a sign are over
        self.clocks.shift(wall=seconds * 10**9 - time.time_ns())
        stack = self.start()
        stack.send(b"LOG day k before", b"STATUS state s 1")
        wait_for("2106-02-07T06:28:16Z", lambda: self.clocks.wall_ns() > 2**32 * 10**9)
        stack.send(b"LOG day k after")
        records = self.records(stack, "/api/v1/logs/day")
        self.assertEqual([record["line"] for record in records], ["before", "after"])
        self.assertTrue(records[0]["time"].startswith("2106-02-07T06:28:"), records)
        self.assertGreaterEqual(to_ns(records[1]["time"]), 2**32 * 10**9)
        self.assertEqual(self.lines(stack, f"/api/v1/logs/day?since={2**32}"), ["after"])
        self.assertEqual(self.lines(stack, "/api/v1/logs/day?since=2106-02-07T06:28:16Z"), ["after"])
        self.assertEqual(self.lines(stack, f"/api/v1/logs/day?until={2**32}"), ["before"])
        self.assertEqual(self.lines(stack, "/api/v1/logs/day?since=1h"), ["before", "after"])
        metrics = reading.get(stack.ready["relay"], "/metrics").body.decode()
        self.assertRegex(metrics, r'mayfly_status_last_write_timestamp_seconds\{[^}]*\} 42949672\d\d')
        query = reading.get(stack.ready["relay"], "/loki/api/v1/query_range?query=%7Bdirectory%3D%22day%22%7D&since=1h")
        values = json.loads(query.body)["data"]["result"][0]["values"]
        self.assertEqual(sorted(line for _, line in values), ["after", "before"])
        self.assertTrue(all(int(ns) > (2**32 - 60) * 10**9 for ns, _ in values), values)
        tail = stack.mayfly("tail", "day", "--json")
        self.assertIn(b"2106-02-07T06:28:", tail.stdout)
        self.assertTrue(stack.ready["time"].startswith("2106-02-07T06:28:"), stack.ready)
        through_hub = reading.get(stack.ready["hub"], f"/frontend/servers/{stack.ready['server']}/api/v1/logs/day")
        self.assertEqual(len(through_hub.body.splitlines()), 2, through_hub.body)
        self.assert_accounted(stack)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
