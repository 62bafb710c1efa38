"""Make the repositories of ``cases/``, and answer their queries with the reference implementation.

Usage: ``query_suite.py``, with ``{"repositories", "groups", "places"}`` on standard input: what the files of ``cases/``
have, as ``repositories.yaml`` describes it, and where each repository is to be: ``{name: {root, db, namespace}}``, of
which the last two are null for SQLite.

Prints ``{"answers": [outcome]}``, in the order of all cases::

    rows      what is shown of each row: one value, or a list of values
    counts    numbers of rows, or errors: [exact, exact without discarding, at most, at most without discarding]
    any       whether there are rows: [exact, at most, at most without executing, exact without executing], or errors
    reasons   the explanation, sorted
    error     instead: {type, detail}

Times are TAI text with nanoseconds; a timespan is a list of two, of which unbounded ones are null, and empty if there is
nothing in it.
"""

import json
import logging
import sys
import uuid
import warnings

import astropy.time
from canonical import text, value
from lsst.daf.butler import (
    Butler,
    CollectionType,
    Config,
    DataCoordinate,
    DatasetRef,
    DatasetType,
    DimensionRecord,
    Timespan,
)
from lsst.daf.butler.queries.tree import SerializedQueryTree
from lsst.daf.butler.registry import RegistryDefaults
from lsst.sphgeom import HtmPixelization, LonLat, Region

REGISTRY_DATA = "resource://lsst.daf.butler/tests/registry_data/"
SIMPLE = ("query_dimension_records", "query_data_ids", "query_datasets", "query_all_datasets")


def time(iso):
    return None if iso is None else astropy.time.Time(iso, scale="tai", format="isot")


def literal(butler, given):
    """Make a value of its form in a case."""
    match given:
        case list():
            return [literal(butler, item) for item in given]
        case {"time": iso}:
            return time(iso)
        case {"timespan": [begin, end]}:
            return Timespan(time(begin), time(end))
        case {"pos": pos}:
            return Region.from_ivoa_pos(pos)
        case {"pixel": index}:
            return HtmPixelization(7).pixel(index)
        case {"point": [ra, dec]}:
            return LonLat.fromDegrees(ra, dec)
        case {"uuid": hexadecimal}:
            return uuid.UUID(hexadecimal)
        case {"region_of": element, "data_id": data_id}:
            (record,) = butler.query_dimension_records(element, data_id=data_id)
            return record.region
        case _:
            return given


def literals(butler, given):
    return {name: literal(butler, item) for name, item in (given or {}).items()}


# ---- repositories ------------------------------------------------------------------------------------


def create(place, description):
    config = Config()
    if place["db"] is not None:
        config["registry", "db"] = place["db"]
        config["registry", "namespace"] = place["namespace"]
    Butler.makeRepo(place["root"], config=config, forceConfigRoot=False)
    butler = Butler.from_config(place["root"], writeable=True)
    for file in description["data"]:
        butler.import_(filename=REGISTRY_DATA + file, without_datastore=True)
    for step in description.get("steps", []):
        perform(butler, step)
    return butler


def perform(butler, step):
    """Write what a step of a repository's description says."""
    registry = butler.registry
    match step:
        case {"records": element, "rows": rows}:
            registry.insertDimensionData(element, *[literals(butler, row) for row in rows])
        case {"tag": name, "type": dataset_type, "run": run, "where": where}:
            butler.collections.register(name, CollectionType.TAGGED)
            registry.associate(name, butler.query_datasets(dataset_type, run, where=where, instrument="Cam1"))
        case {"certify": name, "type": dataset_type, "run": run, "where": where}:
            butler.collections.register(name, CollectionType.CALIBRATION)
            span = Timespan(time(step.get("begin")), time(step.get("end")))
            span = Timespan.makeEmpty() if step.get("never") else span
            registry.certify(name, butler.query_datasets(dataset_type, run, where=where, instrument="Cam1"), span)
        case {"run": name}:
            butler.collections.register(name)
            if "type" in step:
                registry.insertDatasets(step["type"], step["data_ids"], run=name)
        case {"type": name, "dimensions": dimensions, "storage_class": storage_class}:
            registry.registerDatasetType(DatasetType(name, dimensions, storage_class, universe=butler.dimensions))
        case {"chain": name, "children": children}:
            butler.collections.register(name, CollectionType.CHAINED)
            butler.collections.redefine_chain(name, children)
        case _:
            raise ValueError(step)


# ---- queries -----------------------------------------------------------------------------------------


def where(butler, step):
    """Return the arguments of a condition."""
    return (step.get("data_id", {}), step["where"]), {"bind": literals(butler, step.get("bind"))}


def predicate(butler, step):
    tree = {"dimensions": step["dimensions"], "predicate": {"operands": step["predicate"]}}
    return SerializedQueryTree(tree).validated(universe=butler.dimensions).predicate


