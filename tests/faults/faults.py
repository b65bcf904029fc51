"""One call of a program that fails: which there are, how each may fail, and a program started with one.

System calls go through fail_syscall (ptrace), allocations through fail_alloc.so (LD_PRELOAD); both share a file
with this module, laid out as fail_state.h says."""

import collections
import dataclasses
import errno
import mmap
import os
import pathlib
import re
import struct
import tempfile

TOOLS = pathlib.Path(os.environ["MAYFLY_TESTS"])
SANITIZED = os.environ.get("MAYFLY_SANITIZED", "")
ALLOC, SYSCALL = "alloc", "syscall"
SHORT = -1  # shortened to one byte, or one part of a vector

WHERE_AT, WHERE_BYTES, LOG_SLOTS = 9 * 8, 4096, 1 << 17
FIELDS = ("armed", "target", "number", "kind", "how", "count", "fired", "pid", "status")


def _system_calls() -> dict[int, str]:
    text = pathlib.Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h").read_text()
    return {int(number): name for name, number in re.findall(r"#define __NR_(\w+) (\d+)", text)}


_NO_FILES = ("EMFILE", "ENFILE", "ENOMEM")
_STAT = ("ENOMEM", "EIO")
_SETTING = ("EPERM", "EINVAL")
ERRORS: dict[str, tuple[str, ...]] = {
    "openat": (*_NO_FILES, "EINTR", "ENOSPC"), "open": (*_NO_FILES, "EINTR"), "close": ("EINTR", "EIO"),
    "socket": (*_NO_FILES, "ENOBUFS"), "socketpair": _NO_FILES, "pipe2": _NO_FILES, "dup": _NO_FILES[:2], "dup3": _NO_FILES[:2],
    "accept4": (*_NO_FILES, "EINTR", "EAGAIN", "ECONNABORTED", "ENOBUFS"), "accept": (*_NO_FILES, "EINTR", "ECONNABORTED"),
    "connect": ("EINTR", "ECONNREFUSED", "ENETUNREACH", "ENOMEM"), "bind": ("EADDRINUSE", "ENOMEM"), "listen": ("EADDRINUSE",),
    "setsockopt": ("ENOMEM", "ENOPROTOOPT"), "getsockopt": ("ENOBUFS",), "getsockname": ("ENOBUFS",), "getpeername": ("ENOTCONN",),
    "shutdown": ("ENOTCONN",), "sendmmsg": ("ENOBUFS",), "recvmmsg": ("ENOMEM",),
    "epoll_create1": _NO_FILES, "epoll_ctl": ("ENOMEM", "ENOSPC"), "epoll_wait": ("EINTR",), "epoll_pwait": ("EINTR",),
    "poll": ("EINTR", "ENOMEM"), "ppoll": ("EINTR", "ENOMEM"), "eventfd2": _NO_FILES, "timerfd_create": _NO_FILES,
    "inotify_init1": _NO_FILES, "inotify_add_watch": ("ENOSPC", "ENOMEM"), "pidfd_open": _NO_FILES, "signalfd4": _NO_FILES,
    "mmap": ("ENOMEM",), "mremap": ("ENOMEM",), "munmap": ("ENOMEM",), "mprotect": ("ENOMEM",), "madvise": ("EAGAIN",),
    "mlockall": ("ENOMEM", "EPERM"), "clone": ("EAGAIN", "ENOMEM"), "clone3": ("EAGAIN", "ENOMEM"), "fork": ("EAGAIN", "ENOMEM"),
    "vfork": ("EAGAIN", "ENOMEM"), "futex": ("EINTR", "EAGAIN"), "clock_nanosleep": ("EINTR",), "nanosleep": ("EINTR",),
    "fcntl": ("EINTR", "ENOLCK", "EMFILE"), "ioctl": ("EIO",), "fstat": _STAT, "newfstatat": _STAT, "stat": _STAT, "lstat": _STAT, "statx": _STAT,
    "statfs": _STAT, "fstatfs": _STAT, "lseek": ("EIO",), "getdents64": ("EIO", "ENOMEM"), "readlink": _STAT, "readlinkat": _STAT,
    "getcwd": ("ENOMEM",), "access": ("EIO",), "faccessat2": ("EIO",), "fallocate": ("EINTR", "ENOSPC", "ENOMEM"), "ftruncate": ("EINTR", "EIO"),
    "rename": ("ENOSPC", "EIO"), "unlink": ("EIO",), "mkdir": ("ENOSPC", "ENOMEM"), "chmod": _SETTING, "fchmod": _SETTING, "chown": _SETTING,
    "fchown": _SETTING, "fsync": ("EIO",), "flock": ("EINTR", "ENOLCK"), "getrandom": ("EINTR",), "prlimit64": _SETTING, "prctl": _SETTING,
    "setrlimit": _SETTING, "wait4": ("EINTR",), "waitid": ("EINTR",), "kill": ("EPERM",), "process_vm_readv": ("EPERM",),
}
_READS, _WRITES = ("read", "readv", "pread64", "recvfrom", "recvmsg"), ("write", "writev", "pwrite64", "sendto", "sendmsg")
_BY_KIND = {  # of what the descriptor is
    "s": (("EINTR", "EAGAIN", "ECONNRESET", "ENOMEM"), ("EINTR", "EAGAIN", "ECONNRESET", "EPIPE", "ENOBUFS")),
    "f": (("EINTR", "EIO"), ("EINTR", "EIO", "ENOSPC")), "p": (("EINTR", "EAGAIN"), ("EINTR", "EAGAIN", "EPIPE")),
    "e": (("EINTR", "EAGAIN"), ("EINTR", "EAGAIN")),
}
_NUMBERED = _system_calls()
_NUMBERS = {name: number for number, name in _NUMBERED.items()}


