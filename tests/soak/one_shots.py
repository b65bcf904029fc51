#!/usr/bin/python3
"""A hundred thousand writers that connect, send one line, and are gone (MAYFLY_ONE_SHOTS)."""

import soak

soak.run_test("first_light_test.py", "OneShots.test_by_tcp", MAYFLY_ONE_SHOTS=100_000)
