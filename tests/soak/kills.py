#!/usr/bin/python3
"""A thousand kills of ingestd under load, a quarter as many of each other process, and of all at once.

MAYFLY_KILLS, MAYFLY_FIREHOSE_RATE and MAYFLY_SEED: see tests/e2e/kill_test.py."""

import soak

soak.run_test("kill_test.py", MAYFLY_KILLS=1000)
