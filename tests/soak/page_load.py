#!/usr/bin/python3
"""The page under ten thousand lines a second for 30 s, held to its limits: 95 % of the frames within 50 ms, a heap of
at most 64 MiB, every line shown or counted.

MAYFLY_PAGE_SECONDS and MAYFLY_PAGE_LIMITS: see tests/e2e/page_test.py."""

import soak

soak.run_test("page_test.py", "Load", MAYFLY_PAGE_SECONDS=30, MAYFLY_PAGE_LIMITS=1)
