"""`mayfly up` and `down` with the real programs: kills, hangs, busy ports, directories that are refused."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

import harness
from harness import BIN, Stack, process_exists, run_mayfly, wait_for

DAEMONS = ("hubd", "ingestd", "relayd")


def up_to_its_end(*arguments: str) -> subprocess.CompletedProcess:
    """For starts that must fail."""
    return subprocess.run([str(BIN / "mayfly"), "up", "--json", "--no-demo", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=harness.DEADLINE_S, check=False)


class ReadyLine(unittest.TestCase):
    def test_says_where_everything_is(self) -> None:
        with Stack() as stack:
            ready = stack.ready
            self.assertEqual(ready["runtime_dir"], stack.runtime_dir)
            self.assertRegex(ready["ingest"], r"^127\.0\.0\.1:\d+$")
            self.assertRegex(ready["redis"], r"^127\.0\.0\.1:\d+$")
            self.assertRegex(ready["relay"], r"^http://127\.0\.0\.1:\d+$")
            self.assertRegex(ready["hub"], r"^http://127\.0\.0\.1:\d+$")
            self.assertEqual(ready["ingest_unix"], stack.runtime_dir + "/ingest.sock")
            self.assertIsInstance(ready["off_disk"], bool)
            self.assertTrue(ready["server"])
            self.assertEqual(set(ready["pids"]), {"supervisor", *DAEMONS})
            self.assertEqual(ready["pids"]["supervisor"], stack.process.pid)
            for pid in ready["pids"].values():
                self.assertTrue(process_exists(pid))
            info = stack.info()
            for field in ready:
                self.assertEqual(info[field], ready[field], field)

    def test_modes_are_as_promised(self) -> None:
        runtime_dir = harness.make_runtime_dir()
        os.rmdir(runtime_dir)
        with Stack(runtime_dir=runtime_dir):
            root = pathlib.Path(runtime_dir)
            for name, mode in {"": 0o755, "mayfly.json": 0o644, "ingest.sock": 0o660, "relay.sock": 0o660,
                               "segments": 0o750, "segments/data": 0o640, "segments/control": 0o640,
                               "host.key": 0o600}.items():
                self.assertEqual((root / name).stat().st_mode & 0o777, mode, name)

    def test_none_opens_none(self) -> None:
        with Stack("--ingest-port", "none", "--redis-port", "none", "--relay-port", "none") as stack:
            for name in ("ingest", "redis", "relay"):
                self.assertIsNone(stack.ready[name])
            self.assertEqual(stack.mayfly("set", "web", "pid", "7").returncode, 0)
            self.assertEqual(stack.mayfly("get", "web", "pid").stdout, b"7")

    def test_without_a_hub_it_is_up_and_says_stop(self) -> None:
        with Stack("--no-hub") as stack:
            self.assertIsNone(stack.ready["hub"])
            self.assertNotIn("hubd", stack.ready["pids"])
            result = stack.mayfly("set", "web", "pid", "1")
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"STOP no-quotas", result.stderr)

    def test_two_in_different_places_coexist(self) -> None:
        with Stack() as one, Stack() as other:
            one.send(b"STATUS web which one")
            other.send(b"STATUS web which other")
            self.assertEqual(one.mayfly("get", "web", "which").stdout, b"one")
            self.assertEqual(other.mayfly("get", "web", "which").stdout, b"other")

    def test_sample_writers_write(self) -> None:
        with Stack(demo=True) as stack:
            wait_for("a sample line", lambda: b"load" in stack.mayfly("tail", "demo").stdout)
            wait_for("a sample value", lambda: stack.mayfly("get", "demo-status", "load-1m").returncode == 0)


class Restarts(unittest.TestCase):
    def test_each_daemon_killed_comes_back_and_service_goes_on(self) -> None:
        with Stack() as stack:
            for round_number, program in enumerate(DAEMONS):
                pid = stack.pid(program)
                os.kill(pid, signal.SIGKILL)
                exited = stack.wait_event("exited", program=program)
                self.assertEqual((exited["pid"], exited["signal"], exited["restart_in_ms"]), (pid, 9, 0))
                started = stack.wait_event("started", program=program)
                self.assertNotEqual(started["pid"], pid)
                self.assertEqual(stack.pid(program), started["pid"])
                stack.send(b"LOG demo round %d" % round_number)
            lines = stack.mayfly("tail", "demo", "--json").stdout.splitlines()
            self.assertEqual([json.loads(line)["line"] for line in lines], ["0", "1", "2"])

    def test_no_connection_is_refused_while_ingestd_restarts(self) -> None:
        with Stack() as stack:
            for i in range(20):
                os.kill(stack.pid("ingestd"), signal.SIGKILL)
                stack.send(b"LOG demo again %d" % i)
                stack.wait_event("started", program="ingestd")
            self.assertEqual(len(stack.mayfly("tail", "-n", "100", "demo").stdout.splitlines()), 20)

    def test_repeated_restarts_back_off(self) -> None:
        with Stack() as stack:
            delays = []
            for _ in range(4):
                os.kill(wait_for("relayd", lambda: stack.info()["pids"].get("relayd")), signal.SIGKILL)
                delays.append(stack.wait_event("exited", program="relayd")["restart_in_ms"])
                stack.wait_event("started", program="relayd")
            self.assertEqual(delays, [0, 100, 200, 400])

    def test_a_hanging_daemon_is_replaced(self) -> None:
        with Stack("--watchdog-ms", "1500") as stack:
            for program in DAEMONS:
                pid = stack.pid(program)
                os.kill(pid, signal.SIGSTOP)
                exited = stack.wait_event("exited", program=program)
                self.assertEqual((exited["pid"], exited["signal"]), (pid, 9))
                stack.wait_event("started", program=program)
            stack.send(b"LOG demo still here")


class Ends(unittest.TestCase):
    def test_sigterm_and_sigint_end_everything_and_keep_the_data(self) -> None:
        runtime_dir = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, runtime_dir, True)
        for number in (signal.SIGTERM, signal.SIGINT):
            with Stack(runtime_dir=runtime_dir, keep=True) as stack:
                stack.send(b"LOG demo by %d" % number)
                self.assertEqual(stack.stop(number), 0)
                self.assertEqual(stack.wait_event("stopping")["event"], "stopping")
                self.assertFalse(any(process_exists(pid) for pid in stack.ready["pids"].values()))
                self.assertFalse(os.path.exists(runtime_dir + "/ingest.sock"))
        lines = run_mayfly("tail", "demo", runtime_dir=runtime_dir).stdout.splitlines()
        self.assertEqual([line.split()[-1] for line in lines], [b"15", b"2"])

    def test_a_stopped_daemon_does_not_hold_up_the_end(self) -> None:
        with Stack() as stack:
            os.kill(stack.pid("relayd"), signal.SIGSTOP)
            self.assertEqual(stack.stop(), 0)
            self.assertFalse(any(process_exists(pid) for pid in stack.ready["pids"].values()))

    def test_down_ends_it_from_elsewhere(self) -> None:
        with Stack(keep=True) as stack:
            self.addCleanup(shutil.rmtree, stack.runtime_dir, True)
            result = stack.mayfly("down", "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["pid"], stack.process.pid)
            self.assertEqual(stack.process.wait(timeout=harness.DEADLINE_S), 0)
            self.assertTrue(os.path.exists(stack.runtime_dir + "/segments/data"))
            self.assertEqual(stack.mayfly("down").returncode, 1)
            self.assertEqual(stack.mayfly("down", "--purge").returncode, 0)
            self.assertFalse(os.path.exists(stack.runtime_dir))

    def test_killed_supervisor_leaves_no_orphans_and_a_new_one_takes_over(self) -> None:
        runtime_dir = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, runtime_dir, True)
        ports: list[str] = []
        for round_number in range(3):
            with Stack(*ports, runtime_dir=runtime_dir, keep=True) as stack:
                ports = [part for name in ("ingest", "redis", "relay", "hub")
                         for part in (f"--{name}-port", str(stack.port(name)))]
                stack.send(b"LOG demo round %d" % round_number)
                if round_number == 1:
                    os.kill(stack.pid("relayd"), signal.SIGSTOP)
                stack.process.kill()
                stack.process.wait()
                # At once, while the daemons are still dying: the next round takes over.
        wait_for("no orphans", lambda: not any(process_exists(pid) for pid in stack.ready["pids"].values()))
        lines = run_mayfly("tail", "demo", runtime_dir=runtime_dir).stdout.splitlines()
        self.assertEqual([line.split()[-1] for line in lines], [b"0", b"1", b"2"])

    def test_everything_killed_at_once(self) -> None:
        runtime_dir = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, runtime_dir, True)
        for round_number in range(3):
            with Stack(runtime_dir=runtime_dir, keep=True) as stack:
                stack.send(b"LOG demo round %d" % round_number)
                for pid in stack.ready["pids"].values():
                    os.kill(pid, signal.SIGKILL)
                stack.process.wait()
        with Stack(runtime_dir=runtime_dir, keep=True) as stack:
            self.assertEqual(len(stack.mayfly("tail", "demo").stdout.splitlines()), 3)
            self.assertEqual(stack.mayfly("inspect", "--verify").returncode, 0)


class Refusals(unittest.TestCase):
    def refused(self, directory: str, word: str) -> None:
        result = up_to_its_end("--runtime-dir", directory, "--ingest-port", "0", "--redis-port", "0", "--relay-port",
                               "0", "--hub-port", "0")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn(word, result.stderr)
        self.assertEqual(result.stdout, "")

    def test_directories_that_cannot_be_trusted(self) -> None:
        directory = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, directory, True)
        os.symlink(directory, directory + "/link")
        self.refused(directory + "/link", "symlink")
        self.refused(directory + "/link/", "symlink")
        os.mkdir(directory + "/open")
        os.chmod(directory + "/open", 0o777)
        self.refused(directory + "/open", "writable for others")
        pathlib.Path(directory + "/file").write_text("")
        self.refused(directory + "/file", directory + "/file")
        self.refused(directory + "/" + "x" * 200, "too long")
        if os.geteuid() == 0:
            os.mkdir(directory + "/foreign")
            os.chown(directory + "/foreign", 65534, 65534)
            self.refused(directory + "/foreign", "belongs to user 65534")

    def test_a_disk(self) -> None:
        with tempfile.TemporaryDirectory(dir=pathlib.Path(__file__).parent) as directory:
            filesystem = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True,
                                        check=True).stdout.strip()
            if filesystem in ("tmpfs", "ramfs"):
                self.skipTest("the sources lie in memory")
            self.refused(directory, "not memory-backed")

    def test_a_busy_port_is_named(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            for name in ("ingest", "redis", "relay", "hub"):
                directory = harness.make_runtime_dir()
                self.addCleanup(shutil.rmtree, directory, True)
                flags = {other: "0" for other in ("ingest", "redis", "relay", "hub")} | {name: port}
                result = up_to_its_end("--runtime-dir", directory,
                                       *(part for key, value in flags.items() for part in (f"--{key}-port", value)))
                self.assertEqual(result.returncode, 1)
                self.assertIn(port, result.stderr)
                self.assertIn(f"--{name}-port", result.stderr)

    def test_a_second_one_in_the_same_place(self) -> None:
        with Stack() as stack:
            result = up_to_its_end("--runtime-dir", stack.runtime_dir)
            self.assertEqual(result.returncode, 1)
            self.assertIn(str(stack.process.pid), result.stderr)
            stack.send(b"LOG demo unharmed yes")

    def test_a_wrong_hub_file(self) -> None:
        directory = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, directory, True)
        hub_file = directory + "-hub.yaml"
        self.addCleanup(os.unlink, hub_file)
        pathlib.Path(hub_file).write_text("directories:\n  - {kind: log, name: demo, max_keys: -1}\n")
        result = up_to_its_end("--runtime-dir", directory, "--hub-config", hub_file, "--ingest-port", "0",
                               "--redis-port", "0", "--relay-port", "0", "--hub-port", "0")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn(hub_file + ":2:", result.stderr)

    def test_wrong_flags(self) -> None:
        for flags in (["--ingest-port", "70000"], ["--ingest-port", "x"], ["--memory", "lots"], ["--workers", "0"],
                      ["--unheard-of"]):
            self.assertEqual(up_to_its_end(*flags).returncode, 2, flags)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
