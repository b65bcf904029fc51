"""The model of the commit protocol (commit.pml), searched exhaustively by spin: without a fault nothing is found, on
x86 and on a weaker CPU; each seeded fault is found; and those that x86 hides are not found there.

Small sizes: tests/soak/model.py has the large ones."""

import sys
import unittest

from spin_run import FAULTS, search

SIZE = ("BATCHES=3", "BUFFER=2")


class Model(unittest.TestCase):
    def test_the_protocol_keeps_its_promises(self) -> None:
        for cpu in ((), ("WEAK",)):
            found = search(*SIZE, "KILLS=1", *cpu)
            print(f"{cpu or 'x86'}: {found.states} states", file=sys.stderr)
            self.assertEqual(found.errors, 0, found.trail)

    def test_every_seeded_fault_is_found(self) -> None:
        for fault in FAULTS:
            with self.subTest(fault.name):
                cpu = ("WEAK",) if fault.weak_only else ()
                found = search(*fault.switches(), *cpu)
                print(f"{fault.name}: found after {found.states} states", file=sys.stderr)
                self.assertEqual(found.errors, 1)

    def test_x86_hides_what_another_cpu_shows(self) -> None:
        for fault in FAULTS:
            # What a reader's CPU reorders is written into the reader there: no store buffer hides it.
            if fault.weak_only and fault.name != "COPY_NOT_ACQUIRED":
                with self.subTest(fault.name):
                    found = search(*fault.switches())
                    self.assertEqual(found.errors, 0, found.trail)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
