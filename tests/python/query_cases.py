"""Ask random questions of a repository with the reference implementation's query system.

Usage: ``query_cases.py REPO [--prepare] [--world NAME] [--seed N] [--count N]``. The repository is one of
``make_repo.py`` with all its data, or with ``--world`` the one that ``big.rs`` makes
(``big``), or the one of LATISS data (``latiss``).

``--prepare``
    Adds datasets of more dimensions first, in collections of all types; the repository must not have them.

Prints ``{"cases": [case]}``. A case::

    id          its number
    question    execute, count, any, explain or all_datasets
    options     the arguments of the question: {exact, discard} or {execute, exact}
    arguments   of a query of all dataset types: {name, collections, where, find_first, limit, data_id}, in which case
                there is neither query nor result_spec
    query       the tree, what was uploaded and materialized for it, and the default data ID, in the JSON form of the
                protocol
    result_spec in the JSON form of the protocol
    answer      for execute, the rows; a number, a boolean, or a list of texts
    records     the records that come with general results, by element
    one_of_group  whether the reference takes one of several calibrations that a search finds for a data ID, for which
                the database must be able to pick any value of a group
    order       whether the order of the rows is defined; if not, they are sorted by their canonical text
    all         if rows are limited and their order is not defined, all rows there are without the limit
    error       instead of an answer: {type, detail}

Rows are objects as ``canonical.py`` describes; those of general results are lists of values in the order of the
columns.
"""

import argparse
import json
import logging
import random
import sys
import warnings

from canonical import text, value
from lsst.daf.butler import Butler, CalibrationLookupError, DatasetRef
from lsst.daf.butler.direct_query_driver import DirectQueryDriver
from lsst.daf.butler.queries.result_specs import SerializedResultSpec
from lsst.daf.butler.queries.tree import DATASET_FIELD_NAMES, SerializedQueryTree
from lsst.daf.butler.remote_butler.server_models import (
    DataCoordinateUpload,
    MaterializedQuery,
    QueryExecuteRequestModel,
    QueryInputs,
)
from query_conditions import Conditions
from query_data import DIMENSIONS, ELEMENTS, HOMES, WORLDS, prepare
from query_unions import UnionAsker

# Queries with more rows are passed over, but for some, which must not have more than the second.
MOST_ROWS = 600
MANY_ROWS = 8_000


class Recorder:
    """Remembers what queries upload and materialize."""

    def __init__(self):
        self.inputs = []
        upload, materialize = DirectQueryDriver.upload_data_coordinates, DirectQueryDriver.materialize

        def recording_upload(driver, dimensions, rows, *args, **kwargs):
            rows = list(rows)
            key = upload(driver, dimensions, rows, *args, **kwargs)
            model = DataCoordinateUpload(
                key=key, dimensions=dimensions.to_simple(), rows=[list(row) for row in rows]
            )
            self.inputs.append(model)
            return key

        def recording_materialize(driver, tree, dimensions, datasets, *args, **kwargs):
            key = materialize(driver, tree, dimensions, datasets, *args, **kwargs)
            model = MaterializedQuery(
                key=key,
                tree=SerializedQueryTree(tree.model_copy(deep=True)),
                dimensions=dimensions.to_simple(),
                datasets=list(sorted(datasets)),
                allow_duplicate_overlaps=kwargs.get("allow_duplicate_overlaps", False),
            )
            self.inputs.append(model)
            return key

        DirectQueryDriver.upload_data_coordinates = recording_upload
        DirectQueryDriver.materialize = recording_materialize

    def take(self):
        inputs, self.inputs = self.inputs, []
        return inputs

