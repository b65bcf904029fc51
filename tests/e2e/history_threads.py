"""The writers and readers of a history (history.py). Each goes on through kills until it is told to stop."""

import http.client
import json
import socket
import threading
from collections.abc import Callable

import reading
from harness import DEADLINE_S, Stack
from history import WRITERS, History, TailChecker

BATCH = 25
LOOK_PAUSE_S = 0.05  # between looks: each starts a process
PAUSE_S = 0.005  # between batches: the directory shall hold what was written during a second or more

# Only whole-directory eviction happens in hist; state has one key a writer.
DIRECTORIES = ("  - {kind: log, name: hist, max_total_bytes: 128KiB, max_events_per_key: 1000000000, reserve: 1MiB}\n"
               "  - {kind: status, name: state, reserve: 1MiB}\n"
               "  - {kind: log, pattern: \"fire*\", max_keys: 40, max_events_per_key: 100, max_bytes_per_key: 16KiB}\n")


class Stopped(Exception):
    """The server takes no records at the moment, or is gone."""


class Actors:
    """All threads of a run. `current` gives the stack of the moment; its ports stay the same."""

    def __init__(self, current: Callable[[], Stack]) -> None:
        self.history = History()
        self.current = current
        self.stopping = threading.Event()
        self.writers_done = threading.Event()
        self.writers = [threading.Thread(target=self._guarded, args=(self._write, i)) for i in range(WRITERS)]
        self.readers = [threading.Thread(target=self._guarded, args=(one,)) for one in (self._follow, self._look)]

    def start(self) -> None:
        for thread in self.writers + self.readers:
            thread.start()

    def stop(self) -> None:
        """Ends the writers, lets the readers see the end, and judges."""
        self.stopping.set()
        for thread in self.writers:
            thread.join(timeout=DEADLINE_S)
        self.writers_done.set()
        self._write_once(0)  # whoever has seen all that there was wakes up, and ends
        for thread in self.readers:
            thread.join(timeout=DEADLINE_S)
        if any(thread.is_alive() for thread in self.writers + self.readers):
            self.history.problem("a thread did not end")
        self.history.settle()

    def covered(self) -> int:
        """Records that a PONG has covered so far."""
        return sum(writer.covered for writer in self.history.writers)

    def _guarded(self, run: Callable, *arguments: int) -> None:
        try:
            run(*arguments)
        except Exception as error:  # pylint: disable=broad-except
            self.history.problem(f"{run.__name__}: {error!r}")

    # --- writing

    def _write(self, index: int) -> None:
        while not self.stopping.is_set():
            try:
                with self.current().connect() as connection, connection.makefile("rb") as replies:
                    self._await_go(replies)
                    while not self.stopping.is_set():
                        self._send_batch(index, connection, replies)
                        self.stopping.wait(PAUSE_S)
            except (OSError, Stopped):
                self.history.writers[index].lost_connection()
                self.stopping.wait(PAUSE_S)

    def _write_once(self, index: int) -> None:
        with self.current().connect() as connection, connection.makefile("rb") as replies:
            self._await_go(replies)
            self._send_batch(index, connection, replies)

    def _await_go(self, replies) -> None:
        while (line := replies.readline()) != b"+GO\r\n":
            if not line.startswith(b"-STOP"):
                raise Stopped

    def _send_batch(self, index: int, connection: socket.socket, replies) -> None:
        writer = self.history.writers[index]
        first, last = writer.sent + 1, writer.sent + BATCH
        lines = [b"LOG hist w%d %d" % (index, number) for number in range(first, last + 1)]
        lines += [b"STATUS state w%d %d" % (index, last), b"PING %d" % last]
        writer.sent = last
        connection.sendall(b"\n".join(lines) + b"\n")
        while (line := replies.readline().strip()) != b"%d" % last:
            if not line.startswith(b"$"):
                raise Stopped  # the end, or -STOP: whether it covers the batch is not known
        writer.covers(last)

    # --- reading

    def _follow(self) -> None:
        """One stream, resumed after each break, until it has shown the last number of every writer."""
        checker = TailChecker(self.history, "tail")
        cursor = ""
        while not self._has_seen_all(checker):
            try:
                path = "/api/v1/tail/hist?last=1000000000"
                with reading.EventStream(self.current().ready["relay"], path, cursor) as stream:
                    if stream.status != 200:
                        continue
                    for event, data, identifier in stream:
                        cursor = identifier or cursor
                        if event == "gap":
                            checker.gap(data)
                        else:
                            checker.record(data)
                        if self.writers_done.is_set() and self._has_seen_all(checker):
                            return
            except (OSError, http.client.HTTPException):
                self.writers_done.wait(PAUSE_S)

    def _has_seen_all(self, checker: TailChecker) -> bool:
        if not self.writers_done.is_set():
            return False
        return all(seen >= writer.last_promised()
                   for seen, writer in zip(checker.last_number, self.history.writers))

    def _look(self) -> None:
        """Snapshots by both ways, and the counters, in turn; once more when all is written."""
        looks = (self._look_by_http, self._look_by_inspect, self._look_by_tail, self._look_at_counters,
                 self._look_at_values)
        stored: dict[tuple[str, str], int] = {}
        ended = False
        while not ended:
            ended = self.writers_done.is_set()
            for look in looks:
                self.writers_done.wait(LOOK_PAUSE_S)
                try:
                    look(stored)
                except (OSError, http.client.HTTPException):
                    if ended:
                        raise
                    self.writers_done.wait(PAUSE_S)

    def _promised(self) -> list[int]:
        return [writer.last_promised() for writer in self.history.writers]

    def _look_by_http(self, _: dict) -> None:
        promised = self._promised()
        answer = reading.get(self.current().ready["relay"], "/api/v1/logs/hist")
        if answer.status == 200:
            self.history.check_snapshot(answer.lines(), promised, "HTTP")
        elif answer.status != 503:
            self.history.problem(f"HTTP: {answer.status} {answer.body!r}")

    def _look_by_inspect(self, _: dict) -> None:
        self._look_by_command("inspect", "--records")

    def _look_by_tail(self, _: dict) -> None:
        self._look_by_command("tail", "hist", "-n", "1000000000", "--json")

    def _look_by_command(self, *command: str) -> None:
        """At the segment itself, whoever else is alive."""
        promised = self._promised()
        result = self.current().mayfly(*command)
        if result.returncode == 0:
            records = [json.loads(line) for line in result.stdout.splitlines()]
            if command[0] == "inspect":
                records = [record for record in records[1:] if record["directory"] == "hist"]
            self.history.check_snapshot(records, promised, "mayfly " + command[0])
        elif promised != [0] * WRITERS:
            self.history.problem(f"mayfly {command[0]}: {result.returncode} {result.stderr!r}")

    def _look_at_counters(self, stored: dict[tuple[str, str], int]) -> None:
        state = reading.inspect(self.current())
        for wrong in reading.imbalances(state):
            self.history.problem(f"counters: {wrong}")
        for directory in state["directories"]:
            name = (directory["kind"], directory["name"])
            if directory["stored"] < stored.get(name, 0):
                self.history.problem(f"counters: {name} stored {directory['stored']} after {stored[name]}")
            stored[name] = directory["stored"]
        self.history.count("balances", len(state["directories"]))

    def _look_at_values(self, _: dict) -> None:
        promised = self._promised()
        result = self.current().mayfly("get", "state", "--json")
        if result.returncode != 0:
            if any(promised):
                self.history.problem(f"mayfly get: {result.returncode} {result.stderr!r}")
            return
        values = {one["key"]: int(one["value"]) for one in map(json.loads, result.stdout.splitlines())}
        for index, least in enumerate(promised):
            value = values.get(f"w{index}", 0)
            if not least <= value <= self.history.writers[index].sent:
                self.history.problem(f"state w{index}: {value}, while {least} was promised")
            self.history.count("values")
