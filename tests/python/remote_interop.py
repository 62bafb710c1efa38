"""Compare what a RemoteButler says with what a DirectButler says, on the same repository.

Usage: ``remote_interop.py ROOT [NAME…]``. The repository is one of ``make_repo.py`` with ``base.yaml``, ``datasets.yaml``,
``spatial.yaml``, files and Python's formats, not in memory; tests write to it and tidy up. Names are those of tests
(``Files.test_get_of_every_dataset``) or of classes; all of them by default. ``server_process.py`` says which server the
RemoteButler asks.

Prints ``{"passed": [name], "failed": {name: text}, "skipped": {name: reason}}``.
"""

import argparse
import logging
import os
import unittest
import warnings

import interop_collections
import interop_files
import interop_queries
from agreement import Agreement
from canonical import show
from lsst.daf.butler import Butler
from outcomes import Outcomes
from server_process import ServerProcess

LABEL = "interop"


def name_of(test):
    return f"{type(test).__name__}.{test._testMethodName}"


def tests_of(module, names):
    """Return the tests of a module that have one of these names, or all of them."""
    found = []
    for case in vars(module).values():
        if isinstance(case, type) and issubclass(case, Agreement) and case is not Agreement:
            tests = [case(method) for method in unittest.defaultTestLoader.getTestCaseNames(case)]
            found.extend(t for t in tests if not names or {name_of(t), case.__name__} & set(names))
    return found


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Compare a RemoteButler with a DirectButler.")
    parser.add_argument("root")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    outcomes = Outcomes(name_of)
    # For writing: to open it reads instruments and the like again, as a server must.
    with (
        Butler.from_config(arguments.root, writeable=True) as direct,
        ServerProcess({LABEL: os.path.abspath(arguments.root)}) as server,
        server.remote_butler(LABEL) as remote,
    ):
        Agreement.direct, Agreement.remote = direct, remote
        Agreement.repository = server.repository(LABEL)
        modules = (interop_files, interop_queries, interop_collections)
        outcomes.run([test for module in modules for test in tests_of(module, arguments.names)])
    show(outcomes.document)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
