"""kill -9 of every process under load, while the history of what was written is checked.

MAYFLY_KILLS: kills of ingestd; of relayd, hubd and the supervisor there are a quarter as many, and a tenth as many
of all at once. MAYFLY_FIREHOSE_RATE: records a second besides those that are checked, 0 for as many as possible.
MAYFLY_SEED: of the order and the moments of the kills."""

import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import harness
import reading
from harness import BIN, DEADLINE_S, Stack, process_exists, run_mayfly, wait_for
from history_threads import DIRECTORIES, Actors

FLAGS = ("--backoff-first-ms", "1", "--backoff-max-ms", "10", "--healthy-after-ms", "1")
PORTS = ("ingest", "redis", "relay", "hub")
VERIFY_EVERY = 10
MAX_PAUSE_S = 0.03  # before a kill, so that its moment has nothing to do with the last recovery's end


def schedule(kills: int, choose: random.Random) -> list[str]:
    plan = ["ingestd"] * kills + ["relayd", "hubd", "supervisor"] * max(kills // 4, 1)
    plan += ["everything"] * max(kills // 10, 1)
    choose.shuffle(plan)
    return plan


def all_events(stack: Stack) -> list[dict]:
    """Of a stack that has ended: those that were waited for, and the rest."""
    with contextlib.suppress(AssertionError):  # the end
        while True:
            stack.next_event()
    return stack.events


class Kills(unittest.TestCase):
    def setUp(self) -> None:
        self.runtime_dir = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, self.runtime_dir, True)
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False) as file:
            file.write("directories:\n" + DIRECTORIES)
        self.addCleanup(os.unlink, file.name)
        self.hub_file = file.name
        self.logs: list[str] = []
        self.killed: set[int] = set()
        self.exits: list[dict] = []
        self.stack = self.start()
        self.addCleanup(lambda: self.stack.__exit__())

    def start(self, *ports: str) -> Stack:
        stack = Stack(*FLAGS, "--hub-config", self.hub_file, *ports, runtime_dir=self.runtime_dir, keep=True)
        try:
            stack.wait_ready()
        except BaseException:
            stack.__exit__()
            raise
        return stack

    def end(self) -> None:
        """Keeps what the stack has said, and ends what is left of it."""
        self.stack.stop()
        self.logs.append(self.stack.log_text())
        self.exits += [event for event in all_events(self.stack) if event["event"] == "exited"]
        self.stack.__exit__()

    def send_kill(self, pid: int) -> None:
        self.killed.add(pid)
        os.kill(pid, signal.SIGKILL)

    def uninvited_exits(self) -> list[dict]:
        return [event for event in self.exits if event["pid"] not in self.killed]

    def start_again(self) -> None:
        """A new `mayfly up` where the one before was killed, on the same ports."""
        ports = [part for name in PORTS for part in (f"--{name}-port", str(self.stack.port(name)))]
        pids = self.stack.ready["pids"].values()
        self.end()
        self.stack = self.start(*ports)
        wait_for("the end of the orphans", lambda: not any(process_exists(pid) for pid in pids))

    def pids(self) -> dict[str, int]:
        return self.stack.info()["pids"]

    def kill(self, program: str) -> None:
        if program == "everything":
            for pid in self.pids().values():
                self.send_kill(pid)
            self.stack.process.wait(timeout=DEADLINE_S)
            self.start_again()
        elif program == "supervisor":
            self.stack.process.kill()
            self.stack.process.wait(timeout=DEADLINE_S)
            self.start_again()
        else:
            pid = wait_for(program, lambda: self.pids().get(program))
            self.send_kill(pid)
            self.stack.wait_event("exited", program=program, pid=pid, signal=9)
            self.stack.wait_event("started", program=program)

    def wait_service(self, program: str, epoch: int) -> None:
        """Until records are taken in and promised again, and relayd answers."""
        covered = self.actors.covered()
        wait_for("a first commit", lambda: self.actors.covered() > covered)
        if program in ("ingestd", "supervisor", "everything"):
            self.assertGreater(reading.inspect(self.stack)["epoch"], epoch)
        if program != "hubd":
            wait_for("relayd", self.relayd_is_ready)

    def relayd_is_ready(self) -> bool:
        try:
            return reading.get(self.stack.ready["relay"], "/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def verify(self, at_rest: bool = False) -> None:
        """Under full load a file may never hold still for long enough: that says nothing, and is no error."""
        result = run_mayfly("inspect", "--verify", runtime_dir=self.runtime_dir)
        report = json.loads(result.stdout.splitlines()[0])["verify"]
        if at_rest or not report.get("torn_copy"):
            self.assertTrue(report["ok"], report["errors"])

    def firehose(self) -> None:
        rate = os.environ.get("MAYFLY_FIREHOSE_RATE", "0")
        load = subprocess.Popen(
            [BIN / "mayfly", "load", "--runtime-dir", self.runtime_dir, "--json", "--seconds", "1000000",
             "--rate", rate, "--connections", "2", "--keys", "50", "--directories", "2", "--prefix", "fire"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)
        self.load = load

    def report(self, plan: list[str], seconds: float) -> None:
        starts = [int(count) for log in self.logs for count in re.findall(r"(\d+) transactions rolled back", log)]
        resumed, midway = len(starts) - 1, sum(count > 0 for count in starts)
        kinds = ", ".join(f"{plan.count(kind)} of {kind}" for kind in sorted(set(plan)))
        print(f"{len(plan)} kills ({kinds}) in {seconds:.0f} s; {self.actors.covered()} records promised; checked "
              f"{self.actors.history.checked}\nof "
              f"{resumed} starts of ingestd {midway} found a transaction to roll back "
              f"({100 * midway / max(resumed, 1):.1f} %)", file=sys.stderr)

    def test_nothing_promised_is_lost_and_nothing_else_appears(self) -> None:
        seed = int(os.environ.get("MAYFLY_SEED", time.time_ns() % 1_000_000))
        choose = random.Random(seed)
        plan = schedule(int(os.environ.get("MAYFLY_KILLS", 20)), choose)
        print(f"seed {seed}", file=sys.stderr)
        begin = time.monotonic()
        self.actors = Actors(lambda: self.stack)
        self.actors.start()
        try:
            self.firehose()
            for number, program in enumerate(plan, 1):
                epoch = reading.inspect(self.stack)["epoch"]
                time.sleep(choose.uniform(0, MAX_PAUSE_S))
                self.kill(program)
                self.wait_service(program, epoch)
                if number % VERIFY_EVERY == 0:
                    self.verify()
                if self.actors.history.problems:
                    break
        finally:
            self.actors.stop()
        self.assertEqual(self.actors.history.problems, [])
        self.assertIsNone(self.load.poll(), "the firehose ended")
        self.load.kill()
        self.load.wait()
        self.stack.send()
        self.verify(at_rest=True)
        self.assertEqual(self.stack.stop(), 0)
        self.verify(at_rest=True)
        self.end()
        self.assertEqual(self.uninvited_exits(), [], "\n".join(self.logs))
        self.report(plan, time.monotonic() - begin)
        self.assertFalse(pathlib.Path(self.runtime_dir, "segments", "data.aside").exists())
        for checked, count in self.actors.history.checked.items():
            self.assertTrue(count > 0 or checked == "gaps", checked)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
