"""The servers that are measured: how each is started, counts what it has taken, and shows what it keeps.

A server that only orders are given to in its configuration file gets as few of them as possible; each is started with
persistence off and, where it has several threads to choose from, with one.
"""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

DEADLINE_S = 30.0


class PeerError(Exception):
    pass


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_for_port(port: int, process: subprocess.Popen, log: pathlib.Path) -> None:
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.01)
    raise PeerError(f"{process.args[0]} does not listen; it says: {log.read_text(errors='replace')[-2000:]}")


def lines_of(port: int, text: bytes, count: int) -> list[bytes]:
    """Asks a server that answers in lines."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as one, one.makefile("rb") as file:
        one.sendall(text)
        return [file.readline().rstrip(b"\r\n") for _ in range(count)]


class Server:
    """One process on one core, with a directory in tmpfs. `stop()` whatever happens."""

    name = ""

    def __init__(self, programs, core: int) -> None:
        self.programs = programs
        self.core = core
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mayfly-peer-", dir="/dev/shm"))
        self.log = self.folder / "log"
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def program(self, name: str) -> str:
        found = self.programs.path(name)
        if found is None:
            raise PeerError(f"Debian's packages here have no {name}")
        return found

    def start(self) -> None:
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(["taskset", "-c", str(self.core), *self.command()], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=self.folder, env=self.programs.environment())
        wait_for_port(self.port, self.process, self.log)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=DEADLINE_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pids(self) -> list[int]:
        return [self.process.pid]

    def ports(self) -> dict[str, int]:
        """By listener, where there are several."""
        return {"": self.port}

    def before(self, peer) -> None:
        """Called before each measurement."""

    def count(self, peer) -> int:
        """Records taken so far, of this peer's kind."""
        raise NotImplementedError

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        """What is kept for each key: its (newest) value; without those that are not there any more."""
        raise NotImplementedError


class Sink(Server):
    name = "sink"

    def command(self) -> list[str]:
        return [str(self.programs.parts / "peer_sink"), self.name, str(self.port)]

    def count(self, peer) -> int:
        """Of the sink, bytes; a count of COUNT's own connection comes in lines: +GO, then the number."""
        return int(lines_of(self.port, b"COUNT", 2)[1])

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        return {}


class Toy(Sink):
    name = "toy"

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        found = {}
        for key in keys:
            value = lines_of(self.port, b"GET " + key + b"\r\n", 2)[1]
            if value:
                found[key] = value
        return found


class Redis(Server):
    name = "redis"

    def command(self) -> list[str]:
        return [self.program("redis-server"), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--daemonize", "no"]

    def ask(self, *commands: list[bytes]) -> list:
        return redis_replies(self.port, [list(command) for command in commands])

    def count(self, peer) -> int:
        stats = self.ask([b"INFO", b"commandstats"])[0].decode()
        name = f"cmdstat_{peer.format}:calls="
        return next((int(line[len(name):].split(",")[0]) for line in stats.splitlines() if line.startswith(name)), 0)

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        if peer.format == "xadd":
            found: dict[bytes, bytes] = {}
            for _, (key, value) in self.ask([b"XRANGE", b"stream", b"-", b"+"])[0]:
                found[key] = value
            return found
        reads = [[b"GET", key] if peer.format == "set" else [b"HGET", b"bench", key] for key in keys]
        return {key: value for key, value in zip(keys, self.ask(*reads)) if value is not None}


class Memcached(Server):
    name = "memcached"
    flags: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [self.program("memcached"), "-u", "root", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-t", "1",
                *self.flags]

    def count(self, peer) -> int:
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S) as one, one.makefile("rb") as file:
            one.sendall(b"stats\r\n")
            for line in file:
                words = line.split()
                if words[:2] == [b"STAT", b"cmd_set"]:
                    return int(words[2])
        raise PeerError("memcached: no cmd_set in its statistics")

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        found = {}
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE_S) as one, one.makefile("rb") as file:
            one.sendall(b"".join(b"get " + key + b"\r\n" for key in keys))
            for _ in keys:
                words = file.readline().split()
                if words[0] == b"VALUE":
                    found[words[1]] = file.read(int(words[3]) + 2)[:-2]
                    file.readline()
        return found


class MemcachedWide(Memcached):
    name = "memcached -R 1000"
    flags = ("-R", "1000")


class Syslog(Server):
    """Writes each message to a file in tmpfs, as it came."""

    @property
    def file(self) -> pathlib.Path:
        return self.folder / "messages"

    def before(self, peer) -> None:
        # Both append: a truncated file begins anew, and the tmpfs does not fill.
        if self.file.exists():
            with open(self.file, "r+b") as file:
                file.truncate(0)

    def count(self, peer) -> int:
        if not self.file.exists():
            return 0
        with open(self.file, "rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

    def values(self, peer, keys: list[bytes]) -> dict[bytes, bytes]:
        found = {}
        with open(self.file, "rb") as file:
            for line in file:
                key, value = line.rstrip(b"\n").rsplit(b": ", 1)
                found[key[-16:]] = value
        return found


class SyslogNg(Syslog):
    name = "syslog-ng"

    def command(self) -> list[str]:
        (self.folder / "conf").write_text(
            "@version: 3.38\n"
            f"source in {{ network(ip(127.0.0.1) port({self.port}) transport(tcp) max-connections(100) "
            "log-iw-size(100000) flags(no-parse)); };\n"
            f'destination out {{ file("{self.file}" template("${{MESSAGE}}\\n")); }};\n'
            "log { source(in); destination(out); flags(flow-control); };\n")
        command = [self.program("syslog-ng"), "-F", "--no-caps", "-f", str(self.folder / "conf"),
                   "-R", str(self.folder / "persist"), "-p", str(self.folder / "pid"), "-c", str(self.folder / "ctl")]
        modules = self.programs.library("syslog-ng")
        versions = sorted(path for path in modules.iterdir() if path.is_dir()) if modules else []
        return command + ([f"--module-path={versions[-1]}"] if versions else [])


class Rsyslog(Syslog):
    name = "rsyslog"

    def command(self) -> list[str]:
        (self.folder / "conf").write_text(
            'module(load="imptcp" threads="1")\n'
            'template(name="raw" type="string" string="%rawmsg%\\n")\n'
            f'input(type="imptcp" address="127.0.0.1" port="{self.port}")\n'
            f'action(type="omfile" file="{self.file}" template="raw")\n')
        return [self.program("rsyslogd"), "-n", "-f", str(self.folder / "conf"), "-i", str(self.folder / "pid"),
                "-M", str(self.programs.library("rsyslog"))]


def redis_replies(port: int, commands: list[list[bytes]]) -> list:
    """Sends all commands at once, returns the replies."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as one, one.makefile("rb") as file:
        one.sendall(b"".join(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
                             for parts in commands))
        return [read_reply(file) for _ in commands]


def read_reply(file):
    line = file.readline().rstrip(b"\r\n")
    if line[:1] == b"-":
        raise PeerError(line.decode())
    if line[:1] == b"$":
        size = int(line[1:])
        return None if size < 0 else file.read(size + 2)[:-2]
    if line[:1] == b"*":
        return [read_reply(file) for _ in range(int(line[1:]))]
    return int(line[1:]) if line[:1] == b":" else line[1:]


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
        return answer.read()
