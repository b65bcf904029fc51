"""kill -9 of every process under load, while the history of what was written is checked.

MAYFLY_KILLS: how many, of all kinds together. MAYFLY_FIREHOSE_RATE: records a second besides those that are checked,
0 for as many as possible. MAYFLY_SEED: of the order and the moments of the kills. MAYFLY_KILL_REPORT: a file for the
numbers, as JSON."""

import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import time
import unittest

import harness
import reading
from harness import run_mayfly, wait_for
from history_threads import DIRECTORIES, Actors
from kill_load import Churn, TurningQuotas, firehose
from kill_stack import KillStack

VERIFY_EVERY = 20
LOOK_EVERY = 10        # kills; in between only the writers' progress is waited for
MAX_PAUSE_S = 0.02     # before a kill, so that its moment has nothing to do with the last recovery's end
RECOVERY_ONE_IN = 6    # kills of ingestd that met something under way

# What is killed, and how: shares of the plan.
PLAN = (("ingestd any", 16), ("ingestd batch", 34), ("ingestd move", 14), ("ingestd quotas", 12), ("relayd", 8),
        ("hubd", 8), ("ingestd and relayd", 4), ("supervisor", 2), ("everything", 2))


def schedule(kills: int, choose: random.Random) -> list[str]:
    """Each kind at least once."""
    plan = [kind for kind, share in PLAN for _ in range(max(1, round(kills * share / 100)))]
    choose.shuffle(plan)
    return plan


class Kills(unittest.TestCase):
    def setUp(self) -> None:
        self.seed = int(os.environ.get("MAYFLY_SEED", time.time_ns() % 1_000_000))
        self.choose = random.Random(self.seed)
        self.runtime_dir = harness.make_runtime_dir()
        self.addCleanup(shutil.rmtree, self.runtime_dir, True)
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder, True)
        self.quotas = TurningQuotas(os.path.join(folder, "hub.yaml"), DIRECTORIES)
        self.up = KillStack(self.runtime_dir, str(self.quotas.path))
        self.addCleanup(lambda: self.up.stack.__exit__())
        self.addCleanup(self.up.aimer.end)
        self.killed: collections.Counter[str] = collections.Counter()

    def kill(self, what: str) -> None:
        program, _, aim = what.partition(" ")
        if what == "ingestd and relayd":
            self.up.kill_both()
        elif program == "ingestd":
            if aim == "quotas":
                self.quotas.turn()
            in_recovery = self.choose.randrange(RECOVERY_ONE_IN) == 0
            for _ in range(self.up.kill_ingestd(aim, in_recovery)):
                self.killed["ingestd"] += 1
            return
        elif program == "supervisor":
            self.up.kill_supervisor()
        elif program == "everything":
            self.up.kill_everything()
        else:
            self.up.kill_one(program)
        self.killed[what] += 1

    def wait_service(self, closely: bool) -> None:
        """Until records are taken in and promised again; `closely`: and relayd answers."""
        covered = self.actors.covered()
        wait_for("a first commit", lambda: self.actors.covered() > covered)
        if closely:
            wait_for("relayd", self.relayd_is_ready)

    def relayd_is_ready(self) -> bool:
        try:
            return reading.get(self.up.stack.ready["relay"], "/readyz").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def verify(self, at_rest: bool = False) -> None:
        """Under full load a file may never hold still for long enough: that says nothing, and is no error."""
        result = run_mayfly("inspect", "--verify", runtime_dir=self.runtime_dir)
        report = json.loads(result.stdout.splitlines()[0])["verify"]
        if at_rest or not report.get("torn_copy"):
            self.assertTrue(report["ok"], report["errors"])

    def kill_all_of(self, plan: list[str]) -> None:
        epoch = reading.inspect(self.up.stack)["epoch"]
        for number, what in enumerate(plan, 1):
            time.sleep(self.choose.uniform(0, MAX_PAUSE_S))
            self.kill(what)
            closely = number % LOOK_EVERY == 0
            self.wait_service(closely)
            if closely:
                before, epoch = epoch, reading.inspect(self.up.stack)["epoch"]
                self.assertGreaterEqual(epoch, before)
            if number % VERIFY_EVERY == 0:
                self.verify()
            if self.actors.history.problems:
                return

    def report(self, seconds: float) -> None:
        aimer = self.up.aimer
        found, unaimed = dict(aimer.found), dict(aimer.unaimed)
        numbers = {"kills": dict(self.killed), "found": found, "unaimed": unaimed, "aimed": aimer.aimed,
                   "hits": aimer.hits, "not_seen": aimer.not_seen, "inside_recovery": aimer.inside_recovery,
                   "covered": self.actors.covered(), "checked": self.actors.history.checked,
                   "seconds": round(seconds)}
        if "MAYFLY_KILL_REPORT" in os.environ:
            pathlib.Path(os.environ["MAYFLY_KILL_REPORT"]).write_text(json.dumps(numbers))
        kills, seen = sum(self.killed.values()), max(sum(found.values()), 1)
        print(f"{kills} kills {dict(self.killed)} in {seconds:.0f} s; {numbers['covered']} records promised; checked "
              f"{numbers['checked']}\nfound by the dead ingestd's undo log: {found} "
              f"({100 * (seen - found.get('nothing', 0)) / seen:.0f} % in mid-batch), without aim {unaimed}; "
              f"successor too quick {aimer.not_seen}, killed inside recovery {aimer.inside_recovery}", file=sys.stderr)

    def test_nothing_promised_is_lost_and_nothing_else_appears(self) -> None:
        plan = schedule(int(os.environ.get("MAYFLY_KILLS", 40)), self.choose)
        print(f"seed {self.seed}", file=sys.stderr)
        begin = time.monotonic()
        self.actors = Actors(lambda: self.up.stack)
        self.actors.start()
        churn = Churn(lambda: self.up.stack, self.seed)
        load = firehose(self.runtime_dir)
        self.addCleanup(load.wait)
        self.addCleanup(load.kill)
        try:
            self.kill_all_of(plan)
        finally:
            churn.stop()
            self.actors.stop()
        self.assertEqual(self.actors.history.problems, [])
        self.assertIsNone(load.poll(), "the firehose ended")
        load.kill()
        load.wait()
        self.up.stack.send()
        self.verify(at_rest=True)
        self.assertEqual(self.up.stack.stop(), 0)
        self.verify(at_rest=True)
        self.up.end()
        self.assertEqual(self.up.uninvited_exits(), [], "\n".join(self.up.logs))
        self.assertFalse(pathlib.Path(self.runtime_dir, "segments", "data.aside").exists())
        for checked, count in self.actors.history.checked.items():
            self.assertTrue(count > 0 or checked == "gaps", checked)
        self.report(time.monotonic() - begin)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
