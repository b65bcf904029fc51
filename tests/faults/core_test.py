"""Nothing stored reaches a disk by a core: programs crash, and what they leave is searched for markers.

Each search has a control that must find some: a plain program with the same memory, and our own programs with
their guards taken off one after the other (no_guard.cpp)."""

import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import harness
from canary import Markers, count_in_file, count_in_memory_of_core, half_a_command
from harness import Stack, wait_for

COUNT = 200
FULL_FILTER = "0x7f"
PLAIN = """
import mmap, os, signal, sys
held = [line.strip() for line in sys.stdin]
file = open(sys.argv[1], "r+b")
segment = mmap.mmap(file.fileno(), 0)
open("/proc/self/coredump_filter", "w").write(sys.argv[2])
os.kill(os.getpid(), signal.SIGSEGV)
"""
QUOTAS = "directories:\n  - {kind: log, name: day, max_value_bytes: 1MiB, max_total_bytes: 4MiB}\n"


def why_not_here() -> str:
    pattern = pathlib.Path("/proc/sys/kernel/core_pattern").read_text().strip()
    if pattern.startswith("|") or "/" in pattern:
        return f"cores go to {pattern!r} here, not to the program's own folder"
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        return "the hard limit of core sizes is not unlimited"
    return ""


class Cores(unittest.TestCase):
    def setUp(self) -> None:
        if reason := why_not_here():
            print(f"1 case not run here: {reason}")
            self.skipTest(reason)
        if os.environ.get("MAYFLY_SANITIZED"):
            self.skipTest("a sanitizer's crash is its own")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mayfly-cores-", dir="/dev/shm"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)  # where cores go
        limits = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_CORE, limits)
        self.old, self.held = Markers("old"), Markers("held")  # only in the segment; in buffers too
        pathlib.Path("hub.yaml").write_text(QUOTAS)

    def core_of(self, end: object) -> pathlib.Path | None:
        """What the crash left; removed from view for the next."""
        cores = list(self.folder.glob("core*"))
        self.assertLessEqual(len(cores), 1, end)
        return cores[0].rename(self.folder / f"seen-{len(list(self.folder.glob('seen-*')))}") if cores else None

    def test_a_plain_program_leaves_all(self) -> None:
        """The control: the same bytes in ordinary memory, and in a shared mapping of a file without a name's guard."""
        segment = self.folder / "segment"
        segment.write_bytes("".join(self.old.next() + "\n" for _ in range(COUNT)).encode())
        lines = "".join(self.held.next() + "\n" for _ in range(COUNT))
        ended = subprocess.run([sys.executable, "-c", PLAIN, segment, FULL_FILTER], input=lines, text=True, check=False)
        self.assertEqual(ended.returncode, -signal.SIGSEGV)
        core = self.core_of(ended)
        self.assertIsNotNone(core)
        found = count_in_file(core, self.old, self.held)
        print(f"plain program: {found[0]} of {COUNT} markers of its file, {found[1]} of {COUNT} of its memory")
        self.assertEqual(found, [COUNT, COUNT])

    def filled(self) -> Stack:
        """A stack whose programs hold markers: the segment's are of an earlier run, so that no buffer has them."""
        with Stack("--hub-config", "hub.yaml", keep=True) as stack:
            stack.send(*[f"LOG day k {self.old.next()}".encode() for _ in range(COUNT)])
        self.addCleanup(shutil.rmtree, stack.runtime_dir, True)
        stack = self.enterContext(Stack("--hub-config", "hub.yaml", "--backoff-first-ms", "600000", runtime_dir=stack.runtime_dir))
        self.writer = self.enterContext(stack.connect())
        half_a_command(self.writer, self.held, COUNT)
        self.reader = self.enterContext(socket.create_connection(("127.0.0.1", stack.port("relay")), timeout=harness.DEADLINE_S))
        self.reader.sendall(f"GET /api/v1/tail/day?last={COUNT} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        # The last line has come: relayd has had all of them in its hands.
        received = b""
        while f"{COUNT - 1:06}".encode() not in received:
            received += self.reader.recv(65536)
        stack.send(b"LOG day k after")  # ingestd has been past the half command by now
        return stack

    def crash(self, stack: Stack, program: str, core_filter: str | None = None) -> pathlib.Path | None:
        pid = stack.pid(program)
        if core_filter is not None:
            pathlib.Path(f"/proc/{pid}/coredump_filter").write_text(core_filter)
        os.kill(pid, signal.SIGSEGV)
        wait_for(f"the end of {program}", lambda: not harness.process_exists(pid))
        return self.core_of(program)

    def test_our_programs_leave_no_core(self) -> None:
        stack = self.filled()
        for program in ("relayd", "ingestd", "hubd", "supervisor"):
            self.assertIsNone(self.crash(stack, program), program)
        print("4 programs crashed, 0 cores")

    def test_behind_the_first_guards_cores_are_empty(self) -> None:
        library = pathlib.Path(os.environ["MAYFLY_TESTS"]) / "no_guard.so"
        self.enterContext(unittest.mock.patch.dict(os.environ, LD_PRELOAD=str(library)))
        stack = self.filled()
        for program in ("relayd", "ingestd", "hubd"):
            core = self.crash(stack, program)
            self.assertIsNotNone(core, program)
            found = count_in_memory_of_core(core, self.old, self.held)
            print(f"{program} without its first guards: a core of {core.stat().st_size} bytes, {found} markers in it; "
                  f"with its registers, {count_in_file(core, self.old, self.held)}")
            self.assertEqual(found, [0, 0], program)

    def test_behind_all_but_the_last_the_segment_is_not_in_it(self) -> None:
        """The control too: with every filter off, buffers are found."""
        library = pathlib.Path(os.environ["MAYFLY_TESTS"]) / "no_guard.so"
        self.enterContext(unittest.mock.patch.dict(os.environ, LD_PRELOAD=str(library)))
        stack = self.filled()
        ingestd = count_in_file(self.crash(stack, "ingestd", FULL_FILTER), self.old, self.held)
        relayd = count_in_file(self.crash(stack, "relayd", FULL_FILTER), self.old, self.held)
        print(f"all filters off: ingestd's core {ingestd}, relayd's {relayd} markers of [the segment, its buffers]")
        self.assertEqual(ingestd[0], 0)  # in the segment alone: never dumped
        self.assertGreater(ingestd[1], 0)
        self.assertGreater(relayd[0], 0)  # copies on their way to the reader


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
