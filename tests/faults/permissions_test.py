"""Who may open, map, connect to and look into what: docs/permissions.md, row by row, by users made of numbers.

Needs root, to become them."""

import ctypes
import mmap
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import unittest
from collections.abc import Callable

import harness
from harness import BIN, Stack, wait_for

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs" / "permissions.md"
OWNER, GROUP = 61001, 62001
ACTORS = {"owner": (OWNER, 61001, []), "group": (61002, 61002, [GROUP]), "other": (61003, 61003, [])}
PTRACE_SEIZE = 0x4206
DAEMONS = ("supervisor", "ingestd", "relayd", "hubd")
_libc = ctypes.CDLL(None, use_errno=True)


def expected() -> dict[str, dict[str, bool]]:
    """The table: row -> actor -> may."""
    rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in DOCS.read_text().splitlines() if line.startswith("|")]
    heading, rows = rows[0], rows[2:]
    return {row[0]: {actor: cell == "yes" for actor, cell in zip(heading[1:], row[1:], strict=True)} for row in rows}


def as_user(user: int, group: int, groups: list[int], action: Callable[[], None]) -> bool:
    """Whether the action goes well for them. It runs in a process of its own; what else goes wrong there is ours."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups)
            os.setgid(group)
            os.setuid(user)
            action()
            os._exit(0)
        except PermissionError:
            os._exit(1)
        except BaseException as error:  # noqa: BLE001 - told to the parent by the exit code
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(2)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, 1):
        raise AssertionError(f"the attempt failed otherwise ({code})")
    return code == 0


def check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Attempts:
    """Each row's attempt. All raise PermissionError where it is refused."""

    def __init__(self, runtime_dir: str, stack: "Owned") -> None:
        self.root, self.stack = pathlib.Path(runtime_dir), stack
        self.data, self.control = self.root / "segments" / "data", self.root / "segments" / "control"

    def rows(self) -> dict[str, Callable[[], None]]:
        each = self.each_daemon
        return {
            "`segments/data`: open for reading and map": lambda: self.map(self.data, os.O_RDONLY, mmap.PROT_READ),
            "`segments/data`: open for writing": lambda: self.map(self.data, os.O_RDWR, mmap.PROT_WRITE),
            "`segments/data`: map for writing what was opened for reading": lambda: self.map(self.data, os.O_RDONLY, mmap.PROT_WRITE),
            "`segments/data`: open again for writing through `/proc/self/fd`": lambda: self.reopen(self.data),
            "`segments/control`: open for reading and map": lambda: self.map(self.control, os.O_RDONLY, mmap.PROT_READ),
            "`segments/control`: open for writing": lambda: self.map(self.control, os.O_RDWR, mmap.PROT_WRITE),
            "`segments/`: list": lambda: [*os.scandir(self.root / "segments")],
            "`segments/`: make a file": lambda: self.make(self.root / "segments" / "new"),
            "`segments/`: remove a segment": lambda: self.unlink_a_copy(),
            "`mayfly.json`: read": lambda: self.open(self.root / "mayfly.json", os.O_RDONLY),
            "`mayfly.json`: write": lambda: self.open(self.root / "mayfly.json", os.O_WRONLY),
            "`host.key`: read": lambda: self.open(self.root / "host.key", os.O_RDONLY),
            "`lock`: open for writing": lambda: self.open(self.root / "lock", os.O_RDWR),
            "runtime directory: make a file": lambda: self.make(self.root / "new"),
            "`ingest.sock`: connect": lambda: self.connect("ingest.sock"),
            "`relay.sock`: connect": lambda: self.connect("relay.sock"),
            "`notify.sock`: send": lambda: self.notify(),
            "TCP ports: connect": lambda: self.connect_tcp(),
            "a daemon: attach a debugger": each(lambda pid: check(_libc.ptrace(PTRACE_SEIZE, pid, None, None))),
            "a daemon: read `/proc/PID/mem`": each(lambda pid: self.open(f"/proc/{pid}/mem", os.O_RDONLY)),
            "a daemon: read its environment": each(lambda pid: self.open(f"/proc/{pid}/environ", os.O_RDONLY)),
            "a daemon: list its descriptors": each(lambda pid: os.listdir(f"/proc/{pid}/fd")),
            "a daemon: copy from its memory (`process_vm_readv`)": each(self.copy_memory),
            "a daemon: signal": each(lambda pid: os.kill(pid, 0)),
        }

    def each_daemon(self, attempt: Callable[[int], object]) -> Callable[[], None]:
        """The same answer from all of them, or an error."""

        def all_of_them() -> None:
            refused = 0
            for name in DAEMONS:
                try:
                    attempt(self.stack.pids[name])
                except PermissionError:
                    refused += 1
            if refused == len(DAEMONS):
                raise PermissionError
            if refused:
                raise AssertionError(f"{refused} of {len(DAEMONS)} daemons refuse")

        return all_of_them

    @staticmethod
    def open(path: pathlib.Path | str, flags: int) -> None:
        os.close(os.open(path, flags))

    @staticmethod
    def map(path: pathlib.Path, flags: int, protection: int) -> None:
        descriptor = os.open(path, flags)
        mmap.mmap(descriptor, mmap.PAGESIZE, mmap.MAP_SHARED, protection | mmap.PROT_READ).close()
        os.close(descriptor)

    @staticmethod
    def reopen(path: pathlib.Path) -> None:
        descriptor = os.open(path, os.O_RDONLY)
        os.close(os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR))

    @staticmethod
    def make(path: pathlib.Path) -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        path.unlink()

    def unlink_a_copy(self) -> None:
        (self.root / "segments" / "old").unlink()

    def connect(self, name: str) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.root / name))

    def connect_tcp(self) -> None:
        with socket.socket() as connection:
            connection.connect(("127.0.0.1", self.stack.port("ingest")))

    def notify(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.sendto(b"NONE=1", str(self.root / "notify.sock"))

    def copy_memory(self, pid: int) -> None:
        class Range(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]

        here = ctypes.create_string_buffer(8)
        ours, theirs = Range(ctypes.addressof(here), 8), Range(self.stack.addresses[pid], 8)
        check(_libc.process_vm_readv(pid, ctypes.byref(ours), ctypes.c_ulong(1), ctypes.byref(theirs), ctypes.c_ulong(1), ctypes.c_ulong(0)))


class Owned(Stack):
    """`mayfly up` as the owner."""

    def __init__(self, runtime_dir: str) -> None:
        become = f"import os,sys;os.setgroups([{GROUP}]);os.setgid({GROUP});os.setuid({OWNER});os.execv(sys.argv[1],sys.argv[1:])"
        super().__init__(runtime_dir=runtime_dir, prefix=(sys.executable, "-c", become))

    def __enter__(self) -> "Owned":
        super().__enter__()
        self.pids = self.ready["pids"]
        relayd = pathlib.Path(f"/proc/{self.pids['relayd']}/maps")
        wait_for("relayd at the data segment", lambda: "/segments/data" in relayd.read_text())
        # Any address that is mapped: as root, we may look.
        maps = {pid: pathlib.Path(f"/proc/{pid}/maps").read_text() for pid in self.pids.values()}
        self.addresses = {pid: int(text.split("-")[0], 16) for pid, text in maps.items()}
        self.maps = {name: maps[pid] for name, pid in self.pids.items()}
        return self


class Permissions(unittest.TestCase):
    def setUp(self) -> None:
        if os.geteuid() != 0:
            print(f"{len(expected()) * len(ACTORS)} cases not run here: only root can become somebody else")
            self.skipTest("not root")
        for folder in (BIN, *BIN.parents):
            if not as_user(*ACTORS["other"], lambda folder=folder: os.stat(folder / ".")):
                print(f"{len(expected()) * len(ACTORS)} cases not run here: {folder} is closed to other users")
                self.skipTest("the programs lie in a closed folder")

    def test_the_table(self) -> None:
        runtime_dir = harness.make_runtime_dir()
        os.chmod(runtime_dir, 0o755)
        os.chown(runtime_dir, OWNER, GROUP)
        with Owned(runtime_dir) as stack:
            attempts = Attempts(runtime_dir, stack).rows()
            table = expected()
            self.assertEqual(list(attempts), list(table))
            for row, actors in table.items():
                for actor, may in actors.items():
                    if row == "`segments/`: remove a segment":
                        shutil.copy(attempts_path := pathlib.Path(runtime_dir, "segments", "control"), attempts_path.with_name("old"))
                    with self.subTest(row=row, actor=actor):
                        self.assertEqual(as_user(*ACTORS[actor], attempts[row]), may)
            print(f"{len(table)} rows, {len(table) * len(ACTORS)} attempts")
            # Each daemon writes its own segment alone.
            for daemon, segment, wanted in (("ingestd", "data", "rw-s"), ("ingestd", "control", "r--s"),
                                            ("relayd", "control", "rw-s"), ("relayd", "data", "r--s")):
                modes = set(re.findall(rf"^\S+ (\S+) .*/segments/{segment}$", stack.maps[daemon], re.MULTILINE))
                self.assertEqual(modes, {wanted}, f"{daemon}, {segment}")

    def test_the_attempts_can_go_well(self) -> None:
        """The control: a process that is not closed lets its user look; so a `no` of the table means something."""
        actor = ACTORS["owner"]
        script = "import sys; print('here', flush=True); sys.stdin.read()"
        become = f"import os,sys;os.setgroups([]);os.setgid({actor[1]});os.setuid({actor[0]});os.execv(sys.argv[1],sys.argv[1:])"
        with subprocess.Popen([sys.executable, "-c", become, sys.executable, "-c", script], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as open_one:
            open_one.stdout.readline()
            for attempt in (lambda: check(_libc.ptrace(PTRACE_SEIZE, open_one.pid, None, None)),
                            lambda: Attempts.open(f"/proc/{open_one.pid}/mem", os.O_RDONLY),
                            lambda: os.listdir(f"/proc/{open_one.pid}/fd")):
                self.assertTrue(as_user(*actor, attempt))
                self.assertFalse(as_user(*ACTORS["other"], attempt))
            open_one.stdin.close()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
