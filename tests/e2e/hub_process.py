"""A hub of one's own beside the stack: it can be away, silent, or changed while the host runs."""

import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from typing import Any

from harness import BIN, DEADLINE_S, wait_for

NAME = "under-test"


def free_port() -> int:
    """Of 127.0.0.1; nobody has it at the moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Hub:
    """hubd on a file, not started yet; the host's file that goes with it. Use as a context."""

    def __init__(self, directories: str) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mayfly-hub-"))
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.file = self.folder / "hub.yaml"
        self.process: subprocess.Popen | None = None
        self.log = tempfile.TemporaryFile("w+", errors="backslashreplace")
        self.host_file = self.folder / "host.yaml"
        self._write_private(self.folder / "key", secrets.token_hex(32) + "\n")
        self._write_private(self.host_file, f"name: {NAME}\napi_key_file: {self.folder}/key\n")
        self.tripcode = subprocess.run([BIN / "relayd", "--print-tripcode", "--config", self.host_file], check=True,
                                       stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                       timeout=DEADLINE_S).stdout.strip()
        self.write(directories)

    @staticmethod
    def _write_private(path: pathlib.Path, text: str) -> None:
        path.touch(mode=0o600)
        path.write_text(text)

    def __enter__(self) -> "Hub":
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def host_flags(self) -> tuple[str, ...]:
        """For `mayfly up`, so that it has no hub but this one."""
        return ("--config", str(self.host_file), "--no-hub", "--hub-url", self.url)

    def write(self, directories: str, paused: bool = False) -> None:
        """Replaces the file in one step."""
        self.write_raw(f"servers:\n  - name: {NAME}\n    tripcode: \"{self.tripcode}\"\n"
                       f"    paused: {'true' if paused else 'false'}\ndirectories:\n{directories}")

    def write_raw(self, text: str) -> None:
        fresh = self.folder / "hub.yaml.new"
        fresh.write_text(text)
        os.replace(fresh, self.file)

    def start(self) -> None:
        self.process = subprocess.Popen([BIN / "hubd", "--config", self.file, "--listen", f"127.0.0.1:{self.port}"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.log)
        wait_for("the hub", self._answers)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"hubd ended ({self.process.returncode}):\n{self.log_text()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S).close()
        except ConnectionRefusedError:
            return False
        return True

    def stop(self, number: int = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(timeout=DEADLINE_S)
            self.process = None

    def log_text(self) -> str:
        self.log.flush()
        self.log.seek(0)
        return self.log.read()


class SilentHub:
    """Accepts at a port, reads, and never says anything. Use as a context."""

    def __init__(self, port: int) -> None:
        self.server = socket.create_server(("127.0.0.1", port))
        self.accepted: list[socket.socket] = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _accept(self) -> None:
        while True:
            try:
                self.accepted.append(self.server.accept()[0])
            except OSError:
                return

    def refuse_more(self) -> None:
        """The port is free for another; who has been accepted goes on waiting."""
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()
        self.thread.join(timeout=DEADLINE_S)

    def __enter__(self) -> "SilentHub":
        return self

    def __exit__(self, *_: Any) -> None:
        if self.server.fileno() >= 0:
            self.refuse_more()
        for connection in self.accepted:
            connection.close()
