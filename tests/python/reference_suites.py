"""Run the reference implementation's own tests of registries and queries against a server.

Usage: ``reference_suites.py [--db URL] [NAME…]``. Names are those of tests (``ButlerQueryTests.test_general_query``) or of
classes; all of them by default. ``server_process.py`` says which server it is.

Each test gets a new repository, on SQLite or in a new schema of the PostgreSQL database, and a server of its own. Writing
is done by the package's DirectButler, reading by its RemoteButler: that is its ``HybridButler``.

Prints ``{"passed": [name], "failed": {name: text}, "skipped": {name: reason}}``.
"""

import argparse
import logging
import secrets
import tempfile
import unittest
import warnings

import sqlalchemy
from canonical import show
from lsst.daf.butler import Butler, Config, InvalidQueryError
from lsst.daf.butler.registry.tests import RegistryTests
from lsst.daf.butler.tests._repo_template_cache import make_repo_for_test
from lsst.daf.butler.tests.butler_queries import ButlerQueryTests
from lsst.daf.butler.tests.hybrid_butler import HybridButler
from outcomes import Outcomes
from server_process import ServerProcess

LABEL = "suite"

NOT_APPLICABLE = {
    "testOpaque": "tables of which only the database knows: the protocol does not have them",
    "testAttributeManager": "a table of which only the database knows: the protocol does not have it",
    "testBasicTransaction": "a RemoteButler has no transactions; it would read what is not committed",
    "testNestedTransaction": "a RemoteButler has no transactions",
    **{
        f"testCollectionChain{name}Concurrency": "two DirectButlers that write at once: nothing is read remotely"
        for name in ("Prepend", "Remove", "Replace")
    },
}
"""Tests of which the subject is not what a server does, with the reason."""

database = None
"""URL of the PostgreSQL database, if it is not SQLite."""


class Repositories:
    """Makes a repository with a server for each test."""

    def make_hybrid(self, registry_config=None):
        """Return a HybridButler over a new repository."""
        root = self.enterContext(tempfile.TemporaryDirectory())
        config = Config()
        if registry_config is not None:
            config["registry"] = registry_config
        if database:
            namespace = f"suite_{secrets.token_hex(8)}"
            config["registry", "db"] = database
            config["registry", "namespace"] = namespace
            self.addCleanup(drop_schema, namespace)
        make_repo_for_test(root, config=config, forceConfigRoot=False)
        direct = self.enterContext(Butler.from_config(root, writeable=True))
        server = self.enterContext(ServerProcess({LABEL: root}))
        return HybridButler(server.remote_butler(LABEL), direct)


class Registry(Repositories, RegistryTests, unittest.TestCase):
    """The tests of registries."""

    supportsCollectionRegex = False

    def make_butler(self, registry_config=None):
        """Return the butler to be tested."""
        return self.make_hybrid(registry_config)


class Queries(Repositories, ButlerQueryTests, unittest.TestCase):
    """The tests of queries."""

    def make_butler(self, *args):
        """Return the butler to be tested, with data of these files."""
        butler = self.make_hybrid()
        for filename in args:
            self.load_data(butler, filename)
        return butler


    def check_detector_records(self, results, ids=(1, 2, 3, 4), *args, has_postprocessing=False, **kwargs):
        """Check results as the base class does.

        Its server cannot count the rows of queries of which it drops some after the database; where another one can, the
        count must be right.
        """
        if has_postprocessing and not kwargs.get("doomed", False):
            try:
                count = results.count()
            except InvalidQueryError:
                pass
            else:
                self.assertEqual(count, len(ids))
                has_postprocessing = False
        super().check_detector_records(results, ids, *args, has_postprocessing=has_postprocessing, **kwargs)


def drop_schema(name):
    engine = sqlalchemy.create_engine(database)
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f'DROP SCHEMA IF EXISTS "{name}" CASCADE'))
    engine.dispose()


def name_of(test):
    base = RegistryTests if isinstance(test, Registry) else ButlerQueryTests
    return f"{base.__name__}.{test._testMethodName}"


def main():
    """Run as a command."""
    global database
    parser = argparse.ArgumentParser(description="Run the reference implementation's tests against a server.")
    parser.add_argument("--db", help="URL of a PostgreSQL database")
    parser.add_argument("names", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    database = arguments.db
    outcomes = Outcomes(name_of)
    tests = []
    for case in (Registry, Queries):
        for method in unittest.defaultTestLoader.getTestCaseNames(case):
            test = case(method)
            chosen = {name_of(test), name_of(test).partition(".")[0]} & set(arguments.names)
            if arguments.names and not chosen:
                continue
            if method in NOT_APPLICABLE:
                outcomes.skip(test, NOT_APPLICABLE[method])
            else:
                tests.append(test)
    outcomes.run(tests)
    show(outcomes.document)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    # Tests look for warnings, people do not.
    logging.disable(logging.INFO)
    logging.lastResort = None
    main()
