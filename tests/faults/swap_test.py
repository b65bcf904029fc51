"""Nothing stored reaches a disk by swap: with a swap area of the test's own, everything is asked to go there, and the
disk is searched for markers.

Controls that must find some: a plain program, a plain file on tmpfs, and ingestd with its guards off. Needs root,
a swap area that the kernel takes, and none in use; where one of these lacks, that is said and counted."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable, Iterator

import canary
import harness
from canary import Markers
from daemon import Daemon
from faults import State
from harness import Stack, wait_for
from ingestd_scenario import Templates

AREA_BYTES = 256 << 20
COUNT = 200
TRIES = 5
LATEST_S = 20.0  # by then, what was asked to go has gone


class SwapArea:
    """A file on a disk that is a swap area for as long as this lives. Use as a context; raises SkipTest."""

    def __enter__(self) -> "SwapArea":
        if "MAYFLY_SWAP_AREA" not in os.environ:
            raise unittest.SkipTest("a swap area is the whole machine's business: ./dev soak off_disk makes one")
        if os.geteuid() != 0:
            raise unittest.SkipTest("swap areas are root's")
        if len(pathlib.Path("/proc/swaps").read_text().splitlines()) > 1:
            raise unittest.SkipTest("a swap area is in use: the markers would go to another than ours")
        descriptor, name = tempfile.mkstemp(prefix="mayfly-swap-", dir="/var/tmp")
        for _ in range(AREA_BYTES >> 20):  # written, or a file system would go on reading zeros
            os.write(descriptor, bytes(1 << 20))
        os.fsync(descriptor)
        os.close(descriptor)
        self.path = pathlib.Path(name)
        for command in (["mkswap", "-q", name], ["swapon", name]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                self.path.unlink()
                raise unittest.SkipTest(f"{command[0]}: {done.stderr.strip()}")
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["swapoff", self.path], check=True)
        self.path.unlink()

    @staticmethod
    def used() -> int:
        return int(pathlib.Path("/proc/swaps").read_text().splitlines()[1].split()[3]) * 1024

    def count(self, *families: Markers) -> list[int]:
        return canary.count_on_disk(self.path, *families)

    def await_some(self, markers: Markers, push: Callable[[], None] = lambda: None) -> int:
        """What is written goes its own time, and pages that a processor still has in hand only when asked again: the
        highest count, once there is one and it grows no more."""

        def some() -> bool:
            push()
            return self.count(markers)[0] > 0

        try:
            wait_for("markers in the swap area", some, LATEST_S)
        except AssertionError:
            if self.used() > AREA_BYTES * 9 // 10:  # by whatever else runs here
                raise unittest.SkipTest("the swap area is full of other programs' pages") from None
            raise
        seen = 0
        while (now := self.count(markers)[0]) > seen:
            seen = now
            time.sleep(0.05)
        return seen


@contextlib.contextmanager
def mounted(kind: str, options: str) -> Iterator[pathlib.Path]:
    """A directory on a file system of its own; SkipTest where this kernel has none such."""
    folder = tempfile.mkdtemp(prefix="mayfly-mount-", dir="/dev/shm")
    try:
        done = subprocess.run(["mount", "-t", kind, "-o", options, "mayfly-test", folder], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest(f"no {kind} with {options} here: {done.stderr.strip()}")
        try:
            yield pathlib.Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)
    finally:
        os.rmdir(folder)


class Swap(unittest.TestCase):
    area: SwapArea

    @classmethod
    def setUpClass(cls) -> None:
        try:
            cls.area = cls.enterClassContext(SwapArea())
        except unittest.SkipTest as reason:
            print(f"all cases of swap not run here: {reason}")
            raise
        cls.templates = cls.enterClassContext(Templates())
        cls.state = cls.enterClassContext(State())

    def setUp(self) -> None:
        self.stored, self.held = Markers("stored"), Markers("held")

    def run_ingestd(self, runtime_dir: pathlib.Path, *flags: str) -> None:
        """ingestd alone (what several processes have mapped cannot be pushed out); filled, and asked to go."""
        (runtime_dir / "segments").mkdir(mode=0o750)
        shutil.copy(self.templates.folder / "first-control", runtime_dir / "segments" / "control")
        self.daemon = self.enterContext(Daemon(self.state, None, harness.BIN / "ingestd", "--runtime-dir", runtime_dir,
                                               "--memory", "8MiB", "--ingest", "127.0.0.1:0", "--redis", "none", *flags))
        self.assertTrue(self.daemon.wait_ready(), self.daemon.log_text())
        with contextlib.closing(self.connect(runtime_dir)) as connection:
            for _ in range(COUNT):
                connection.sendall(f"LOG lines k {self.stored.next()}\n".encode())
            connection.sendall(b"PING over\nQUIT\n")
            while connection.recv(65536):
                pass
        self.half = self.enterContext(self.connect(runtime_dir))
        canary.half_a_command(self.half, self.held, COUNT)
        with contextlib.closing(self.connect(runtime_dir)) as connection:  # it has been past the half command then
            connection.sendall(b"QUIT\n")
            while connection.recv(65536):
                pass
        for _ in range(TRIES):
            canary.page_out(self.daemon.process.pid)

    @staticmethod
    def connect(runtime_dir: pathlib.Path) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(runtime_dir / "ingest.sock"))
        return connection

    def kill_and_push(self, runtime_dir: pathlib.Path) -> None:
        self.daemon.process.kill()
        self.daemon.process.wait()
        for _ in range(TRIES):
            canary.page_out_file(runtime_dir / "segments" / "data")

    def nothing_of(self, *families: Markers) -> None:
        """After a control has come through, which was asked later."""
        control = Markers("control")
        with tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
            file.write("".join(f"{control.next():<4096}" for _ in range(COUNT)).encode())
            file.flush()
            found = self.area.await_some(control, lambda: canary.page_out_file(pathlib.Path(file.name)))
        counts = self.area.count(*families)
        print(f"{self.id().rsplit('.', 1)[1]}: {counts} markers in swap, {found} of {COUNT} of the control (a file on tmpfs)")
        self.assertEqual(counts, [0] * len(families))

    def test_control_a_plain_program(self) -> None:
        script = ("import mmap, sys\nheld = mmap.mmap(-1, 1 << 20)\nheld.write(sys.stdin.buffer.read())\n"
                  "held.madvise(21)\nprint('gone', flush=True)\nsys.stdin.read()\n")
        text = "".join(self.held.next() + "\n" for _ in range(COUNT))
        subprocess.run([sys.executable, "-c", script], input=text, text=True, check=True, capture_output=True)
        found = self.area.await_some(self.held)
        print(f"control, a plain program: {found} of {COUNT} markers in swap")
        self.assertEqual(found, COUNT)

    def test_control_ingestd_without_its_guards(self) -> None:
        runtime_dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="mayfly-swap-", dir="/dev/shm")))
        self.run_ingestd(runtime_dir, "--lock-memory", "off")
        found = [self.area.await_some(self.stored), self.area.await_some(self.held)]
        print(f"control, ingestd on tmpfs, nothing locked: {found} of {COUNT} markers of [the segment, buffers] in swap")
        self.assertIn("swap is in use", self.daemon.log_text())

    def test_on_plain_tmpfs_a_lock_holds_while_we_live(self) -> None:
        """And no longer: that is why off_disk is false there, and why a package may refuse to start."""
        runtime_dir = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="mayfly-swap-", dir="/dev/shm")))
        self.run_ingestd(runtime_dir, "--lock-memory", "require")
        self.assertGreater(canary.memory_status(self.daemon.process.pid, "VmLck"), 0)
        self.nothing_of(self.stored, self.held)
        self.kill_and_push(runtime_dir)
        found = self.area.await_some(self.stored, lambda: canary.page_out_file(runtime_dir / "segments" / "data"))
        print(f"after a kill -9, on plain tmpfs: {found} of {COUNT} markers of the segment in swap")
        self.assertEqual(self.area.count(self.held), [0])

    def check_mount(self, kind: str, options: str) -> None:
        runtime_dir = self.enterContext(mounted(kind, options))
        self.run_ingestd(runtime_dir, "--lock-memory", "require")
        self.assertNotIn("swap is in use", self.daemon.log_text())
        self.nothing_of(self.stored, self.held)
        self.kill_and_push(runtime_dir)
        self.nothing_of(self.stored, self.held)

    def test_on_noswap_tmpfs_nothing_goes_dead_or_alive(self) -> None:
        self.check_mount("tmpfs", "noswap,size=32m,mode=0755")

    def test_on_ramfs_nothing_goes_dead_or_alive(self) -> None:
        self.check_mount("ramfs", "mode=0755")

    def test_a_whole_stack_says_whether_it_is_off_disk(self) -> None:
        stack = self.enterContext(Stack())
        self.assertIs(stack.ready["off_disk"], False)
        self.assertIn("swap is active", stack.log_text())
        for program in ("ingestd", "relayd", "hubd"):
            self.assertGreater(canary.memory_status(stack.pid(program), "VmLck"), 0, program)
        doctor = stack.mayfly("doctor").stdout.decode()
        self.assertIn("FAIL  swap", doctor)
        self.assertIn("ok    locked-memory", doctor)

    def test_who_may_not_swap_does_not_start(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="mayfly-swap-", dir="/dev/shm"))
        config = pathlib.Path(folder, "ingestd.yaml")
        config.write_text(f"allow_swap: false\nruntime_dir: {folder}/run\nmemory: 8MiB\ningest: none\nredis: none\n")
        done = subprocess.run([harness.BIN / "ingestd", "--config", config], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("noswap", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
