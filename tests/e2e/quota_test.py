"""Quotas on their way from the hub's file to what ingestd enforces."""

import os
import signal
import sys
import time
import unittest

import reading
from harness import wait_for
from hub_case import Native, WithHub, entry


class Changes(WithHub):
    def test_in_force_within_a_second(self) -> None:
        """Times are printed, not judged: machines that run tests are busy with other things too."""
        self.start(entry("demo", max_keys=1000))
        self.stack.send(b"LOG demo k line")
        pid, versions, times = self.stack.pid("ingestd"), set(), []
        for i in range(int(os.environ.get("MAYFLY_QUOTA_CHANGES", 20))):
            begin = time.monotonic()
            self.hub.write(entry("demo", max_keys=1001 + i))
            self.wait_quota("max_keys", 1001 + i)
            times.append(time.monotonic() - begin)
            # The version is published when all directories have their new quotas, so a moment later.
            version = lambda: reading.inspect(self.stack)["quota_version"]
            wait_for("another version", lambda seen=frozenset(versions): version() not in seen)
            versions.add(version())
        print(f"{len(times)} quota changes: from the hub's file to the data segment in {min(times) * 1000:.0f} ms to "
              f"{max(times) * 1000:.0f} ms, median {sorted(times)[len(times) // 2] * 1000:.0f} ms", file=sys.stderr)
        self.assertEqual(len(versions), len(times))
        self.assertEqual(self.stack.pid("ingestd"), pid)
        self.assertEqual(self.lines(), ["line"])

    def test_a_lowered_quota_evicts_at_once_and_a_raised_one_revives_nothing(self) -> None:
        both = lambda **quotas: entry("demo", **quotas) + entry("web", "status", max_keys=quotas["max_keys"])
        self.start(both(max_events_per_key=1000, max_keys=1000))
        self.stack.send(*(b"LOG demo k%d %d" % (i % 2, i) for i in range(200)),
                        *(b"STATUS web k%d v" % i for i in range(100)))
        self.hub.write(both(max_events_per_key=10, max_keys=1000))
        demo = self.wait_quota("max_events_per_key", 10)
        self.assertEqual((demo["records"], demo["evicted"]), (20, {"quota_lowered": 180}))
        self.assertEqual(self.lines(), [str(i) for i in range(180, 200)])
        self.hub.write(both(max_events_per_key=10, max_keys=1))
        demo = self.wait_quota("max_keys", 1)
        self.assertEqual((demo["records"], demo["evicted"]), (10, {"quota_lowered": 190}))
        web = self.wait_quota("max_keys", 1, "web", "status")
        self.assertEqual((web["records"], web["evicted"]), (1, {"quota_lowered": 99}))
        self.hub.write(both(max_events_per_key=1000, max_keys=1000))
        demo = self.wait_quota("max_events_per_key", 1000)
        self.assertEqual((demo["records"], demo["evicted"]), (10, {"quota_lowered": 190}))
        self.assertEqual(self.lines(), [str(i) for i in range(181, 200, 2)])
        self.assertEqual(reading.imbalances(reading.directories(self.stack)), [])

    def test_extreme_quotas(self) -> None:
        self.start(entry("demo"))
        self.stack.send(b"LOG demo k line")
        numbers = [0, 1, *(2**bits + more for bits in (31, 32) for more in (-1, 0, 1)), 2**63, 2**64 - 1]
        for quota in ("max_keys", "max_key_bytes", "max_value_bytes", "max_total_bytes", "max_events_per_key"):
            for number in numbers:
                self.hub.write(entry("demo", **{quota: number}))
                self.wait_quota(quota, number)
                self.stack.send(b"LOG demo k " + str(number).encode())
                if number >= 2**31 - 1:
                    self.assertEqual(self.lines()[-1], str(number), quota)
        self.assertEqual(reading.imbalances(reading.directories(self.stack)), [])
        self.assertEqual(self.stack.mayfly("inspect", "--verify").returncode, 0)

    def test_paused(self) -> None:
        self.start(entry("demo"))
        self.stack.send(b"LOG demo k before")
        with Native(self.stack) as native:
            self.assertEqual(native.line(), b"+GO\r\n")
            self.hub.write(entry("demo"), paused=True)
            self.assertRegex(native.line(), rb"^-STOP paused.*\r\n$")
            native.say(b"LOG demo k during", b"PING")
            self.assertEqual(native.line(), b"+PONG\r\n")
            self.assertEqual(native.dropped(), {"stopped": 1})
            with Native(self.stack) as late:
                self.assertRegex(late.line(), rb"^-STOP paused")
            self.hub.write(entry("demo"))
            self.assertEqual(native.line(), b"+GO\r\n")
            native.say(b"LOG demo k after", b"PING")
            self.assertEqual(native.line(), b"+PONG\r\n")
        self.assertEqual(self.lines(), ["before", "after"])
        self.assertEqual(reading.directories(self.stack)["unknown"]["dropped"]["stopped"], 1)

    def test_a_broken_file_changes_nothing(self) -> None:
        self.start(entry("demo", max_keys=7))
        self.stack.send(b"LOG demo k line")
        version = self.directory()["quota_version"]
        for i, value in enumerate(("many", "-1", "unlimited", "", "18446744073709551616", "010", "1.5", '"5"')):
            text = self.hub.file.read_text()
            self.hub.write(f"  - kind: log\n    name: demo\n    max_keys: {value}\n")
            line = self.hub.file.read_text().splitlines().index(f"    max_keys: {value}") + 1
            wait_for(f"the refusal of {value!r}",
                     lambda: self.hub.log_text().count("refused as a whole") == i + 1)
            refusal = [one for one in self.hub.log_text().splitlines() if "refused as a whole" in one][-1]
            self.assertRegex(refusal, rf"hub\.yaml:{line}:\d+:")
            self.hub.write_raw(text)
            wait_for("the old file again", lambda: self.hub.log_text().count("configuration read again") == i + 1)
        self.assertEqual((self.directory()["quota_version"], self.directory()["quotas"]["max_keys"]), (version, 7))
        self.hub.write_raw("directories: [")
        wait_for("the refusal", lambda: self.hub.log_text().count("refused as a whole") == 9)
        self.service_goes_on()
        self.hub.write(entry("demo", max_keys=8))
        self.wait_quota("max_keys", 8)


