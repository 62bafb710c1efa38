"""Run the benchmark's bulk workloads with the reference implementation and print what they cost.

Usage: ``bench_peer.py WORKDIR [--db URL] [--import N] [--ingest-direct N] [--ingest-copy N] [--find N] [--only NAME…]``

WORKDIR is a directory, created when it is missing, for repositories and files; nothing in it is removed. Without
``--db`` the registries are SQLite files; with a PostgreSQL URL each repository takes a new schema, which stays.

The workloads, in this order (``tests/README.md`` says how another implementation runs the same):

``registry_import``   N dataset references with given IDs into an empty run, files not involved
``ingest_direct``     N files of about 100 bytes, one dataset each, transfer mode ``direct``
``ingest_copy``       N such files, transfer mode ``copy``
``transfer_copy``     the datasets of ``ingest_copy`` into an empty repository, with dimension records and dataset
                      types, transfer mode ``copy``
``find_dataset``      N look-ups, one by one, in a chain of 6 runs; the i-th is found in the run i modulo 6

Prints::

    {"implementation": "python", "version", "database": "postgresql" | "sqlite",
     "workloads": {name: {"count", "seconds", "per_second", "client_cpu_us_each", "postgres_cpu_us_each"}}}

``postgres_cpu_us_each`` (null on SQLite) is the processor time, user and system, that all processes of the server spent
in the meantime: it is read from /proc as the sum over the postmaster, its children, and those that it has reaped; one
tick is 10 ms.
"""

import argparse
import json
import logging
import os
import time
import uuid
import warnings
from importlib.metadata import version

import astropy.time
import sqlalchemy
from canonical import show
from lsst.daf.butler import (
    Butler,
    CollectionType,
    Config,
    DataCoordinate,
    DatasetRef,
    DatasetType,
    FileDataset,
    Timespan,
)

INSTRUMENT = "Bench"
DETECTORS = 100
CHAIN_LENGTH = 6
JSON_FORMATTER = "lsst.daf.butler.formatters.json.JsonFormatter"


class ServerClock:
    """Processor time of a PostgreSQL server on this machine."""

    def __init__(self, url):
        with sqlalchemy.create_engine(url).connect() as connection:
            backend = connection.execute(sqlalchemy.text("SELECT pg_backend_pid()")).scalar_one()
            self._postmaster = int(self._fields(backend)[1])
        self._tick = os.sysconf("SC_CLK_TCK")

    @staticmethod
    def _fields(pid):
        """Return the fields of /proc/PID/stat after the command: state, parent, …"""
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stream:
            return stream.read().rpartition(")")[2].split()

    def seconds(self):
        """Return the time until now. Children that end pass what they used on to the postmaster."""
        ticks = 0
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                fields = self._fields(name)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(name) == self._postmaster or int(fields[1]) == self._postmaster:
                # user, system, and those of reaped children
                ticks += sum(int(field) for field in fields[11:15])
        return ticks / self._tick


class Meter:
    """Measures workloads."""

    def __init__(self, url):
        self._clock = ServerClock(url) if url else None
        self.workloads = {}

    def run(self, name, count, work):
        """Run the work, which handles so many items, and note what it cost."""
        server = self._clock.seconds() if self._clock else 0.0
        client = time.process_time()
        start = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - start
        client = time.process_time() - client
        server_each = (self._clock.seconds() - server) / count * 1e6 if self._clock else None
        self.workloads[name] = {
            "count": count,
            "seconds": seconds,
            "per_second": count / seconds,
            "client_cpu_us_each": client / count * 1e6,
            "postgres_cpu_us_each": server_each,
        }
        return result


def make_repository(root, url):
    config = Config()
    if url:
        config["registry", "db"] = url
        config["registry", "namespace"] = f"bench_{uuid.uuid4().hex}"
    Butler.makeRepo(root, config=config)
    return Butler.from_config(root, writeable=True)


def exposure_id(index):
    return 2025010100000 + index


def insert_dimensions(butler, exposures):
    """Insert one instrument with 100 detectors and so many exposures of one night."""
    insert = butler.registry.insertDimensionData
    insert("instrument", {"name": INSTRUMENT, "detector_max": DETECTORS, "class_name": "bench.Instrument"})
    insert("physical_filter", {"instrument": INSTRUMENT, "name": "Bench-R", "band": "r"})
    insert("day_obs", {"instrument": INSTRUMENT, "id": 20250101})
    insert(
        "detector",
        *({"instrument": INSTRUMENT, "id": d, "full_name": f"D{d:03}"} for d in range(DETECTORS)),
    )
    insert("group", *({"instrument": INSTRUMENT, "name": f"group{i}"} for i in range(exposures)))
    begin = astropy.time.Time("2025-01-01T20:00:00", scale="tai")
    insert(
        "exposure",
        *(
            {
                "instrument": INSTRUMENT,
                "id": exposure_id(i),
                "obs_id": f"BE_O_20250101_{i:06}",
                "physical_filter": "Bench-R",
                "group": f"group{i}",
                "day_obs": 20250101,
                "exposure_time": 30.0,
                "timespan": Timespan(
                    begin + astropy.time.TimeDelta(40.0 * i, format="sec"),
                    begin + astropy.time.TimeDelta(40.0 * i + 30.0, format="sec"),
                ),
            }
            for i in range(exposures)
        ),
    )


