"""Runs unit tests and remembers what came of each."""

import os
import sys
import unittest


class Outcomes(unittest.TestResult):
    """What came of tests: ``document`` is ``{"passed": [name], "failed": {name: text}, "skipped": {name: reason}}``."""

    def __init__(self, name_of):
        super().__init__()
        self.document = {"passed": [], "failed": {}, "skipped": {}}
        self._name_of = name_of

    def run(self, tests):
        """Run the tests; what they print is lost, their names are told on standard error."""
        suite = unittest.TestSuite(tests)
        with open(os.devnull, "w", encoding="utf-8") as nowhere:
            sys.stdout, stdout = nowhere, sys.stdout
            try:
                suite.run(self)
            finally:
                sys.stdout = stdout

    def skip(self, test, reason):
        """Say that a test is not going to run."""
        self.document["skipped"][self._name_of(test)] = reason

    def startTest(self, test):  # noqa: N802
        super().startTest(test)
        print(self._name_of(test), file=sys.stderr, flush=True)

    def stopTest(self, test):  # noqa: N802
        super().stopTest(test)
        name, document = self._name_of(test), self.document
        if name not in document["failed"] and name not in document["skipped"]:
            document["passed"].append(name)

    def addError(self, test, err):  # noqa: N802
        self._failed(test, err)

    def addFailure(self, test, err):  # noqa: N802
        self._failed(test, err)

    def addSubTest(self, test, subtest, err):  # noqa: N802
        if err is not None:
            self._failed(test, err)

    def addSkip(self, test, reason):  # noqa: N802
        self.skip(test, reason)

    def _failed(self, test, err):
        # An error outside of any test has a holder that stands for its class.
        name = self._name_of(test) if isinstance(test, unittest.TestCase) else str(test)
        text = self._exc_info_to_string(err, test)
        known = self.document["failed"].get(name)
        self.document["failed"][name] = text if known is None else f"{known}\n{text}"
