"""SIGSTOP of each process in turn: meanwhile nobody else waits for it, and then everything goes on.

MAYFLY_STOP_SECONDS: how long each stands still."""

import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest
from collections.abc import Callable

import harness
import reading
from harness import wait_for
from history_threads import DIRECTORIES, Actors
from kill_load import TurningQuotas
from kill_stack import KillStack

# Longer than any stop here: a daemon that stands still is replaced otherwise.
NO_WATCHDOG = ("--watchdog-ms", "600000")


class Stops(unittest.TestCase):
    def setUp(self) -> None:
        self.seconds = float(os.environ.get("MAYFLY_STOP_SECONDS", 2))
        self.runtime_dir = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, self.runtime_dir, True)
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, True)
        quotas = TurningQuotas(os.path.join(folder, "hub.yaml"), DIRECTORIES)
        self.up = KillStack(self.runtime_dir, str(quotas.path), *NO_WATCHDOG)
        self.addCleanup(lambda: self.up.stack.__exit__())
        self.addCleanup(self.up.aimer.end)
        self.actors = Actors(lambda: self.up.stack)
        self.looks = 0

    # --- signs of life, each waited for

    def writing_goes_on(self) -> None:
        covered = self.actors.covered()
        wait_for("a commit", lambda: self.actors.covered() > covered)
        self.looks += 1

    def relayd_answers(self) -> None:
        answer = reading.get(self.up.stack.ready["relay"], "/api/v1/logs/hist?last=5")
        self.assertEqual(answer.status, 200, answer.body)
        self.looks += 1

    def hubd_answers(self) -> None:
        answer = reading.get(self.up.stack.ready["hub"], "/readyz")
        self.assertLess(answer.status, 500, answer.body)
        self.looks += 1

    def the_segment_is_read(self) -> None:
        self.assertEqual(self.up.stack.mayfly("tail", "hist", "-n", "5").returncode, 0)
        self.looks += 1

    def connections_are_taken(self) -> None:
        """By the kernel, for whoever will take them over: the supervisor's listening sockets stay open."""
        self.up.stack.connect().close()
        self.looks += 1

    def stop(self, pid: int, *signs: Callable[[], None]) -> None:
        def meanwhile() -> None:
            for sign in signs:
                sign()
        self.up.stop_for(pid, self.seconds, meanwhile)
        self.writing_goes_on()
        self.relayd_answers()
        self.hubd_answers()

    def test_nobody_waits_for_one_that_stands_still(self) -> None:
        self.actors.start()
        begin = time.monotonic()
        try:
            self.writing_goes_on()
            self.stop(self.up.pid("ingestd"), self.relayd_answers, self.hubd_answers, self.the_segment_is_read,
                      self.connections_are_taken)
            self.stop(self.up.pid("relayd"), self.writing_goes_on, self.hubd_answers, self.the_segment_is_read)
            self.stop(self.up.pid("hubd"), self.writing_goes_on, self.relayd_answers, self.the_segment_is_read)
            self.stop(self.up.stack.process.pid, self.writing_goes_on, self.relayd_answers, self.hubd_answers,
                      self.the_segment_is_read)
        finally:
            self.actors.stop()
        self.assertEqual(self.actors.history.problems, [])
        self.assertEqual(self.up.stack.stop(), 0)
        self.up.end()
        self.assertEqual(self.up.uninvited_exits(), [])
        print(f"each of 4 stood still for {self.seconds:.0f} s; {self.looks} looks at the others; "
              f"{time.monotonic() - begin:.0f} s", file=sys.stderr)
        if "MAYFLY_KILL_REPORT" in os.environ:
            one = {"times": 1, "seconds": self.seconds}
            stopped = {name: one for name in ("ingestd", "relayd", "hubd", "supervisor")}
            pathlib.Path(os.environ["MAYFLY_KILL_REPORT"]).write_text(json.dumps({"stopped": stopped}))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
