"""What was sent, what was promised, and whether what readers see agrees with it.

Writers send `LOG hist w<i> <n>`, n counting from 1, and note which n a PONG has covered. A record that was sent
and not covered may be there or not, once and for all; all others must be there until eviction takes them, oldest
first. The directory's quotas must let only whole-directory eviction happen, so that what lives is an unbroken end
of the sequence."""

import array
import bisect
import threading

WRITERS = 4


class Writer:
    """What one writer knows. Changed by its thread, read by the checkers."""

    def __init__(self) -> None:
        self.sent = 0
        self.acknowledged = 0  # or known to be beyond promises
        self.covered = 0       # how many a PONG has covered
        # Ranges (first, last) that were sent, and never covered because the connection broke.
        self.unknown_first: list[int] = []
        self.unknown_last: list[int] = []

    def covers(self, number: int) -> None:
        """A PONG: all up to there."""
        self.covered += number - self.acknowledged
        self.acknowledged = number

    def lost_connection(self) -> None:
        if self.sent > self.acknowledged:
            self.unknown_last.append(self.sent)
            self.unknown_first.append(self.acknowledged + 1)
        self.acknowledged = self.sent  # nothing is promised about the range, so nothing is waited for

    def is_promised(self, number: int) -> bool:
        place = bisect.bisect_right(self.unknown_first, number) - 1
        return place < 0 or place >= len(self.unknown_last) or number > self.unknown_last[place]

    def last_promised(self) -> int:
        """0: nothing yet."""
        number = self.acknowledged
        while number > 0 and not self.is_promised(number):
            number = self.unknown_first[bisect.bisect_right(self.unknown_first, number) - 1] - 1
        return number


class History:
    """Thread-safe. Problems are collected, never raised: the threads that find them are not the test's own."""

    def __init__(self) -> None:
        self.writers = [Writer() for _ in range(WRITERS)]
        self.problems: list[str] = []
        self.checked = {"tail records": 0, "gaps": 0, "snapshots": 0, "balances": 0, "values": 0}
        self._lock = threading.Lock()
        self._places = [array.array("Q", [0]) for _ in range(WRITERS)]  # n -> seq as ever seen; 0: not seen
        self._first_seq = 0
        self._suspects: list[tuple[int, int, int]] = []  # (writer, n, first_seq): n was not in that snapshot

    def problem(self, text: str) -> None:
        with self._lock:
            if len(self.problems) < 50:
                self.problems.append(text)

    def read_record(self, record: dict, where: str) -> tuple[int, int] | None:
        """(writer, n) of a record that somebody may have sent; one n has one place for ever."""
        key, line, seq = record.get("key", ""), record.get("line", ""), record["seq"]
        writer = int(key[1:]) if key[:1] == "w" and key[1:].isdecimal() else WRITERS
        if writer >= WRITERS or not line.isdecimal() or not 1 <= int(line) <= self.writers[writer].sent:
            self.problem(f"{where}: a ghost: {record}")
            return None
        number = int(line)
        with self._lock:
            places = self._places[writer]
            if number >= len(places):
                places.frombytes(bytes(8 * (number + 1 - len(places))))
            before, places[number] = places[number], seq
        if before not in (0, seq):
            self.problem(f"{where}: w{writer} {number} twice, as {before} and as {seq}")
        return writer, number

    def check_snapshot(self, records: list[dict], promised: list[int], where: str) -> None:
        """`promised`: last_promised() of each writer when the snapshot was asked for."""
        numbers: list[list[int]] = [[] for _ in range(WRITERS)]
        last_seq = 0
        for record in records:
            if record["seq"] <= last_seq:
                self.problem(f"{where}: seq {record['seq']} after {last_seq}")
            last_seq = record["seq"]
            if (found := self.read_record(record, where)) is not None:
                numbers[found[0]].append(found[1])
        first_seq = records[0]["seq"] if records else 0
        if records and first_seq < self._first_seq:
            self.problem(f"{where}: revived: begins with {first_seq}, another began with {self._first_seq}")
        for writer, seen in enumerate(numbers):
            self._check_writer(writer, seen, promised[writer], first_seq, where)
        with self._lock:
            self.checked["snapshots"] += 1
            self._first_seq = max(self._first_seq, first_seq)

    def _check_writer(self, writer: int, seen: list[int], promised: int, first_seq: int, where: str) -> None:
        for before, after in zip(seen, seen[1:]):
            if after <= before:
                self.problem(f"{where}: w{writer}: {after} after {before}")
            for number in range(before + 1, after):
                if self.writers[writer].is_promised(number):
                    self.problem(f"{where}: w{writer}: {number} was promised, and is missing before {after}")
        newest = seen[-1] if seen else 0
        if newest < promised:
            # Right only if more has come since than the directory holds: known when all places are.
            with self._lock:
                self._suspects.append((writer, promised, first_seq))

    def settle(self) -> None:
        """Judges what could not be judged before. To be called when every reader has seen the end."""
        for writer, number, first_seq in self._suspects:
            later = [seq for seq in self._places[writer][number:] if seq]
            if not later or later[0] >= first_seq:
                self.problem(f"w{writer}: {number} was promised, and is missing in what began with {first_seq}")
        self._suspects.clear()

    def count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self.checked[what] += number


class TailChecker:
    """Follows one stream, over any number of connections."""

    def __init__(self, history: History, where: str) -> None:
        self.history = history
        self.where = where
        self.last_seq = 0
        self.missed = 0
        self.last_number = [0] * WRITERS
        self.after_gap: set[int] = set()  # writers of whom nothing has come since the last gap

    def gap(self, data: dict) -> None:
        if data.get("missed") is None:
            self.history.problem(f"{self.where}: lost the segment: {data}")
            return
        self.missed += data["missed"]
        self.history.count("gaps")

    def record(self, record: dict) -> None:
        if record["seq"] != self.last_seq + 1 + self.missed:
            self.history.problem(f"{self.where}: seq {record['seq']} after {self.last_seq} and {self.missed} missed")
        skipped, self.missed = self.missed, 0
        self.last_seq = record["seq"]
        found = self.history.read_record(record, self.where)
        self.history.count("tail records")
        if found is None:
            return
        writer, number = found
        before, self.last_number[writer] = self.last_number[writer], number
        if number <= before:
            self.history.problem(f"{self.where}: w{writer}: {number} after {before}")
        if skipped:
            self.after_gap = set(range(WRITERS))
        if writer in self.after_gap:
            self.after_gap.discard(writer)  # what lies between was counted as missed
            return
        # The tail is at most as new as what was promised: whatever lies between was, or was never covered.
        for lost in range(before + 1, number):
            if self.history.writers[writer].is_promised(lost):
                self.history.problem(f"{self.where}: w{writer}: {lost} was promised, and never came before {number}")
