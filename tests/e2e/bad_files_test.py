"""Directories and segment files that are not as they should be: a clear error, or a clean new segment with the old
one set aside; never a crash, never a wait without end."""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterator

import harness
import reading
from harness import BIN, DEADLINE_S, Stack, run_mayfly, wait_for

LAYOUT_VERSION_OFFSET = 16  # docs/shm-format.md: magic, byte order, version


def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
    """For starts that must fail."""
    return subprocess.run([str(BIN / program), *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=DEADLINE_S, check=False)


@contextlib.contextmanager
def small_tmpfs(size: str) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="mayfly-e2e-") as directory:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "none", directory],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            raise unittest.SkipTest("may not mount here")
        try:
            yield directory
        finally:
            subprocess.run(["umount", "-l", directory], check=True)


class WithDirectory(unittest.TestCase):
    def setUp(self) -> None:
        self.directory = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, self.directory, True)

    def ingestd(self, directory: str, *flags: str) -> subprocess.CompletedProcess:
        return run("ingestd", "--runtime-dir", directory, "--memory", "8MiB", "--ingest", "127.0.0.1:0",
                   *(flags or ("--redis", "none")))

    def refused(self, result: subprocess.CompletedProcess, code: int, *words: str) -> None:
        self.assertEqual(result.returncode, code, result.stderr)
        for word in words:
            self.assertIn(word, result.stderr)


class Places(WithDirectory):
    def refused_by_all(self, directory: str, *words: str) -> None:
        self.refused(self.ingestd(directory), 2, *words)
        self.refused(run("relayd", "--runtime-dir", directory, "--relay", "127.0.0.1:0"), 2, *words)
        self.refused(run("mayfly", "up", "--no-demo", "--runtime-dir", directory, "--ingest-port", "0", "--redis-port",
                         "0", "--relay-port", "0", "--hub-port", "0"), 2, *words)

    def test_a_disk(self) -> None:
        with tempfile.TemporaryDirectory(dir=pathlib.Path(__file__).parent) as directory:
            filesystem = subprocess.run(["stat", "-f", "-c", "%T", directory], capture_output=True, text=True,
                                        check=True).stdout.strip()
            if filesystem in ("tmpfs", "ramfs"):
                self.skipTest("the sources lie in memory")
            self.refused_by_all(directory, "not memory-backed")

    def test_symlinks(self) -> None:
        elsewhere = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, elsewhere, True)
        os.symlink(elsewhere, self.directory + "/link")
        self.refused_by_all(self.directory + "/link", "symlink")
        os.symlink(elsewhere, self.directory + "/segments")
        self.refused_by_all(self.directory, "symlink")
        self.assertEqual(os.listdir(elsewhere), [])

    def test_a_segment_that_is_a_symlink(self) -> None:
        victim = self.directory + "/victim"
        pathlib.Path(victim).write_bytes(b"untouched" * 10_000)
        os.mkdir(self.directory + "/segments", 0o750)
        for name in ("data", "control"):
            os.symlink(victim, f"{self.directory}/segments/{name}")
        with Stack(runtime_dir=self.directory, keep=True) as stack:
            stack.send(b"LOG demo k v")
        self.assertEqual(pathlib.Path(victim).read_bytes(), b"untouched" * 10_000)

    def test_open_to_others(self) -> None:
        os.chmod(self.directory, 0o777)
        self.refused_by_all(self.directory, "writable for others")

    @unittest.skipUnless(os.geteuid() == 0, "needs another user")
    def test_a_strangers(self) -> None:
        os.mkdir(self.directory + "/foreign")
        os.chown(self.directory + "/foreign", 65534, 65534)
        self.refused_by_all(self.directory + "/foreign", "65534")

    def test_a_file_in_its_place(self) -> None:
        pathlib.Path(self.directory, "file").write_text("")
        self.refused_by_all(self.directory + "/file", self.directory + "/file")

    def test_a_full_tmpfs(self) -> None:
        with small_tmpfs("4m") as directory:
            self.refused(self.ingestd(directory), 1, "no room for", "--memory")
            ports = [part for name in ("ingest", "redis", "relay", "hub") for part in (f"--{name}-port", "0")]
            self.refused(run("mayfly", "up", "--no-demo", "--runtime-dir", directory, "--memory", "8MiB", *ports), 1,
                         "no room for", "--memory")
            self.assertEqual([name for name in os.listdir(directory + "/segments") if name.startswith("data.")
                              and not name.endswith(".lock")], [])

    def test_a_tmpfs_that_fills_up_later_is_no_matter(self) -> None:
        with small_tmpfs("64m") as directory:
            with Stack("--memory", "16MiB", runtime_dir=directory, keep=True) as stack:
                stack.send(b"LOG demo k before")
                with contextlib.suppress(OSError), open(directory + "/ballast", "wb") as ballast:
                    while ballast.write(b"x" * 65536):
                        ballast.flush()
                for i in range(100):
                    stack.send(*(b"LOG d%d k%d " % (i % 50, j) + b"v" * 1000 for j in range(100)))
                for program in ("ingestd", "relayd", "hubd"):
                    os.kill(stack.pid(program), signal.SIGKILL)
                    stack.wait_event("started", program=program)
                stack.send(b"LOG demo k after")
                state = reading.directories(stack)
                self.assertEqual((reading.stored(state), reading.dropped(state)), (10_002, {}))
                self.assertEqual(reading.imbalances(state), [])


