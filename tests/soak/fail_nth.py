#!/usr/bin/python3
"""Every system call and every allocation of every program, failed once in turn: hours. MAYFLY_FAULT_PARTS=I/N does the
I-th of N parts; scenario names (ingestd, relayd, hubd, up, mayfly) as MAYFLY_FAULT_PROGRAMS do only those.

What it prints last for each program is what was counted, injected and broken. See tests/faults/fail_nth_test.py."""

import os

import soak

soak.run_fault_test("fail_nth_test.py", *os.environ.get("MAYFLY_FAULT_PROGRAMS", "").split(), MAYFLY_FAULTS="all")
