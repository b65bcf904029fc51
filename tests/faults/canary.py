"""Markers, where they may lie, and how one looks for them: what tests of cores and of swap share."""

import ctypes
import itertools
import mmap
import os
import pathlib
import re
import secrets
import socket
import struct

MADV_PAGEOUT = 21
PT_LOAD = 1
SYS_PROCESS_MADVISE = 440
DIRECT_BYTES = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)


class Markers:
    """A family of byte strings that nothing else on this machine contains."""

    def __init__(self, name: str) -> None:
        self.stem = f"canary-{name}-{secrets.token_hex(8)}-"
        self.numbers = itertools.count()

    def next(self) -> str:
        return f"{self.stem}{next(self.numbers):06}"

    def count_in(self, data: bytes | mmap.mmap) -> int:
        """How many different ones are there."""
        return len(set(re.findall(re.escape(self.stem.encode()) + rb"\d{6}", data)))


def count_in_file(path: pathlib.Path, *families: Markers) -> list[int]:
    if path.stat().st_size == 0:
        return [0] * len(families)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        return [markers.count_in(data) for markers in families]


def count_in_memory_of_core(path: pathlib.Path, *families: Markers) -> list[int]:
    """The same, but only in a core's parts of memory. What is left are registers: those may hold the last bytes copied."""
    data = path.read_bytes()
    header_at, (header_bytes, headers) = struct.unpack_from("<Q", data, 32)[0], struct.unpack_from("<HH", data, 54)
    memory = b""
    for i in range(headers):
        kind, _, offset, _, _, bytes_in_file = struct.unpack_from("<IIQQQQ", data, header_at + i * header_bytes)
        if kind == PT_LOAD:
            memory += data[offset:offset + bytes_in_file]
    return [markers.count_in(memory) for markers in families]


def count_on_disk(path: pathlib.Path, *families: Markers) -> list[int]:
    """The same, past the page cache: what the disk itself holds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    found: list[set[bytes]] = [set() for _ in families]
    try:
        with mmap.mmap(-1, DIRECT_BYTES) as buffer:
            tail = b""
            for offset in range(0, os.fstat(descriptor).st_size, DIRECT_BYTES):
                got = os.preadv(descriptor, [buffer], offset)
                part = tail + buffer[:got]
                for markers, there in zip(families, found, strict=True):
                    there.update(re.findall(re.escape(markers.stem.encode()) + rb"\d{6}", part))
                tail = part[-64:]
    finally:
        os.close(descriptor)
    return [len(there) for there in found]


class _Range(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def page_out(pid: int) -> None:
    """Asks the kernel to push out all that a process has mapped. What is locked, or shared with another, stays."""
    descriptor = os.pidfd_open(pid)
    try:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            low, high = (int(part, 16) for part in line.split()[0].split("-"))
            if "[v" in line:  # vdso, vvar, vsyscall
                continue
            area = _Range(low, high - low)
            _libc.syscall(SYS_PROCESS_MADVISE, descriptor, ctypes.byref(area), ctypes.c_size_t(1), MADV_PAGEOUT, 0)
    finally:
        os.close(descriptor)


def page_out_file(path: pathlib.Path) -> None:
    """Pushes out a file of a memory-backed file system that nobody else has mapped."""
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as data:
        for offset in range(0, len(data), mmap.PAGESIZE):
            data[offset]  # mapped only once touched
        data.madvise(MADV_PAGEOUT)


def memory_status(pid: int, field: str) -> int:
    """Bytes of a line of /proc/PID/status, such as VmLck or VmSwap."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE)[1]) * 1024


def half_a_command(connection: socket.socket, markers: Markers, count: int) -> None:
    """An unfinished command with markers in it: it stays in a buffer of whoever takes it."""
    text = " ".join(markers.next() for _ in range(count)).encode()
    connection.sendall(b"*4\r\n$3\r\nLOG\r\n$3\r\nday\r\n$1\r\nk\r\n$" + str(len(text) + 100).encode() + b"\r\n" + text)