def make_refs(butler, dataset_type, run, count):
    """Return so many references: all detectors of the first exposure, of the second, …"""
    dimensions = dataset_type.dimensions
    return [
        DatasetRef(
            dataset_type,
            DataCoordinate.from_required_values(
                dimensions,
                tuple(
                    {
                        "instrument": INSTRUMENT,
                        "detector": i % DETECTORS,
                        "exposure": exposure_id(i // DETECTORS),
                    }[name]
                    for name in dimensions.required
                ),
            ),
            run=run,
            id=uuid.uuid4(),
        )
        for i in range(count)
    ]


def write_files(directory, count):
    """Write small JSON files, 1,000 to a directory."""
    paths = []
    for i in range(count):
        if i % 1000 == 0:
            folder = os.path.join(directory, f"{i // 1000:04}")
            os.makedirs(folder, exist_ok=True)
        paths.append(os.path.join(folder, f"{i:07}.json"))
        with open(paths[-1], "w", encoding="ascii") as stream:
            json.dump({"index": i, "padding": "x" * 70}, stream)
    return paths


def file_datasets(butler, dataset_type, run, paths):
    refs = make_refs(butler, dataset_type, run, len(paths))
    return [
        FileDataset(path=path, refs=[ref], formatter=JSON_FORMATTER)
        for path, ref in zip(paths, refs, strict=True)
    ]


def run_workloads(arguments):
    """Run everything and return the document."""
    os.makedirs(arguments.workdir, exist_ok=True)
    directory = os.path.abspath(arguments.workdir)
    meter = Meter(arguments.db)
    wanted = set(arguments.only)

    def want(name):
        return not wanted or name in wanted

    butler = make_repository(os.path.join(directory, "source"), arguments.db)
    counts = [arguments.imported, arguments.ingest_direct, arguments.ingest_copy, arguments.find]
    insert_dimensions(butler, max(1, -(-max(counts) // DETECTORS)))
    dataset_type = DatasetType(
        "bench", ["instrument", "exposure", "detector"], "StructuredDataDict", universe=butler.dimensions
    )
    butler.registry.registerDatasetType(dataset_type)

    if want("registry_import"):
        butler.collections.register("import")
        refs = make_refs(butler, dataset_type, "import", arguments.imported)
        meter.run("registry_import", len(refs), lambda: butler.registry._importDatasets(refs, expand=False))
    for mode, count in (("direct", arguments.ingest_direct), ("copy", arguments.ingest_copy)):
        if not want(f"ingest_{mode}") and not (mode == "copy" and want("transfer_copy")):
            continue
        run = f"ingest_{mode}"
        butler.collections.register(run)
        files = file_datasets(butler, dataset_type, run, write_files(os.path.join(directory, mode), count))
        meter.run(run, count, lambda: butler.ingest(*files, transfer=mode))
    if want("transfer_copy"):
        refs = butler.query_datasets("bench", "ingest_copy", limit=None)
        target = make_repository(os.path.join(directory, "target"), arguments.db)
        meter.run(
            "transfer_copy",
            len(refs),
            lambda: target.transfer_from(
                butler, refs, transfer="copy", register_dataset_types=True, transfer_dimensions=True
            ),
        )
    if want("find_dataset"):
        runs = [f"chain_{i}" for i in range(CHAIN_LENGTH)]
        for run in runs:
            butler.collections.register(run)
        refs = []
        for i, run in enumerate(runs):
            found_there = make_refs(butler, dataset_type, run, arguments.find)[i::CHAIN_LENGTH]
            butler.registry._importDatasets(found_there, expand=False)
            refs.extend(found_there)
        butler.collections.register("chain", CollectionType.CHAINED)
        butler.collections.redefine_chain("chain", runs)
        refs.sort(key=lambda ref: ref.dataId.required_values)

        def find():
            for ref in refs:
                found = butler.find_dataset("bench", ref.dataId, collections="chain")
                if found.id != ref.id:
                    raise RuntimeError(f"found {found} for {ref}")

        meter.run("find_dataset", len(refs), find)
    return {
        "implementation": "python",
        "version": version("lsst-daf-butler"),
        "database": "postgresql" if arguments.db else "sqlite",
        "workloads": meter.workloads,
    }


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Benchmark the reference implementation.")
    parser.add_argument("workdir")
    parser.add_argument("--db", help="URL of a PostgreSQL database on this machine")
    parser.add_argument("--import", dest="imported", type=int, default=100_000)
    parser.add_argument("--ingest-direct", type=int, default=20_000)
    parser.add_argument("--ingest-copy", type=int, default=5_000)
    parser.add_argument("--find", type=int, default=1_000)
    parser.add_argument("--only", action="append", default=[])
    show(run_workloads(parser.parse_args()))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