def take_step(butler, query, step):
    """Take a step of the fluent interface."""
    match step:
        case {"join_dimensions": dimensions}:
            return query.join_dimensions(dimensions)
        case {"join_dataset_search": name}:
            return query.join_dataset_search(name, step.get("collections"))
        case {"join_data_coordinates": dimensions, "rows": rows}:
            dimensions = butler.dimensions.conform(dimensions)
            data_ids = [DataCoordinate.standardize(row, dimensions=dimensions) for row in rows]
            return query.join_data_coordinates(data_ids)
        case {"where": _}:
            arguments, options = where(butler, step)
            return query.where(*arguments, **options)
        case {"predicate": _}:
            return query.where(predicate(butler, step))
        case {"materialize": _}:
            return query.materialize(dimensions=step.get("dimensions"), datasets=step.get("datasets"))
        case {"allow_duplicate_overlaps": allow}:
            query._allow_duplicate_overlaps = allow
            return query
        case {"data_ids": dimensions}:
            return query.data_ids(dimensions)
        case {"dimension_records": element}:
            return query.dimension_records(element)
        case {"datasets": name}:
            return query.datasets(name, step.get("collections"), find_first=step.get("find_first", True))
        case {"general": dimensions}:
            return query.general(
                dimensions,
                *step.get("names", []),
                dimension_fields={k: set(v) for k, v in step.get("dimension_fields", {}).items()},
                dataset_fields={k: set(v) for k, v in step.get("dataset_fields", {}).items()},
                find_first=step.get("find_first"),
            )
        case {"order_by": terms}:
            return query.order_by(*terms)
        case {"limit": limit}:
            return query.limit(limit)
        case {"with_dimension_records": True}:
            return query.with_dimension_records()
    raise ValueError(step)


def fluent(butler, query, steps):
    """Take all steps, and return the results and rows."""
    tuples = None
    for step in steps:
        if "tuples" in step:
            tuples = butler.get_dataset_type(step["tuples"])
        else:
            query = take_step(butler, query, step)
    if tuples is None:
        return query, list(query)
    return query, [(row.data_id, row.refs[0]) for row in query.iter_tuples(tuples)]


def simple(butler, query):
    """Ask a query of one call."""
    (method,) = (name for name in SIMPLE if name in query)
    names = ("order_by", "limit", "explain", "find_first", "with_dimension_records")
    options = {name: query[name] for name in names if name in query}
    options |= {
        "where": query.get("where", ""),
        "bind": literals(butler, query.get("bind")),
        "data_id": query.get("data_id"),
    }
    if method == "query_all_datasets":
        return butler.query_all_datasets(query.get("collections"), name=query[method], **options)
    if "collections" in query:
        options["collections"] = query["collections"]
    return getattr(butler, method)(query[method], **options)


# ---- answers -----------------------------------------------------------------------------------------


def shown(thing):
    """Turn a value into what the cases have for it."""
    match thing:
        case Timespan():
            ends = (thing.begin, thing.end)
            return [] if thing.isEmpty() else [None if end is None else end.tai.isot[:19] for end in ends]
        case _:
            return value(thing)


def field(row, name):
    """Return a value of a row."""
    data_id = row.dataId if isinstance(row, DatasetRef | DimensionRecord) else row
    if isinstance(row, tuple):
        data_id, row = row
    if name.startswith("is_time "):
        return isinstance(row[name.removeprefix("is_time ")], astropy.time.Time)
    match row, name:
        case DatasetRef(), "id":
            return str(row.id)
        case DatasetRef(), "run":
            return row.run
        case DatasetRef(), "dataset_type":
            return row.datasetType.name
        case _, "with_records":
            return data_id.hasRecords() and (not isinstance(row, DatasetRef) or row.dataId.hasRecords())
        case DimensionRecord(), _:
            return shown(row.toDict(splitTimespan=False)[name])
        case _:
            return shown(data_id[name])


def project(rows, case):
    if "show" not in case:
        return len(rows)
    found = [[field(row, name) for name in case["show"]] for row in rows]
    if len(case["show"]) == 1:
        found = [row[0] for row in found]
    return found if case.get("ordered") else sorted(found, key=text)


def attempt(ask):
    try:
        return ask()
    except Exception as error:
        return {"type": type(error).__name__, "detail": str(error)}


def answer(butler, case):
    """Answer one case."""
    if "simple" in case:
        return {"rows": project(simple(butler, case["simple"]), case)}
    with butler.query() as query:
        results, rows = fluent(butler, query, case["query"])
        found = {"rows": project(rows, case)}
        if case.get("rows_only"):
            return found
        found["counts"] = [
            attempt(lambda: results.count(exact=exact, discard=discard))
            for exact, discard in ((True, True), (True, False), (False, True), (False, False))
        ]
        found["any"] = [
            attempt(lambda: results.any(execute=execute, exact=exact))
            for execute, exact in ((True, True), (True, False), (False, False), (False, True))
        ]
        found["reasons"] = sorted(results.explain_no_results())
        return found


def answer_group(butlers, group):
    butler = butlers[group["repository"]]
    defaults = group.get("defaults", {})
    butler.registry.defaults = RegistryDefaults(
        collections=defaults.get("collections"), infer=False, **defaults.get("data_id", {})
    )
    answers = []
    for case in group["cases"]:
        found = attempt(lambda: answer(butler, case))
        answers.append({"error": found} if "detail" in found else found)
    return answers


def main():
    """Run as a command."""
    given = json.load(sys.stdin)
    repositories, places = given["repositories"], given["places"]
    butlers = {name: create(places[name], repositories[name]) for name in sorted(repositories)}
    answers = [found for group in given["groups"] for found in answer_group(butlers, group)]
    json.dump({"answers": answers}, sys.stdout)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    main()