class Others(WithDirectory):
    def test_a_busy_port(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.refused(self.ingestd(self.directory, "--redis", address), 1, address, "--redis")
            self.refused(run("relayd", "--runtime-dir", self.directory, "--relay", address), 1, address)
            self.refused(run("hubd", "--listen", address), 1, address)

    def test_a_second_ingestd(self) -> None:
        with Stack() as stack:
            self.refused(self.ingestd(stack.runtime_dir), 1, "segments/data")
            stack.send(b"LOG demo k unharmed")
            self.assertEqual(stack.mayfly("inspect", "--verify").returncode, 0)

    def test_a_second_relayd(self) -> None:
        with Stack() as stack:
            self.refused(run("relayd", "--runtime-dir", stack.runtime_dir, "--relay", "127.0.0.1:0"), 1,
                         "segments/control")
            self.assertEqual(reading.get(stack.ready["relay"], "/readyz").status, 200)


class Segments(WithDirectory):
    """Each test spoils what an earlier run has left behind; then there are new programs."""

    def setUp(self) -> None:
        super().setUp()
        with Stack(runtime_dir=self.directory, keep=True) as stack:
            stack.send(*(b"LOG demo k%d %d" % (i % 10, i) for i in range(5000)), b"STATUS web pid 1")
        self.segments = pathlib.Path(self.directory, "segments")

    def spoil(self, name: str, offset: int, data: bytes) -> None:
        with open(self.segments / name, "r+b") as file:
            file.seek(offset)
            file.write(data)

    def reading_fails_clearly(self) -> None:
        for command in (("tail", "demo"), ("get", "web"), ("ls",), ("inspect", "--verify"), ("inspect", "--records")):
            result = run_mayfly(*command, runtime_dir=self.directory)
            self.assertEqual(result.returncode, 1, command)
            self.assertIn(b"data", result.stderr + result.stdout)

    def starts_anew(self, reason: str) -> None:
        spoilt = (self.segments / "data").read_bytes()
        with Stack(runtime_dir=self.directory, keep=True) as stack:
            self.assertRegex(stack.log_text(), rf"unusable \(.*{reason}.*\) and is kept as .*data\.aside")
            self.assertEqual(reading.directories(stack)["directories"], [])
            stack.send(b"LOG demo k new")
            self.assertEqual(stack.mayfly("tail", "demo").stdout.count(b"\n"), 1)
        self.assertEqual((self.segments / "data.aside").read_bytes(), spoilt)

    def test_another_version(self) -> None:
        self.spoil("data", LAYOUT_VERSION_OFFSET, struct.pack("<Q", 2))
        self.reading_fails_clearly()
        self.starts_anew("")

    def test_another_byte_order_or_another_file_altogether(self) -> None:
        self.spoil("data", 0, b"MYFLYDS1"[::-1])
        self.reading_fails_clearly()
        self.starts_anew("")

    def test_truncated(self) -> None:
        size = (self.segments / "data").stat().st_size
        for length in (0, 7, 4096, size // 2, size - 1):
            os.truncate(self.segments / "data", length)
            self.reading_fails_clearly()
            self.starts_anew("")

    def test_truncated_while_in_use(self) -> None:
        """Readers and writers live through it or are replaced; within a short time all is well again, from nothing."""
        with Stack(runtime_dir=self.directory, keep=True) as stack:
            for name in ("data", "control"):
                stack.send(b"LOG demo k before")
                with subprocess.Popen([str(BIN / "mayfly"), "tail", "-f", "-n", "1", "demo", "--runtime-dir", self.directory],
                                      stdout=subprocess.PIPE) as tail:
                    self.assertIn(b"before", tail.stdout.readline())
                    os.truncate(self.segments / name, 4096)
                    stack.wait_event("started", program="ingestd" if name == "data" else "relayd")

                    def served() -> bool:
                        try:
                            stack.send(b"LOG demo k after")
                            ready = reading.get(stack.ready["relay"], "/readyz").status == 200
                        except (OSError, AssertionError):
                            return False
                        return ready and b"after" in stack.mayfly("tail", "demo").stdout

                    wait_for("a record that can be read again", served)
                    self.assertIsNone(tail.poll())
                    tail.terminate()
                self.assertTrue((self.segments / f"{name}.aside").exists())

    def test_never_finished(self) -> None:
        """Killed while it was made: the temporary name is simply reused."""
        (self.segments / "data").rename(self.segments / "data.new")
        with Stack(runtime_dir=self.directory, keep=True) as stack:
            stack.send(b"LOG demo k new")
            self.assertEqual(stack.mayfly("tail", "demo").stdout.count(b"\n"), 1)
        self.assertFalse((self.segments / "data.new").exists())

    def test_a_directory_in_its_place(self) -> None:
        (self.segments / "data").unlink()
        (self.segments / "data").mkdir()
        with Stack(runtime_dir=self.directory, keep=True) as stack:
            stack.send(b"LOG demo k new")

    def test_a_spoilt_control_segment(self) -> None:
        for spoil in (lambda: os.truncate(self.segments / "control", 100),
                      lambda: self.spoil("control", LAYOUT_VERSION_OFFSET, struct.pack("<Q", 77)),
                      lambda: self.spoil("control", 512, os.urandom(8192))):
            spoil()
            with Stack(runtime_dir=self.directory, keep=True) as stack:
                stack.send(b"LOG demo k more")
                # A list that is missing removes nothing.
                self.assertGreater(reading.find(reading.directories(stack), "demo")["stored"], 5000)

    def test_scribbled_at_rest(self) -> None:
        """Whatever is hit: everything starts, serves, and reads without a crash, if need be anew."""
        seed = random.randrange(1_000_000)
        choose = random.Random(seed)
        size = (self.segments / "data").stat().st_size
        for round_number in range(12):
            for _ in range(choose.choice((1, 10, 1000))):
                # The front is where words matter; the rest is mostly empty.
                self.spoil("data", choose.randrange(choose.choice((4096, size // 8, size - 64))),
                           choose.randbytes(choose.choice((1, 8, 64))))
            for command in (("tail", "demo"), ("inspect", "--verify"), ("inspect", "--records"), ("get", "web")):
                self.assertIn(run_mayfly(*command, runtime_dir=self.directory).returncode, (0, 1), (seed, command))
            with self.subTest(seed=seed, round=round_number), Stack(runtime_dir=self.directory, keep=True) as stack:
                stack.send(b"LOG fresh k new")
                self.assertEqual(reading.get(stack.ready["relay"], "/api/v1/logs/fresh").status, 200)

    def test_scribbled_alive(self) -> None:
        """By somebody who may write there. No reader falls over; the writer goes on, or is started anew."""
        seed = random.randrange(1_000_000)
        choose = random.Random(seed)
        with self.subTest(seed=seed), Stack(runtime_dir=self.directory, keep=True) as stack:
            relayd, size = stack.pid("relayd"), (self.segments / "data").stat().st_size
            for round_number in range(15):
                for _ in range(200):
                    end = choose.choice((size // 8, size - 64))
                    # ingestd may just have set the file aside, and not yet made the next one.
                    wait_for("the file", (self.segments / "data").exists)
                    with contextlib.suppress(FileNotFoundError):
                        self.spoil("data", choose.randrange(4096, end), choose.randbytes(8))
                for path in ("/api/v1/directories", "/api/v1/logs/demo", "/api/v1/status/web", "/metrics"):
                    self.assertIn(reading.get(stack.ready["relay"], path).status, (200, 404, 503), path)
                # The validator takes its time with what looks as if it were being written.
                verify = ("inspect", "--verify") if round_number < 2 else ("inspect",)
                for command in (("tail", "demo", "--raw"), ("inspect", "--records"), ("get", "web"), verify):
                    self.assertIn(stack.mayfly(*command).returncode, (0, 1), command)
                with contextlib.suppress(OSError), stack.connect() as connection:
                    connection.sendall(b"".join(b"LOG demo k%d v\n" % i for i in range(100)))
            self.assertEqual(stack.pid("relayd"), relayd)
            # Killed in the end, it looks at what it finds; something usable comes of it.
            os.kill(wait_for("ingestd", lambda: stack.info()["pids"].get("ingestd")), signal.SIGKILL)
            self.assertTrue(wait_for("service", lambda: self.takes_a_record(stack)))

    @staticmethod
    def takes_a_record(stack: Stack) -> bool:
        try:
            stack.send(b"LOG fresh k new")
        except (OSError, AssertionError):
            return False
        return stack.mayfly("tail", "fresh").returncode == 0


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