class Removals(WithHub):
    def setUp(self) -> None:
        self.start(entry("demo") + entry("other"))
        self.stack.send(b"LOG demo k old", b"LOG other k stays")

    def other_is_unharmed(self) -> None:
        answer = reading.get(self.stack.ready["relay"], "/api/v1/logs/other")
        self.assertEqual([one["line"] for one in answer.lines()], ["stays"])

    def demo_begins_anew(self) -> None:
        wait_for("an empty demo", lambda: reading.directories(self.stack)["removed"]["evicted"])
        state = reading.directories(self.stack)
        self.assertEqual(state["removed"]["evicted"], {"directory_removed": 1})
        self.assertEqual(reading.imbalances(state), [])
        self.stack.send(b"LOG demo k new")
        self.assertEqual(self.lines(), ["new"])
        self.other_is_unharmed()

    def test_while_all_is_well(self) -> None:
        self.hub.write(entry("other"))
        wait_for("the removal", lambda: self.directory() is None)
        self.assertEqual(reading.get(self.stack.ready["relay"], "/api/v1/logs/demo").status, 404)
        self.stack.send(b"LOG demo k nowhere")
        self.assertEqual(reading.directories(self.stack)["unknown"]["dropped"]["unknown_directory"], 1)
        self.hub.write(entry("demo") + entry("other"))
        self.wait_published({"demo", "other"})
        wait_for("demo", lambda: reading.get(self.stack.ready["relay"], "/api/v1/logs/demo").status == 200)
        self.demo_begins_anew()

    def test_while_ingestd_is_down(self) -> None:
        os.kill(self.stack.pid("ingestd"), signal.SIGSTOP)
        self.hub.write(entry("other"))
        self.wait_published({"other"})
        self.restart("ingestd")
        wait_for("the removal", lambda: self.directory() is None)
        self.other_is_unharmed()

    def test_and_back_while_ingestd_is_down(self) -> None:
        os.kill(self.stack.pid("ingestd"), signal.SIGSTOP)
        self.hub.write(entry("other"))
        self.wait_published({"other"})
        self.hub.write(entry("demo") + entry("other"))
        self.wait_published({"demo", "other"})
        self.restart("ingestd")
        self.demo_begins_anew()

    def test_and_back_while_relayd_is_killed_in_between(self) -> None:
        os.kill(self.stack.pid("ingestd"), signal.SIGSTOP)
        self.hub.write(entry("other"))
        self.wait_published({"other"})
        self.restart("relayd")
        self.hub.write(entry("demo") + entry("other"))
        self.wait_published({"demo", "other"})
        self.restart("relayd")
        self.restart("ingestd")
        self.demo_begins_anew()

    def test_a_lost_control_segment_removes_nothing(self) -> None:
        """Only a complete answer of the hub does."""
        self.hub.stop()
        os.unlink(self.stack.runtime_dir + "/segments/control")
        self.restart("relayd")
        self.restart("ingestd")
        self.hub.start()
        wait_for("the list", lambda: self.control()["rules"])
        with Native(self.stack) as native:
            wait_for("service", lambda: native.line() == b"+GO\r\n")
        self.assertEqual(self.lines(), ["old"])
        self.other_is_unharmed()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
