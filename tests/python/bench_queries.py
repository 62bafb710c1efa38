"""Ask the benchmark's queries with the reference implementation and print what they cost.

Usage: ``bench_queries.py REPO --db URL``. The repository is the one that the benchmark of queries has made;
``tests/benches/peer/sky.rs`` says what is in it.

The workloads, each a number of queries:

``where_100``        100 datasets by a condition on an exposure
``stream``           all datasets of a run, 100,000
``stream_records``   the same with dimension records
``tract_visits``     the visits that overlap a tract, with the tract in their data IDs
``visits_by_tract``  the same without
``calibrations``     the calibrations of 1,000 exposures for a detector
``count``            the number of datasets of a run, 1,000,000

Prints the document of ``bench_peer.py``, where a workload also has ``rows``: the rows of one query. Costs are those of a
query, in the streams those of a row.
"""

import argparse
import logging
import warnings

from bench_peer import Meter
from canonical import show
from lsst.daf.butler import Butler

FIRST_EXPOSURE = 2025010100000


def where_100(butler, i):
    where = f"instrument = 'Bench' AND exposure = {FIRST_EXPOSURE + i} AND exposure.exposure_time > 10"
    return len(butler.query_datasets("bench", "big", where=where))


def stream(butler, i, records=False):
    with butler.query() as query:
        datasets = query.datasets("bench", "stream")
        if records:
            datasets = datasets.with_dimension_records()
        return sum(1 for _ in datasets)


def stream_records(butler, i):
    return stream(butler, i, records=True)


def visits(butler, i, dimensions):
    where = f"instrument = 'Bench' AND skymap = 'bench' AND tract = {i}"
    with butler.query() as query:
        return sum(1 for _ in query.where(where).data_ids(dimensions))


def tract_visits(butler, i):
    return visits(butler, i, ["visit", "tract"])


def visits_by_tract(butler, i):
    return visits(butler, i, ["visit"])


def calibrations(butler, i):
    first = FIRST_EXPOSURE + i * 100
    with butler.query() as query:
        query = query.join_dimensions(["exposure", "detector"]).join_dataset_search("dark", "calibs")
        query = query.where(
            f"instrument = 'Bench' AND detector = 42 AND exposure >= {first} AND exposure < {first + 1000}"
        )
        fields = {"dark": {"dataset_id", "run"}}
        found = query.general(["exposure", "detector"], dataset_fields=fields, find_first=True)
        return sum(1 for _ in found)


def count(butler, i):
    with butler.query() as query:
        return query.datasets("bench", "big").count()


WORKLOADS = [
    (where_100, 50, False),
    (stream, 2, True),
    (stream_records, 1, True),
    (tract_visits, 50, False),
    (visits_by_tract, 50, False),
    (calibrations, 10, False),
    (count, 5, False),
]


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Ask the benchmark's queries.")
    parser.add_argument("repo")
    parser.add_argument("--db", required=True)
    arguments = parser.parse_args()
    butler = Butler.from_config(arguments.repo)
    meter = Meter(arguments.db)
    for ask, queries, by_row in WORKLOADS:
        name = ask.__name__
        rows = ask(butler, 0)
        items = queries * rows if by_row else queries

        def work(ask=ask, queries=queries):
            for i in range(queries):
                ask(butler, i)

        meter.run(name, items, work)
        meter.workloads[name]["rows"] = rows
    show({"implementation": "python", "database": "postgresql", "workloads": meter.workloads})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    main()
