"""Write what the Python package makes of calls of its query interface: trees, or errors.

Run from the repository's root with an interpreter that has ``lsst-daf-butler`` installed:

    python butler-core/tests/python/query_api.py
"""

import json
import random
import uuid
from pathlib import Path

from lsst.daf.butler import DatasetType, DimensionUniverse, MissingDatasetTypeError
from lsst.daf.butler.queries import Query
from lsst.daf.butler.queries.driver import QueryDriver
from lsst.daf.butler.queries.result_specs import SerializedResultSpec
from lsst.daf.butler.queries.tree._query_tree import SerializedQueryTree

OUT = Path(__file__).resolve().parents[1] / "data" / "query_api.json"
UNIVERSE = DimensionUniverse()
R = random.Random(23)

DATASET_TYPES = {
    "raw": (["exposure", "detector"], "Exposure"),
    "calexp": (["visit", "detector"], "ExposureF"),
    "bias": (["detector"], "ExposureF"),
    "sky": (["tract"], "DataFrame"),
}


class Driver(QueryDriver):
    """A driver that knows dataset types and nothing else."""

    def __exit__(self, *args):
        return None

    universe = UNIVERSE

    def execute(self, result_spec, tree):
        raise NotImplementedError()

    def materialize(self, tree, dimensions, datasets, allow_duplicate_overlaps=False):
        return uuid.UUID(int=7)

    def upload_data_coordinates(self, dimensions, rows):
        self.uploaded = sorted(rows)
        return uuid.UUID(int=5)

    def count(self, tree, result_spec, *, exact, discard):
        raise NotImplementedError()

    def any(self, tree, *, execute, exact):
        raise NotImplementedError()

    def explain_no_results(self, tree, execute):
        raise NotImplementedError()

    def get_default_collections(self):
        return ("default",)

    def get_dataset_type(self, name):
        if name not in DATASET_TYPES:
            raise MissingDatasetTypeError(name)
        dimensions, storage_class = DATASET_TYPES[name]
        return DatasetType(name, UNIVERSE.conform(dimensions), storage_class)


DIMENSIONS = ["instrument", "detector", "visit", "exposure", "tract", "band", "physical_filter", "htm7"]
CONDITIONS = [
    "",
    "instrument = 'HSC'",
    "visit > 5 AND detector IN (1, 2)",
    "exposure_time > 30",
    "visit.exposure_time > 30 OR band = 'r'",
    "raw.ingest_date > T'2020-01-01'",
    "ingest_date > T'2020-01-01'",
    "NOT (tract = 5 AND band = 'i')",
    "exposure.timespan OVERLAPS visit.timespan",
    "detector.full_name = 'R22_S11'",
    "nonsense > 5",
    "visit = 'a'",
]
DATA_IDS = [{}, {}, {"instrument": "HSC"}, {"visit": 7, "instrument": "HSC"}, {"vizit": 5}, {"detector": "a"}]
COLLECTIONS = [None, ["a"], ["a", "b"]]
ORDERS = [
    [],
    ["visit"],
    ["-visit", "detector"],
    ["exposure_time"],
    ["-visit.timespan.begin"],
    ["timespan.end"],
    ["ingest_date"],
    ["raw.ingest_date"],
    ["bias.run"],
    ["region"],
    ["visit.region"],
    ["tract"],
    [""],
    ["-"],
    ["bogus"],
]
NAMES = ["visit", "visit.exposure_time", "exposure_time", "band", "raw.run", "ingest_date", "detector.full_name"]
BAD_NAMES = ["bogus", "visit.bogus", "timespan.begin", "htm7.region", "visit.id", "detector.raft"]


def some(values, most):
    return R.sample(values, R.randrange(most + 1))


def query_steps():
    steps = []
    for _ in range(R.randrange(4)):
        match R.randrange(4):
            case 0:
                steps.append(["join_dimensions", some(DIMENSIONS, 2)])
            case 1:
                steps.append(["join_dataset_search", R.choice(list(DATASET_TYPES)), R.choice(COLLECTIONS)])
            case 2:
                steps.append(["where", R.choice(CONDITIONS), R.choice(DATA_IDS)])
            case 3 if R.random() < 0.3:
                steps.append(["materialize", some(DIMENSIONS, 3) or None, some(list(DATASET_TYPES), 1) or None])
    return steps


def result_step():
    match R.randrange(5):
        case 0:
            return ["data_ids", R.choice([None, some(DIMENSIONS, 3)])]
        case 1:
            name = R.choice(list(DATASET_TYPES) + ["unknown"])
            return ["datasets", name, R.choice(COLLECTIONS), R.random() < 0.7]
        case 2:
            return ["dimension_records", R.choice(DIMENSIONS + ["visit_detector_region", "vizit"])]
        case _:
            fields = {name: R.sample(["run", "dataset_id", "timespan"], 2) for name in some(list(DATASET_TYPES), 1)}
            elements = {"visit": ["exposure_time"]} if R.random() < 0.3 else {}
            if R.random() < 0.1:
                elements["vizit"] = ["name"]
            names = some(NAMES, 2) + (some(BAD_NAMES, 1) if R.random() < 0.3 else [])
            find_first = R.choice([None, True, False, False])
            return ["general", some(DIMENSIONS, 2), names, elements, fields, find_first]


def refine_steps():
    steps = []
    for _ in range(R.randrange(4)):
        match R.randrange(4):
            case 0:
                steps.append(["where", R.choice(CONDITIONS), R.choice(DATA_IDS)])
            case 1:
                steps.append(["order_by", R.choice(ORDERS)])
            case 2:
                steps.append(["limit", R.choice([None, 0, 10])])
            case 3:
                steps.append(["with_dimension_records"])
    return steps


def perform(subject, step):
    name, *args = step
    match name:
        case "where":
            return subject.where(args[0], args[1])
        case "order_by":
            return subject.order_by(*args[0])
        case "general":
            dimensions, names, elements, fields, find_first = args
            return subject.general(
                dimensions,
                *names,
                dimension_fields={k: set(v) for k, v in elements.items()},
                dataset_fields={k: set(v) for k, v in fields.items()},
                find_first=find_first,
            )
        case "datasets":
            return subject.datasets(args[0], args[1], find_first=args[2])
        case "materialize":
            return subject.materialize(dimensions=args[0], datasets=args[1])
        case "with_dimension_records":
            # Records have no such method.
            return subject.with_dimension_records() if hasattr(subject, name) else subject
    return getattr(subject, name)(*args)


def plain(value):
    """JSON of what is sent, with sets in order."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value.decode() if isinstance(value, bytes) else value


def main():
    rows = []
    n_errors = 0
    while len(rows) < 650:
        steps = [*query_steps(), result_step(), *refine_steps()]
        row = {"steps": steps}
        try:
            subject = Query(Driver())
            for step in steps:
                subject = perform(subject, step)
        except Exception as error:
            n_errors += 1
            if n_errors > 300:
                continue
            row["error"] = type(error).__name__
        else:
            row["tree"] = plain(SerializedQueryTree.from_validated(subject._tree)._serialize())
            row["spec"] = plain(SerializedResultSpec.from_validated(subject._spec)._serialize())
        rows.append(row)
    text = ",\n".join(json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows)
    OUT.write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
