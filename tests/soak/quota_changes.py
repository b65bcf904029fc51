#!/usr/bin/python3
"""A hundred quota changes at the hub, with the time each takes to be in force (MAYFLY_QUOTA_CHANGES)."""

import soak

soak.run_test("quota_test.py", "Changes.test_in_force_within_a_second", MAYFLY_QUOTA_CHANGES=100)
