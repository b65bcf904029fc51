"""From a shell's echo to every reader there is; and writers that are gone before anybody answers."""

import json
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest

import one_shots
import reading
from harness import BIN, DEADLINE_S, Stack, wait_for

# Room for every line of the one-shot writers, so that each can be looked for.
ROOMY = ("directories:\n"
         "  - {kind: log, name: shots, max_keys: 1000000, max_events_per_key: 1000000000, max_total_bytes: 1GiB}\n")


def bash(script: str, port: int) -> subprocess.CompletedProcess:
    return subprocess.run(["bash", "-c", script.replace("4717", str(port))], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=DEADLINE_S, check=True)


class FromAShell(unittest.TestCase):
    ECHO = 'exec 3<>/dev/tcp/127.0.0.1/4717; echo "LOG demo hello world" >&3'

    def follow_in_terminal(self, stack: Stack) -> list[bytes]:
        process = subprocess.Popen([BIN / "mayfly", "tail", "--runtime-dir", stack.runtime_dir, "-f", "demo"],
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        lines: list[bytes] = []
        thread = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, b"")), daemon=True)
        thread.start()
        self.addCleanup(process.stdout.close)
        self.addCleanup(thread.join)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return lines

    def test_a_line_reaches_every_reader(self) -> None:
        with Stack() as stack:
            terminal = self.follow_in_terminal(stack)
            with reading.EventStream(stack.ready["relay"], "/api/v1/tail/demo") as stream:
                self.assertEqual(stream.status, 200)
                self.assertEqual(stream.response.headers.get_content_type(), "text/event-stream")
                bash(self.ECHO, stack.port("ingest"))
                event, record, identifier = next(iter(stream))
            self.assertEqual((event, record["seq"], record["key"], record["line"]), ("record", 1, "hello", "world"))
            self.assertTrue(identifier)
            wait_for("the line in the terminal",
                     lambda: any(line.endswith(b" hello world\n") for line in terminal))
            shown = stack.mayfly("inspect", "--records")
            self.assertEqual(shown.returncode, 0, shown.stderr)
            records = [json.loads(line) for line in shown.stdout.splitlines()[1:]]
            self.assertEqual([(one["directory"], one["key"], one["line"]) for one in records],
                             [("demo", "hello", "world")])
            self.assertEqual(records[0]["time"], record["time"])

    def test_go_is_readable(self) -> None:
        with Stack() as stack:
            shown = bash(self.ECHO + "; IFS= read -r -t 60 reply <&3; printf '%s' \"$reply\"", stack.port("ingest"))
            self.assertEqual(shown.stdout, b"+GO\r")

    def test_shells_that_are_gone_at_once(self) -> None:
        with Stack() as stack:
            port, count = stack.port("ingest"), 40
            bash(f"for i in {{1..{count}}}; do (exec 3<>/dev/tcp/127.0.0.1/4717; echo \"LOG demo k $i\" >&3); done",
                 port)
            state = reading.wait_taken_in(stack, count)
            self.assertEqual((reading.stored(state), reading.dropped(state)), (count, {}))
            lines = [one["line"] for one in reading.get(stack.ready["relay"], "/api/v1/logs/demo").lines()]
            self.assertEqual(sorted(lines, key=int), [str(i + 1) for i in range(count)])


class OneShots(unittest.TestCase):
    def setUp(self) -> None:
        self.file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
        self.addCleanup(self.file.close)
        self.file.write(ROOMY)
        self.file.flush()

    def all_arrive(self, count: int, address_of, threads: int) -> None:
        memory = f"{64 + count // 2000}MiB"
        with Stack("--hub-config", self.file.name, memory=memory) as stack:
            one_shots.send_many(address_of(stack), count, threads)
            state = reading.wait_taken_in(stack, count)
            self.assertEqual(reading.dropped(state), {})
            self.assertEqual(reading.stored(state), count)
            self.assertEqual(reading.imbalances(state), [])
            answer = reading.get(stack.ready["relay"], "/api/v1/logs/shots")
            numbers = [int(one["line"]) for one in answer.lines()]
            self.assertEqual(sorted(numbers), list(range(count)))

    def test_by_tcp(self) -> None:
        count = one_shots.count_from_environment(5000)
        self.all_arrive(count, lambda stack: ("127.0.0.1", stack.port("ingest")), 4)
        print(f"{count} writers of one line by TCP: all stored", file=sys.stderr)

    def test_by_unix_socket(self) -> None:
        self.all_arrive(1000, lambda stack: str(pathlib.Path(stack.ready["ingest_unix"])), 4)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
