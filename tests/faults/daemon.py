"""A daemon with a call that fails: started, waited for, ended; and what its end must look like."""

import contextlib
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
import time
from typing import Any

import faults
from faults import Fault, State

FIRST_HANDED = 3
VERBOSE = False  # prints what the programs say
PATIENCE_S = 30.0  # longer than this is a hang
COMPLAINT = re.compile(r"(?m)^(\S+ \w+\[\d+\] (critical|error|warning): .+|(ingestd|relayd|hubd|mayfly): .+|terminate .*)$")
CRASH = re.compile(r"AddressSanitizer|runtime error:|ThreadSanitizer|Assertion")


class Broken(AssertionError):
    """A promise that was not kept."""


class Daemon:
    """One run of one program. Use as a context: its end kills what is left."""

    def __init__(self, state: State, fault: Fault | None, program: pathlib.Path, *arguments: Any,
                 handed: dict[str, socket.socket] | None = None, armed: bool = True) -> None:
        self.name, self.fault, self.state = program.name, fault, state
        self.folder = tempfile.TemporaryDirectory(prefix="mayfly-notify-", dir="/dev/shm")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(f"{self.folder.name}/notify")
        self.log = tempfile.TemporaryFile("w+", errors="backslashreplace")
        if fault is not None:
            state.prepare(fault, armed)
        words, env = faults.command(state, fault, program, *arguments)
        env["NOTIFY_SOCKET"] = f"{self.folder.name}/notify"
        handed = handed or {}
        env |= {"LISTEN_FDS": str(len(handed)), "LISTEN_FDNAMES": ":".join(handed)}
        sources = [sock.fileno() for sock in handed.values()]
        places = " ".join(f"{target}<&{source}" for target, source in enumerate(sources, FIRST_HANDED))
        # The shell gives the sockets their places, and is the program from then on.
        shell = ["/bin/bash", "-c", f'LISTEN_PID=$$ exec "$@" {places}', "sh"]
        self.process = subprocess.Popen([*shell, *words], env=env, stdin=subprocess.DEVNULL, stdout=self.log,
                                        stderr=self.log, pass_fds=sources)

    def __enter__(self) -> "Daemon":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.process.poll() is None:
            self.process.kill()  # the tracer takes its program with it
        self.process.wait()
        if VERBOSE:
            print(f"-- {self.name}, {self.fault}, ended with {self.process.returncode}\n{self.log_text()}")
        self.notify.close()
        self.log.close()
        self.folder.cleanup()

    def log_text(self) -> str:
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def broken(self, what: str) -> Broken:
        where = (self.state.where() if self.fault is not None else "") + self.threads()
        return Broken(f"{self.name}, {self.fault}: {what}\n{where}{self.log_text()}")

    def threads(self) -> str:
        """Which system call each thread is in, where it still runs."""
        lines = []
        for task in pathlib.Path(f"/proc/{self.pid()}/task").glob("*"):
            with contextlib.suppress(OSError):
                lines.append(f"thread {task.name}: {(task / 'stat').read_text().split()[2]} {(task / 'syscall').read_text()}")
        return "".join(lines)

    def ended(self) -> bool:
        return self.process.poll() is not None

    def wait_ready(self) -> bool:
        """False when it ended instead."""
        end = time.monotonic() + PATIENCE_S
        while not self.ended():
            readable, _, _ = select.select([self.notify], [], [], 0.01)
            if readable and b"READY=1" in self.notify.recv(4096):
                return True
            if time.monotonic() > end:
                raise self.broken("neither ready nor ended")
        return False

    def pid(self) -> int:
        """The program's, not the tracer's."""
        traced = self.fault is not None and self.fault.cause == faults.SYSCALL
        return self.state["pid"] if traced else self.process.pid

    def wait_end(self) -> int:
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            raise self.broken("does not end") from None

    def stop(self) -> None:
        """By SIGTERM, if it has not ended; and the end must be a clean one."""
        with contextlib.suppress(ProcessLookupError):
            if not self.ended():
                os.kill(self.pid(), signal.SIGTERM)
        code = self.wait_end()
        text = self.log_text()
        if CRASH.search(text):
            raise self.broken("a sanitizer or an assertion")
        if code in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            return
        if code not in (1, 2):
            raise self.broken(f"ended with {code}")
        if not COMPLAINT.search(text) and not self._cannot_say():
            raise self.broken(f"ended with {code} and no word of why")

    def _cannot_say(self) -> bool:
        """The message itself was what failed."""
        return self.fault is not None and self.fault.call in ("write", "writev")
