"""Runs every independent client here against the real daemon.

Needs larderd and larderctl (LARDERD, LARDERCTL) and the packages of requirements.txt. Ends with the line
`python: N passed, N failed`.
"""

import pathlib
import sys
import unittest

if __name__ == "__main__":
    folder = pathlib.Path(__file__).parent
    sys.path.insert(0, str(folder))
    outcome = unittest.TextTestRunner(verbosity=2).run(unittest.defaultTestLoader.discover(folder, "*_test.py"))
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"python: {outcome.testsRun - failed} passed, {failed} failed")
    sys.exit(0 if failed == 0 and outcome.testsRun > 0 else 1)
