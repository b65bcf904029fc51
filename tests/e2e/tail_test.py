"""`mayfly tail -f --url`: goes on across restarts of relayd with exact counts; SIGHUP ends no daemon."""

import json
import os
import signal
import subprocess
import threading
import unittest

from harness import BIN, Stack, wait_for


class RemoteTail:
    """A tail in a process of its own; its lines as they come."""

    def __init__(self, stack: Stack, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [str(BIN / "mayfly"), "tail", "-f", "--json", "--url", stack.ready["relay"], *arguments],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.objects: list[dict] = []
        self.complaints = b""
        self.threads = [threading.Thread(target=self._read), threading.Thread(target=self._hear)]
        for thread in self.threads:
            thread.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.objects.append(json.loads(line))

    def _hear(self) -> None:
        for line in self.process.stderr:
            self.complaints += line

    def lines(self) -> list[str]:
        return [o["line"] if "line" in o else f"gap {o['gap']['missed']}" for o in list(self.objects)]

    def wait_line(self, text: str) -> None:
        wait_for(f"the line {text}, after {self.lines()[-3:]}", lambda: text in self.lines())

    def __enter__(self) -> "RemoteTail":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for thread in self.threads:
            thread.join()
        self.process.stdout.close()
        self.process.stderr.close()


def kill_relayd(stack: Stack, number: int) -> None:
    os.kill(stack.pid("relayd"), number)
    stack.wait_event("started", program="relayd")


class TailTest(unittest.TestCase):
    def test_goes_on_when_relayd_restarts(self) -> None:
        """Killed and ended: what was written meanwhile comes too, in order, nothing twice."""
        with Stack() as stack:
            stack.send(*(b"LOG demo k old-%d" % i for i in range(20)))
            with RemoteTail(stack, "-n", "3", "demo") as tail:
                tail.wait_line("old-19")
                for round_, number in enumerate((signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)):
                    stack.send(b"LOG demo k before-%d" % round_)
                    kill_relayd(stack, number)
                    stack.send(b"LOG demo k after-%d" % round_)
                    tail.wait_line(f"after-{round_}")
                wanted = ["old-17", "old-18", "old-19"]
                for round_ in range(3):
                    wanted += [f"before-{round_}", f"after-{round_}"]
                self.assertEqual(tail.lines(), wanted)
                self.assertIn(b"connecting again", tail.complaints)

    def test_counts_what_was_evicted_meanwhile(self) -> None:
        """Stopped while relayd is replaced and the directory turns over: the gap is exact, also of one key."""
        with Stack() as stack:
            stack.send(b"LOG turn k first", b"LOG turn other x")
            with RemoteTail(stack, "-n", "1", "turn") as everything, RemoteTail(stack, "-n", "1", "turn", "k") as one:
                everything.wait_line("x")
                one.wait_line("first")
                relayd = stack.pid("relayd")
                os.kill(relayd, signal.SIGSTOP)
                for i in range(300):  # 6,000 records of k: 2,048 stay
                    stack.send(*(b"LOG turn k line-%d" % (i * 20 + n) for n in range(20)))
                os.kill(relayd, signal.SIGKILL)
                os.kill(relayd, signal.SIGCONT)
                stack.wait_event("started", program="relayd")
                for tail in (everything, one):
                    tail.wait_line("line-5999")
                    lines = tail.lines()
                    gaps = [int(line.split()[1]) for line in lines if line.startswith("gap")]
                    shown = [line for line in lines if line.startswith("line-")]
                    self.assertEqual(sum(gaps) + len(shown), 6000)
                    self.assertGreater(sum(gaps), 3000)

    def test_ends_at_an_answer_that_stays(self) -> None:
        """No such directory, and no such relay at the start: an error at once."""
        with Stack("--no-hub", "--relay-port", "0") as stack:
            done = stack.mayfly("tail", "-f", "nowhere", "--url", stack.ready["relay"])
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"nowhere", done.stderr)
            done = stack.mayfly("tail", "-f", "demo", "--url", "http://127.0.0.1:1")
            self.assertEqual(done.returncode, 1)

    def test_sighup_ends_no_daemon(self) -> None:
        """relayd and ingestd have no file to read again; they go on."""
        with Stack() as stack:
            stack.send(b"LOG demo k line")
            pids = {program: stack.pid(program) for program in ("relayd", "ingestd", "hubd")}
            for pid in pids.values():
                os.kill(pid, signal.SIGHUP)
            wait_for("relayd to have taken it", lambda: "SIGHUP" in stack.log_text())
            stack.send(b"LOG demo k still")
            self.assertIn(b"still", stack.mayfly("tail", "demo", "--url", stack.ready["relay"]).stdout)
            self.assertEqual(pids, {program: stack.pid(program) for program in pids})


if __name__ == "__main__":
    unittest.main()
