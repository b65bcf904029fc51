#!/usr/bin/python3
"""Whether anything stored gets into a swap area. As root; makes a swap area of 256 MiB for some seconds, for the whole
machine: hence not among the tests. See tests/faults/swap_test.py, and core_test.py beside it for cores."""

import soak

soak.run_fault_test("swap_test.py", MAYFLY_SWAP_AREA="1")