@dataclasses.dataclass(frozen=True)
class Call:
    """A call that was counted: its name, and the letter of its kind, as fail_state.h says."""

    name: str
    kind: str = ""

    def faults(self) -> list[int]:
        """How it may fail, as `how` of the state; empty where it cannot."""
        if self.name in _READS + _WRITES:
            names = _BY_KIND[self.kind or "e"][self.name in _WRITES]
            shortens = self.kind in ("s", "f", "p") and self.name not in ("recvmsg", "sendmsg")
            return [getattr(errno, name) for name in names] + ([SHORT] if shortens else [])
        if self.name == "futex" and self.kind != "w":
            return []
        return [getattr(errno, name) for name in ERRORS.get(self.name, ())]


@dataclasses.dataclass(frozen=True)
class Fault:
    """The `number`-th call fails in the way `how`. Number 0: none does, they are counted."""

    cause: str
    number: int = 0
    how: int = errno.ENOMEM
    call: str = ""  # what the count found there; a thread may have come in between: then the next of its like fails
    kind: str = ""

    def __str__(self) -> str:
        way = "short" if self.how == SHORT else errno.errorcode[self.how]
        return f"{self.cause} {self.number} {way} {self.call} {self.kind}".rstrip()


class State:
    """The shared file. Use as a context."""

    def __init__(self) -> None:
        descriptor, self.path = tempfile.mkstemp(prefix="mayfly-fault-", dir="/dev/shm")
        size = WHERE_AT + WHERE_BYTES + 4 * LOG_SLOTS
        os.ftruncate(descriptor, size)
        self.map = mmap.mmap(descriptor, size)
        os.close(descriptor)

    def __enter__(self) -> "State":
        return self

    def __exit__(self, *_: object) -> None:
        self.map.close()
        os.unlink(self.path)

    def prepare(self, fault: Fault, armed: bool = True) -> None:
        self.map[:WHERE_AT + WHERE_BYTES] = bytes(WHERE_AT + WHERE_BYTES)
        self["target"], self["how"], self["status"], self["armed"] = fault.number, fault.how, -1, int(armed)
        self["number"], self["kind"] = _NUMBERS.get(fault.call, -1), ord(fault.kind or "\0")

    def __getitem__(self, field: str) -> int:
        return struct.unpack_from("<q", self.map, 8 * FIELDS.index(field))[0]

    def __setitem__(self, field: str, value: int) -> None:
        struct.pack_into("<q", self.map, 8 * FIELDS.index(field), value)

    def where(self) -> str:
        """The stack of the allocation that failed."""
        return self.map[WHERE_AT:WHERE_AT + WHERE_BYTES].rstrip(b"\0").decode(errors="replace")

    def calls(self) -> list[Call]:
        found = []
        for i in range(min(self["count"], LOG_SLOTS)):
            number, kind, _ = struct.unpack_from("<Hcc", self.map, WHERE_AT + WHERE_BYTES + 4 * i)
            found.append(Call(_NUMBERED.get(number, str(number)), kind.decode().rstrip("\0")))
        return found


def command(state: State, fault: Fault | None, program: pathlib.Path, *arguments: object) -> tuple[list[str], dict[str, str]]:
    """What to run, and its environment."""
    env = dict(os.environ)
    words = [str(program), *map(str, arguments)]
    if fault is not None and fault.cause == ALLOC:
        env |= {"LD_PRELOAD": str(TOOLS / "fail_alloc.so"), "FAIL_STATE": state.path, "FAIL_PROGRAM": program.name}
    if fault is not None and fault.cause == SYSCALL:
        words = [str(TOOLS / "fail_syscall"), state.path, *words]
    if SANITIZED:
        env["ASAN_OPTIONS"] = "detect_leaks=0:abort_on_error=0"  # a traced program cannot be searched for leaks
    return words, env


def faults_of(cause: str, count: int, calls: list[Call]) -> tuple[list[Fault], collections.Counter[str]]:
    """Every way in which one of what was counted may fail; and the calls that cannot."""
    if cause == ALLOC:
        return [Fault(ALLOC, number, errno.ENOMEM, "allocation") for number in range(1, count + 1)], collections.Counter()
    faults: list[Fault] = []
    never: collections.Counter[str] = collections.Counter()
    for number, call in enumerate(calls, 1):
        ways = call.faults()
        if not ways:
            never[call.name] += 1
        faults += [Fault(SYSCALL, number, way, call.name, call.kind) for way in ways]
    return faults, never
