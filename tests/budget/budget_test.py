"""Instructions per record, from received bytes to commit, counted by callgrind and held to a budget.

Run by itself, it prints the figures. A change that needs more than the budget has to say why, here.
"""
import os
import re
import subprocess
import tempfile
import unittest

PROGRAM = os.path.join(os.environ["MAYFLY_TESTS"], "ingest_path")
# 16-byte keys, 100-byte values, 1,024 keys in random order, default quotas: every LOG evicts a record,
# every STATUS replaces one. A quarter of it is reading the command.
BUDGET = {"log": 1250, "status": 1150}


def instructions(kind):
    """(instructions, records) of one run."""
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
             "--toggle-collect=mayfly::bench::counted*", PROGRAM, kind, "65536"],
            capture_output=True, text=True, check=True, timeout=240)
    counted = int(re.search(r"Collected : (\d+)", ran.stderr).group(1))
    records = int(re.search(r"(\d+) records counted", ran.stdout).group(1))
    return counted, records


class Budget(unittest.TestCase):
    def hold(self, kind):
        counted, records = instructions(kind)
        per_record = counted / records
        print(f"{kind}: {per_record:.0f} instructions a record, budget {BUDGET[kind]}", flush=True)
        self.assertGreater(counted, records * 100, "callgrind counted nothing")
        self.assertLessEqual(per_record, BUDGET[kind])

    def test_log(self):
        self.hold("log")

    def test_status(self):
        self.hold("status")


if __name__ == "__main__":
    unittest.main()
