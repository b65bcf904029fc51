"""The command line against the real programs: writing, reading, following, load."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import unittest

import harness
from harness import BIN, Stack, run_mayfly, wait_for


class Writing(unittest.TestCase):
    def test_values_of_any_bytes_come_back(self) -> None:
        with Stack() as stack:
            for value in ("1", "", "-5", "--not-ours", "a  b", "two\nlines", "\xe4\xb6"):
                self.assertEqual(stack.mayfly("set", "web", "key", value).returncode, 0, value)
                self.assertEqual(stack.mayfly("get", "web", "key").stdout, value.encode())
            self.assertEqual(stack.mayfly("set", "--", "web", "key", "--json").returncode, 0)
            self.assertEqual(stack.mayfly("get", "web", "key").stdout, b"--json")
            self.assertEqual(stack.mayfly("unset", "web", "key").returncode, 0)
            self.assertEqual(stack.mayfly("get", "web", "key").returncode, 1)

    def test_standard_input_line_by_line(self) -> None:
        with Stack() as stack:
            lines = b"".join(b"line %d \x00\xff\n" % i for i in range(1000)) + b"without an end"
            self.assertEqual(stack.mayfly("log", "build", "make", input=lines).returncode, 0)
            stored = stack.mayfly("tail", "build", "make", "-n", "5000", "--raw").stdout
            self.assertEqual(stored.count(b"\n"), 1001)
            self.assertTrue(stored.endswith(b" make without an end\n"))

    def test_a_flood_of_short_lines_is_sent_whole(self) -> None:
        with Stack() as stack:
            result = stack.mayfly("log", "--json", "build", "make", input=b"".join(b"%d\n" % i for i in range(500_000)))
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["stored"], 500_000)

    def test_a_line_is_sent_as_soon_as_it_is_there(self) -> None:
        with Stack() as stack:
            with subprocess.Popen([BIN / "mayfly", "log", "--runtime-dir", stack.runtime_dir, "build", "make"],
                                  stdin=subprocess.PIPE) as log:
                log.stdin.write(b"first\n")
                log.stdin.flush()
                wait_for("the first line", lambda: b"first" in stack.mayfly("tail", "build").stdout)
                log.stdin.close()
                self.assertEqual(log.wait(timeout=harness.DEADLINE_S), 0)

    def test_drops_are_told(self) -> None:
        with Stack() as stack:
            result = stack.mayfly("set", "web", "k" * 2000, "v")
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"not sent", result.stderr)
            self.assertIn(b"key_too_long", result.stderr)
            result = stack.mayfly("log", "build", "make", input=b"short\n" + b"x" * 5000 + b"\nshort\n")
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"1 dropped (value_too_long)", result.stderr)
            self.assertEqual(stack.mayfly("tail", "build").stdout.count(b"short"), 2)

    def test_where_nothing_is_up_input_is_drained_all_the_same(self) -> None:
        runtime_dir = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, runtime_dir, True)
        result = run_mayfly("log", "build", "make", runtime_dir=runtime_dir, input=b"line\n" * 200_000)
        self.assertEqual(result.returncode, 1)
        self.assertIn(b"not sent", result.stderr)
        self.assertEqual(run_mayfly("set", "a", "b", "c", runtime_dir=runtime_dir).returncode, 1)

    def test_a_stopped_server_never_holds_up_the_pipe(self) -> None:
        with Stack("--watchdog-ms", "600000") as stack:
            pid = stack.pid("ingestd")
            os.kill(pid, signal.SIGSTOP)
            try:
                result = stack.mayfly("log", "build", "make", input=b"x" * 1000 + b"\n" + b"line\n" * 2_000_000)
            finally:
                os.kill(pid, signal.SIGCONT)
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"not sent", result.stderr)

    def test_an_address_by_environment(self) -> None:
        with Stack() as stack:
            env = dict(os.environ, MAYFLY_ADDR=stack.ready["ingest"], RUNTIME_DIRECTORY="/nowhere")
            subprocess.run([BIN / "mayfly", "set", "web", "by", "address"], env=env, check=True,
                           timeout=harness.DEADLINE_S)
            self.assertEqual(stack.mayfly("get", "web", "by").stdout, b"address")

    def test_a_stream_survives_restarts_of_ingestd(self) -> None:
        with Stack("--backoff-max-ms", "50") as stack:
            with subprocess.Popen([BIN / "mayfly", "log", "--runtime-dir", stack.runtime_dir, "build", "make"],
                                  stdin=subprocess.PIPE, stderr=subprocess.PIPE) as log:
                for i in range(5):
                    log.stdin.write(b"round %d\n" % i)
                    log.stdin.flush()
                    wait_for("the line", lambda: b"round %d" % i in stack.mayfly("tail", "build").stdout)
                    os.kill(stack.pid("ingestd"), signal.SIGKILL)
                    stack.wait_event("started", program="ingestd")
                log.stdin.close()
                log.wait(timeout=harness.DEADLINE_S)
            self.assertEqual(stack.mayfly("tail", "build").stdout.count(b"round"), 5)


class Following(unittest.TestCase):
    def follow(self, stack: Stack, *arguments: str) -> tuple[subprocess.Popen, list[bytes]]:
        process = subprocess.Popen([BIN / "mayfly", "tail", "--runtime-dir", stack.runtime_dir, "-f", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        collected: list[bytes] = []
        reader = threading.Thread(target=self.collect, args=(process, collected), daemon=True)
        reader.start()
        self.addCleanup(self.end, process, reader)
        return process, collected

    @staticmethod
    def collect(process: subprocess.Popen, into: list[bytes]) -> None:
        for line in process.stdout:
            into.append(line)

    @staticmethod
    def end(process: subprocess.Popen, reader: threading.Thread) -> None:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()

    def test_shows_what_comes_also_in_a_directory_that_is_not_there_yet(self) -> None:
        with Stack() as stack:
            _, lines = self.follow(stack, "demo")
            stack.send(b"LOG demo hello world")
            wait_for("the line", lambda: any(line.endswith(b" hello world\n") for line in lines))

    def test_goes_on_when_every_daemon_was_killed_and_when_the_segment_is_new(self) -> None:
        with Stack() as stack:
            stack.send(b"LOG demo k before")
            _, lines = self.follow(stack, "demo")
            wait_for("the old line", lambda: any(b"before" in line for line in lines))
            os.kill(stack.pid("ingestd"), signal.SIGKILL)
            stack.wait_event("started", program="ingestd")
            stack.send(b"LOG demo k after")
            wait_for("the new line", lambda: any(b"after" in line for line in lines))
            self.assertEqual(sum(b"before" in line for line in lines), 1)

    def test_counts_what_was_missed(self) -> None:
        with Stack() as stack:
            stack.send(b"LOG demo k first")
            process, lines = self.follow(stack, "demo", "--json")
            wait_for("the first line", lambda: lines)
            os.kill(process.pid, signal.SIGSTOP)
            stack.send(*(b"LOG demo k %d" % i for i in range(5000)))
            os.kill(process.pid, signal.SIGCONT)
            wait_for("the last line", lambda: b'"4999"' in lines[-1])
            objects = [json.loads(line) for line in lines]
            missed = sum(one["gap"]["missed"] for one in objects if "gap" in one)
            shown = sum("line" in one for one in objects)
            self.assertGreater(missed, 0)
            self.assertEqual(shown + missed, 5001)

    def test_through_the_relay(self) -> None:
        with Stack() as stack:
            stack.send(b"LOG demo k one", b"LOG demo other two", b"STATUS web pid 123")
            url = ("--url", stack.ready["relay"])
            tail = stack.mayfly(*url, "tail", "demo", "k")
            self.assertEqual(tail.returncode, 0, tail.stderr)
            self.assertTrue(tail.stdout.endswith(b" k one\n"))
            self.assertEqual(stack.mayfly(*url, "get", "web", "pid").stdout, b"123")
            self.assertIn(b"demo", stack.mayfly(*url, "ls").stdout)
            self.assertEqual(stack.mayfly(*url, "status").returncode, 0)
            self.assertEqual(stack.mayfly(*url, "tail", "nowhere/at all").returncode, 1)
            for command in (("tail", "demo", "--json"), ("ls", "--json")):
                self.assertEqual([json.loads(line) for line in stack.mayfly(*url, *command).stdout.splitlines()],
                                 [json.loads(line) for line in stack.mayfly(*command).stdout.splitlines()])


class Health(unittest.TestCase):
    def test_status_and_doctor(self) -> None:
        with Stack() as stack:
            status = stack.mayfly("status", "--json")
            self.assertEqual(status.returncode, 0, status.stderr)
            self.assertTrue(json.loads(status.stdout)["ok"])
            self.assertIn(b"mayfly is well", stack.mayfly("status").stdout)
            checks = [json.loads(line) for line in stack.mayfly("doctor", "--json").stdout.splitlines()]
            by_name = {check["check"]: check for check in checks}
            for name in ("memory-backed", "open-files", "space", "runtime-directory", "daemons", "segment"):
                self.assertTrue(by_name[name]["ok"], by_name[name])
            self.assertEqual(by_name["memory-backed"]["detail"], "tmpfs")
            os.kill(stack.process.pid, signal.SIGTERM)
            stack.process.wait(timeout=harness.DEADLINE_S)
            self.assertEqual(stack.mayfly("doctor").returncode, 1)
            self.assertEqual(stack.mayfly("status").returncode, 1)

    def test_inspect_live_dead_and_copied(self) -> None:
        with Stack(keep=True) as stack:
            self.addCleanup(shutil.rmtree, stack.runtime_dir, True)
            stack.send(b"LOG demo k line", b"STATUS web a 1")
            data = pathlib.Path(stack.runtime_dir) / "segments" / "data"

            def check(*arguments: str) -> None:
                result = stack.mayfly("inspect", *arguments, "--verify", "--records")
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                head, *records = [json.loads(line) for line in result.stdout.splitlines()]
                self.assertEqual(head["verify"], {"ok": True, "errors": []})
                self.assertEqual(len(records), 2)

            for arguments in ((), (stack.runtime_dir,), (str(data.parent),), (str(data),)):
                check(*arguments)
            stack.stop(signal.SIGKILL)
            check()
            shutil.copy(data, data.parent / "copy")
            check(str(data.parent / "copy"))
            with open(data.parent / "copy", "r+b") as copy:
                copy.seek(4096)
                copy.write(os.urandom(200_000))
            result = stack.mayfly("inspect", str(data.parent / "copy"), "--verify")
            self.assertEqual(result.returncode, 1)
            control = json.loads(stack.mayfly("inspect", str(data.parent / "control")).stdout)
            self.assertEqual(control["segment"], "control")

    def test_top_shows_rates(self) -> None:
        with Stack() as stack:
            stack.send(*(b"LOG demo k %d" % i for i in range(100)))
            result = stack.mayfly("top", "--rounds", "1", "--interval", "0.1", "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout.splitlines()[0])["name"], "demo")


class Load(unittest.TestCase):
    def load(self, stack: Stack, *arguments: str) -> dict:
        result = stack.mayfly("load", "--json", *arguments, timeout=300)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return json.loads(result.stdout)

    def test_everything_is_accounted_for(self) -> None:
        with Stack() as stack:
            for kind in ("log", "status"):
                report = self.load(stack, "--kind", kind, "--records", "50000", "--connections", "8", "--keys", "50",
                                   "--directories", "2")
                self.assertEqual((report["sent"], report["unknown"], report["accounted"]), (50000, 0, True))
                self.assertEqual(report["stored"], 50000)
                self.assertGreater(report["visible_us"]["samples"], 0)

    def test_every_dialect_is_accounted_for(self) -> None:
        with Stack() as stack:
            for dialect, kind in (("inline", "log"), ("redis", "log"), ("redis", "status")):
                report = self.load(stack, "--dialect", dialect, "--kind", kind, "--records", "20000", "--threads", "2")
                self.assertEqual((report["sent"], report["stored"], report["unknown"]), (20000, 20000, 0), report)
                self.assertEqual(report["stored_in_segment"], 20000)
            report = self.load(stack, "--dialect", "redis", "--records", "1000", "--size", "2000")
            self.assertEqual(report["dropped"], {"value_too_long": 1000})

    def test_it_says_what_held_it_back(self) -> None:
        with Stack() as stack:
            self.assertEqual(self.load(stack, "--rate", "1000", "--seconds", "0.5")["limited_by"], "rate")
            report = self.load(stack, "--seconds", "0.5")
            self.assertIn(report["limited_by"], ("server", "this_program", "machine"))
            self.assertGreater(report["shares"]["server"], 0)

    def test_drops_are_counted_by_cause(self) -> None:
        with Stack() as stack:
            report = self.load(stack, "--records", "1000", "--size", "2000")
            self.assertEqual(report["dropped"]["value_too_long"], 1000)
            self.assertEqual((report["stored"], report["accounted"]), (0, True))

    def test_a_rate_is_kept(self) -> None:
        with Stack() as stack:
            report = self.load(stack, "--rate", "1000", "--records", "500")
            self.assertGreaterEqual(report["seconds"], 0.45)

    def test_restarts_under_load_stay_accounted(self) -> None:
        with Stack("--backoff-max-ms", "20") as stack:
            killer_done = threading.Event()

            def kill_now_and_then() -> None:
                while not killer_done.wait(0.2):
                    try:
                        os.kill(stack.pid("ingestd"), signal.SIGKILL)
                    except (KeyError, ProcessLookupError):
                        continue

            killer = threading.Thread(target=kill_now_and_then)
            killer.start()
            try:
                report = self.load(stack, "--seconds", "3", "--connections", "4", "--rate", "100000")
            finally:
                killer_done.set()
                killer.join()
            self.assertGreater(report["lost_connections"], 0)
            self.assertTrue(report["accounted"])
            self.assertEqual(stack.mayfly("inspect", "--verify").returncode, 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