class Asker(Conditions):
    """Makes questions and asks them."""

    # ---- queries ---------------------------------------------------------------------------------

    def search(self, dataset_type):
        """Choose collections to search."""
        holding = sorted(n for n, i in self.collections.items() if dataset_type.name in i.dataset_types)
        others = sorted(self.collections)
        names = []
        for _ in range(self.rng.choice([1, 1, 2, 3])):
            names.append(self.rng.choice(holding if self.chance(0.9) else others))
        return names

    def related(self, dimensions):
        """Dataset types that share a dimension."""
        found = [t.name for t in self.dataset_types.values() if dimensions.names & t.dimensions.names]
        return found or sorted(self.dataset_types)

    def build(self, query):
        """Make results: a query with all that belongs to it."""
        kind = self.rng.choice(["data_ids", "data_ids", "records", "datasets", "datasets", "datasets", "general", "general"])
        x = query.expression_factory
        self.base = query
        joined = set()
        dataset_type = None
        if kind in ("datasets",) or (kind == "general" and self.chance(0.75)):
            dataset_type = self.dataset_types[self.rng.choice(sorted(self.dataset_types))]
            if dataset_type.name in self.homes and self.chance(0.9):
                self.world = self.homes[dataset_type.name]
            dimensions = dataset_type.dimensions
            searched = self.search(dataset_type)
            if kind == "general":
                query = query.join_dataset_search(dataset_type.name, searched)
            joined.add(dataset_type.name)
        elif kind == "records":
            element = self.universe[self.rng.choice(ELEMENTS)]
            dimensions = element.minimal_group
        else:
            dimensions = self.universe.conform(self.rng.choice(DIMENSIONS))
        all_dimensions = dimensions
        if self.chance(0.3):
            more = self.universe.conform(self.rng.choice(DIMENSIONS))
            if len(all_dimensions.union(more).spatial) <= 2 and self.chance(0.9):
                query = query.join_dimensions(more)
                all_dimensions = all_dimensions.union(more)
        if self.chance(0.4):
            other = self.dataset_types[self.rng.choice(self.related(all_dimensions))]
            if other.name not in joined:
                query = query.join_dataset_search(other.name, self.search(other))
                joined.add(other.name)
                all_dimensions = all_dimensions.union(other.dimensions)
        if self.chance(0.12):
            names = self.rng.choice(sorted(self.data_ids))
            data_ids = self.data_ids[names]
            some = self.rng.sample(data_ids, min(len(data_ids), self.rng.choice([1, 3, 10])))
            query = query.join_data_coordinates(some)
            all_dimensions = all_dimensions.union(self.universe.conform(names))
        query = self.where(query, x, all_dimensions, joined - ({dataset_type.name} if kind == "datasets" else set()))
        if self.chance(0.08):
            kept = sorted(query._tree.datasets) if self.chance(0.7) else ()
            kept_dimensions = query._tree.dimensions
            query = query.materialize(dimensions=kept_dimensions, datasets=kept)
            query = self.where(query, x, kept_dimensions, set(kept))
        order = []
        # Names of dimensions whose keys tell rows apart.
        match kind:
            case "data_ids":
                results = query.data_ids(dimensions)
                order = [getattr(x, name) for name in dimensions.required]
            case "records":
                results = query.dimension_records(element.name)
                order = [getattr(x, name) for name in dimensions.required]
            case "datasets":
                find_first = self.chance(0.6)
                results = query.datasets(dataset_type.name, searched, find_first=find_first)
                order = [getattr(x, name) for name in dimensions.required]
                if not find_first:
                    order.append(x[dataset_type.name].run)
            case _:
                results, order = self.general(query, x, dimensions, all_dimensions, dataset_type)
        if kind == "datasets" and self.chance(0.5):
            test = self.test(x, all_dimensions, {dataset_type.name})
            if test is not None:
                results = results.where(test)
        if kind != "records" and self.chance(0.25):
            results = results.with_dimension_records()
        ordered = False
        if order is not None and self.chance(0.45):
            self.rng.shuffle(order)
            extra = []
            fields = [f for f in self.fields(dimensions) if f[2] not in ("hash", "region", "bool")]
            if fields and kind != "general" and self.chance(0.5):
                element, field, field_type = self.rng.choice(fields)
                proxy = getattr(getattr(x, element), field)
                extra.append(self.rng.choice([proxy.begin, proxy.end]) if field_type == "timespan" else proxy)
            if kind == "datasets" and self.chance(0.3):
                names = ["dataset_id", "run", "ingest_date", "collection"]
                extra.append(getattr(x[dataset_type.name], self.rng.choice(names)))
            order = extra + order
            results = results.order_by(*[term.desc if self.chance(0.3) else term for term in order])
            ordered = True
        limit = None
        if self.chance(0.25):
            limit = self.rng.choice([0, 1, 2, 5, 50])
        return results, ordered, limit

    def general(self, query, x, dimensions, all_dimensions, dataset_type):
        dimension_fields = {}
        for element, field, _ in self.fields(dimensions):
            if self.chance(0.15):
                dimension_fields.setdefault(element, set()).add(field)
        dataset_fields = {}
        find_first = False
        if dataset_type is not None:
            names = sorted(DATASET_FIELD_NAMES)
            wanted = set(self.rng.sample(names, self.rng.randrange(1, len(names) + 1)))
            if self.chance(0.4):
                wanted.discard("timespan")
                wanted = wanted or {"dataset_id"}
            find_first = self.chance(0.4)
            if not find_first:
                # Without it, which of several datasets of a data ID gives the other fields is not defined.
                wanted.add("dataset_id")
            dataset_fields[dataset_type.name] = wanted
        results = query.general(
            dimensions,
            dimension_fields=dimension_fields,
            dataset_fields=dataset_fields,
            find_first=find_first,
        )
        order = [getattr(x, name) for name in dimensions.required]
        if dataset_fields and wanted & {"collection", "timespan"}:
            # One dataset may be in several collections, or valid several times.
            order = None
        elif dataset_fields and not find_first:
            order.append(x[dataset_type.name].dataset_id)
        return results, order

    # ---- questions -------------------------------------------------------------------------------

    def rows(self, driver, spec, tree):
        found = []
        self.page_records = {}
        for page in driver.execute(spec, tree):
            for row in page.rows:
                found.append(self.row(spec, row))
            for name, records in (getattr(page, "dimension_records", None) or {}).items():
                known = self.page_records.setdefault(str(name), {})
                known.update({text(value(record.dataId)): value(record) for record in records})
            if len(found) > self.most_rows:
                return None
        return found

    def row(self, spec, row):
        match spec.result_type:
            case "data_coordinate":
                return self.data_id(row)
            case "dimension_record":
                return value(row)
            case "dataset_ref":
                assert isinstance(row, DatasetRef)
                return {
                    "id": str(row.id),
                    "run": row.run,
                    "dataset_type": row.datasetType.name,
                    "storage_class": row.datasetType.storageClass_name,
                    **self.data_id(row.dataId),
                }
            case _:
                return [value(item) for item in row]

    def data_id(self, data_id):
        found = {"data_id": value(data_id)}
        if data_id.hasRecords():
            found["records"] = {
                name: value(record) if (record := data_id.records[name]) is not None else None
                for name in data_id.dimensions.elements
            }
        return found

    def case(self, query):
        """Make and ask one question; None if it has too many answers."""
        case = {"options": {}, "order": False}
        self.world = self.rng.choice(self.worlds)
        self.most_rows = MOST_ROWS if self.chance(0.95) else MANY_ROWS
        try:
            results, ordered, limit = self.build(query)
        except Exception:
            # Not a query at all, or one of which already what is materialized cannot be had.
            self.recorder.take()
            return None
        driver, tree, spec = results._driver, results._tree, results._spec
        inputs = QueryInputs(
            tree=SerializedQueryTree(tree.model_copy(deep=True)),
            default_data_id=driver._default_data_id.to_simple(minimal=True),
            additional_query_inputs=self.recorder.take(),
        )
        searched = [self.dataset_types[name] for name in tree.datasets]
        case["one_of_group"] = self.has_any_value or not any(t.isCalibration() for t in searched)
        unlimited = spec
        if limit is not None:
            spec = spec.model_copy(update={"limit": limit})
        request = QueryExecuteRequestModel(query=inputs, result_spec=SerializedResultSpec(spec))
        case.update(json.loads(request.model_dump_json()))
        question = self.rng.choice(["execute"] * 7 + ["count", "count", "any", "explain"])
        case["question"] = question
        try:
            match question:
                case "execute":
                    found = self.rows(driver, spec, tree)
                    if found is None:
                        return None
                    case["order"] = ordered
                    if not ordered:
                        found.sort(key=text)
                        if limit is not None:
                            case["all"] = self.rows(driver, unlimited, tree)
                            if case["all"] is None:
                                return None
                    if self.page_records and (ordered or limit is None):
                        case["records"] = {
                            name: [records[key] for key in sorted(records)]
                            for name, records in self.page_records.items()
                        }
                    case["answer"] = found
                case "count":
                    case["options"] = {"exact": self.chance(0.6), "discard": self.chance(0.8)}
                    case["answer"] = driver.count(tree, spec, **case["options"])
                case "any":
                    case["options"] = {"execute": self.chance(0.8), "exact": self.chance(0.6)}
                    case["answer"] = driver.any(tree, **case["options"])
                case _:
                    case["options"] = {"execute": self.chance(0.5)}
                    case["answer"] = sorted(driver.explain_no_results(tree, **case["options"]))
        except CalibrationLookupError as error:
            if limit is not None and question == "execute":
                # Whether ambiguous rows are met that the limit leaves out is not defined.
                return None
            case["error"] = {"type": type(error).__name__, "detail": str(error)}
        except Exception as error:
            case["error"] = {"type": type(error).__name__, "detail": str(error)}
        if not case.get("answer", True) and self.chance(0.6):
            # There are many ways to ask for nothing.
            return None
        return case


def ask(butler, arguments):
    """Make cases."""
    rng = random.Random(arguments.seed)
    worlds, homes = WORLDS[arguments.world], HOMES[arguments.world]
    asker = Asker(butler, rng, Recorder(), worlds, homes, narrow=arguments.world == "big")
    others = [butler.clone(dataId={"instrument": worlds[0]["instrument"]}), butler.clone(dataId=worlds[1 % len(worlds)])]
    askers = [asker, asker, *(asker.bound_to(other) for other in others)]
    unions = UnionAsker(asker)
    cases = []
    while len(cases) < arguments.count:
        if rng.random() < 0.06:
            case = unions.case()
        else:
            chosen = rng.choice(askers)
            with chosen.butler.query() as query:
                case = chosen.case(query)
        if case is not None:
            case["id"] = len(cases)
            cases.append(case)
    return cases


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Ask random questions of a repository.")
    parser.add_argument("repo")
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--world", default="packaged", choices=sorted(WORLDS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(Butler.from_config(arguments.repo, writeable=True))
    cases = ask(Butler.from_config(arguments.repo), arguments)
    json.dump({"cases": cases}, sys.stdout)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    main()
