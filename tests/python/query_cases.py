"""Ask random questions of a repository with the reference implementation's query system.

Usage: ``query_cases.py REPO [--prepare] [--seed N] [--count N]``. The repository is one of ``make_repo.py`` with all
its data.

``--prepare``
    Adds datasets of more dimensions first, in collections of all types; the repository must not have them.

Prints ``{"cases": [case]}``. A case::

    id          its number
    question    execute, count, any or explain
    options     the arguments of the question: {exact, discard} or {execute, exact}
    query       the tree, what was uploaded and materialized for it, and the default data ID, in the JSON form of the
                protocol
    result_spec in the JSON form of the protocol
    answer      for execute, the rows; a number, a boolean, or a list of texts
    records     the records that come with general results, by element
    any_value   whether the database can pick any value of a group, on which the reference depends
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
import uuid
import warnings

import astropy.time
from canonical import text, value
from lsst.daf.butler import Butler, CalibrationLookupError, CollectionType, DatasetRef, DatasetType, Timespan
from lsst.daf.butler.direct_query_driver import DirectQueryDriver
from lsst.daf.butler.queries.result_specs import SerializedResultSpec
from lsst.daf.butler.queries.tree import DATASET_FIELD_NAMES, SerializedQueryTree
from lsst.daf.butler.remote_butler.server_models import (
    DataCoordinateUpload,
    MaterializedQuery,
    QueryExecuteRequestModel,
    QueryInputs,
)
from lsst.sphgeom import Angle, Box, Circle, ConvexPolygon, LonLat, UnionRegion, UnitVector3d

MOST_ROWS = 600

DIMENSIONS = [
    ["instrument"],
    ["detector"],
    ["physical_filter"],
    ["band"],
    ["visit"],
    ["exposure"],
    ["exposure", "detector"],
    ["visit", "detector"],
    ["visit", "tract"],
    ["visit", "detector", "tract"],
    ["visit", "patch"],
    ["visit", "detector", "patch"],
    ["visit", "exposure"],
    ["visit", "visit_system"],
    ["tract"],
    ["patch"],
    ["patch", "band"],
    ["skymap"],
    ["day_obs"],
    ["day_obs", "detector"],
    ["group"],
    ["instrument", "skymap"],
    ["physical_filter", "detector"],
    ["htm7"],
    ["htm7", "visit"],
    ["htm7", "tract"],
    ["htm7", "visit", "detector"],
    ["healpix9"],
    ["htm4"],
    ["htm7", "visit", "tract"],
    ["subfilter"],
    [],
]

# Governor values that go together.
WORLDS = [
    {"instrument": "Cam1", "skymap": "SkyMap1"},
    {"instrument": "HSC", "skymap": "discrete/ci_hsc"},
    {"instrument": "HSC", "skymap": "discrete/ci_hsc"},
    {"instrument": "LSSTCam", "skymap": "SkyMap1"},
]

# Where datasets are that only some instruments or sky maps have.
HOMES = {"bias": WORLDS[0], "flat": WORLDS[0], "calexp": WORLDS[1]}

ELEMENTS = [
    "instrument",
    "detector",
    "physical_filter",
    "band",
    "visit",
    "exposure",
    "day_obs",
    "group",
    "skymap",
    "tract",
    "patch",
    "visit_detector_region",
    "visit_definition",
    "visit_system",
    "visit_system_membership",
    "htm7",
]


def prepare(butler):
    """Add datasets of many dimensions, in collections of all types."""
    collections = butler.collections
    rng = random.Random(7)
    kinds = {
        "raw": (["exposure", "detector"], False),
        "visit_summary": (["visit"], False),
        "coadd": (["patch", "band"], False),
        "tract_map": (["tract"], False),
        "camera": (["instrument"], True),
        "dark": (["detector"], True),
        "fringe": (["physical_filter", "detector"], True),
        "refcat": (["htm7"], False),
        "warp": (["visit", "patch"], False),
    }
    runs = ["runs/a", "runs/b", "runs/c"]
    for run in runs:
        collections.register(run)
    everything = {}
    dataset_types = {
        name: DatasetType(name, names, "StructuredDataDict", universe=butler.dimensions, isCalibration=calibration)
        for name, (names, calibration) in kinds.items()
    }
    for dataset_type in dataset_types.values():
        butler.registry.registerDatasetType(dataset_type)
    with butler.query() as query:
        for name, (dimensions, _) in kinds.items():
            dataset_type = dataset_types[name]
            join = query.join_dimensions(["visit"]) if name == "refcat" else query
            data_ids = sorted(set(join.data_ids(dimensions)))
            rng.shuffle(data_ids)
            everything[name] = dataset_type, data_ids[:60]
    refs = {}
    for name, (dataset_type, data_ids) in everything.items():
        for run in runs:
            some = [data_id for data_id in data_ids if rng.random() < 0.5]
            refs[name, run] = butler.registry.insertDatasets(dataset_type, some, run)
    collections.register("tags/all", CollectionType.TAGGED)
    collections.register("tags/some", CollectionType.TAGGED)
    for name in kinds:
        butler.registry.associate("tags/all", refs[name, "runs/b"])
        butler.registry.associate("tags/some", [ref for ref in refs[name, "runs/c"] if rng.random() < 0.5])
    def time(text):
        return astropy.time.Time(text, scale="tai")

    edges = [None] + [
        time(t)
        for t in (
            "2013-06-17T13:30:00",
            "2013-06-17T13:40:00",
            "2013-11-02T00:00:00",
            "2014-11-17T00:00:00",
            "2021-09-09T03:00:00",
            "2021-09-09T03:01:30",
            "2025-12-03T06:00:00",
        )
    ] + [None]
    for collection in ("calibs/a", "calibs/b"):
        collections.register(collection, CollectionType.CALIBRATION)
        for name in ("camera", "dark", "fringe"):
            # Each data ID has validity ranges that do not overlap; datasets of all runs take turns.
            by_data_id = {}
            for run in runs:
                for ref in refs[name, run]:
                    by_data_id.setdefault(ref.dataId, []).append(ref)
            spans = {}
            for data_id, candidates in by_data_id.items():
                cuts = sorted(rng.sample(range(len(edges)), rng.choice([2, 2, 3, 4])))
                for begin, end in zip(cuts[:-1], cuts[1:], strict=True):
                    if rng.random() < 0.8:
                        spans.setdefault((begin, end), []).append(rng.choice(candidates))
            for (begin, end), found in spans.items():
                butler.registry.certify(collection, found, Timespan(edges[begin], edges[end]))
    for name, children in {
        "chains/runs": ["runs/c", "runs/a"],
        "chains/mixed": ["tags/some", "runs/b", "runs/a"],
        "chains/calibs": ["calibs/b", "calibs/a"],
        "chains/all": ["chains/calibs", "chains/mixed", "imported_g", "runs/c"],
    }.items():
        collections.register(name, CollectionType.CHAINED)
        collections.redefine_chain(name, children)


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


class Asker:
    """Makes questions and asks them."""

    def __init__(self, butler, rng, recorder):
        self.butler = butler
        self.rng = rng
        self.recorder = recorder
        self.universe = butler.dimensions
        self.dataset_types = {t.name: t for t in sorted(butler.registry.queryDatasetTypes(), key=lambda t: t.name)}
        self.collections = {info.name: info for info in butler.collections.query_info("*", include_summary=True)}
        self.records = {}
        for element in self.universe.elements:
            if element.has_own_table:
                found = butler.registry.queryDimensionRecords(element.name)
                self.records[element.name] = sorted(found, key=lambda r: text(value(r.dataId)))
        self.data_ids = {
            tuple(names): self.sample_data_ids(names)
            for names in (["detector"], ["visit"], ["patch"], ["exposure"], ["physical_filter"], ["visit", "detector"])
        }
        self.pixels = self.sample_pixels()

    def sample_data_ids(self, names):
        with self.butler.query() as query:
            return sorted(set(query.data_ids(names)))

    def sample_pixels(self):
        with self.butler.query() as query:
            return sorted({d["htm7"] for d in query.join_dimensions(["visit"]).data_ids(["htm7"])})

    def chance(self, probability):
        return self.rng.random() < probability

    def of_world(self, element):
        """Return the records that go with the governor values of this question, or all if there are none."""
        found = self.records.get(element, [])
        some = [r for r in found if all(r.dataId.get(k, v) == v for k, v in self.world.items())]
        return some or found

    # ---- literals and predicates -----------------------------------------------------------------

    def region(self):
        """Make a region near something that is there."""
        name = self.rng.choice(["visit", "patch", "tract", "visit_detector_region"])
        centre = LonLat(self.rng.choice(self.of_world(name)).region.getBoundingCircle().getCenter())
        lon = centre.getLon().asDegrees() + self.rng.uniform(-0.5, 0.5)
        lat = centre.getLat().asDegrees() + self.rng.uniform(-0.5, 0.5)
        match self.rng.randrange(6):
            case 0:
                return LonLat.fromDegrees(lon % 360, lat)
            case 1 | 2:
                vector = UnitVector3d(LonLat.fromDegrees(lon % 360, lat))
                return Circle(vector, Angle.fromDegrees(10 ** self.rng.uniform(-2, 0.5)))
            case 3:
                size = 10 ** self.rng.uniform(-2, 0.3)
                return Box.fromDegrees((lon - size) % 360, lat - size, (lon + size) % 360, lat + size)
            case 4:
                size = 10 ** self.rng.uniform(-2, 0.3)
                corners = [(-size, -size), (size, -size), (size, size), (-size, size)]
                points = [UnitVector3d(LonLat.fromDegrees((lon + x) % 360, lat + y)) for x, y in corners]
                return ConvexPolygon(points)
            case _:
                parts = [
                    Circle(UnitVector3d(LonLat.fromDegrees((lon + d) % 360, lat)), Angle.fromDegrees(0.2))
                    for d in (0, 1)
                ]
                return UnionRegion(*parts)

    def time(self):
        texts = [
            "2013-06-17T13:35:00",
            "2013-06-17T13:37:00.123456789",
            "2013-11-02T12:00:00",
            "2020-03-01T00:00:00",
            "2021-09-09T03:00:30",
            "2021-09-09T03:02:00",
            "2025-12-03T06:30:00",
        ]
        return astropy.time.Time(self.rng.choice(texts), scale=self.rng.choice(["tai", "utc"]))

    def timespan(self):
        a, b = sorted((self.time(), self.time()))
        choice = self.rng.randrange(6)
        if choice == 0:
            return Timespan(None, b)
        if choice == 1:
            return Timespan(a, None)
        if a >= b:
            return Timespan(a, None)
        return Timespan(a, b)

    def pixel(self, name):
        if name == "htm7":
            return self.rng.choice(self.pixels)
        if name == "htm4":
            return self.rng.choice(self.pixels) >> 6
        return self.rng.randrange(12 * 4**9)

    def key_value(self, name):
        if self.universe.skypix_dimensions.get(name) is not None:
            return self.pixel(name)
        dimension = self.universe.dimensions[name]
        if name == "band":
            return self.rng.choice(["g", "r", "i", "z"])
        records = self.of_world(name)
        if not records:
            return "nothing" if dimension.primaryKey.getPythonType() is str else 5
        found = self.rng.choice(records).dataId[name]
        if self.chance(0.1):
            return found + "x" if isinstance(found, str) else found + 1
        return found

    def compare(self, proxy, literal):
        if isinstance(literal, bool):
            return proxy == literal if not hasattr(proxy, "as_boolean") else proxy.as_boolean()
        match self.rng.randrange(9):
            case 0:
                return proxy == literal
            case 1 | 2 | 8:
                return proxy != literal
            case 3:
                return proxy < literal
            case 4:
                return proxy <= literal
            case 5:
                return proxy > literal
            case 6:
                return proxy >= literal
            case _:
                return proxy.in_iterable([literal, literal])

    def fields(self, dimensions):
        """Fields of elements in the dimensions, with the kinds of their values."""
        found = []
        for name in dimensions.elements:
            element = self.universe[name]
            if not element.has_own_table or not self.records.get(name):
                continue
            for column in element.schema.remainder:
                found.append((name, column.name, column.type))
        return found

    def test(self, x, dimensions, datasets):
        """Make one random test."""
        choices = []
        names = sorted(dimensions.names)
        if names:
            choices += ["key"] * 4
        fields = self.fields(dimensions)
        if fields:
            choices += ["field"] * 5
        if datasets:
            choices += ["dataset"] * 3
        if dimensions.spatial and self.chance(0.02):
            choices += ["region"]
        if not choices:
            return None
        match self.rng.choice(choices):
            case "key":
                return self.key_test(x, self.rng.choice(names))
            case "field":
                return self.field_test(x, *self.rng.choice(fields))
            case "dataset":
                return self.dataset_test(x, self.rng.choice(sorted(datasets)))
            case _:
                family = self.rng.choice(list(dimensions.spatial))
                element = family.choose(dimensions)
                if element.name.startswith(("healpix", "htm4")):
                    return None
                region = self.region()
                return getattr(x, element.name).region.overlaps(region)

    def key_test(self, x, name):
        proxy = getattr(x, name)
        literal = self.key_value(name)
        if isinstance(literal, int):
            match self.rng.randrange(8):
                case 0:
                    start = max(0, literal - 2)
                    return proxy.in_range(start, start + self.rng.randrange(8), self.rng.choice([1, 1, 2, 3]))
                case 1:
                    return proxy.in_iterable([self.key_value(name) for _ in range(3)])
                case 2:
                    return proxy + 1 > literal
                case 3:
                    return proxy % 3 == literal % 3
                case 4:
                    return (proxy * 2 - 1) / 2 <= literal
        elif self.chance(0.2):
            return proxy.glob(self.rng.choice(["*", literal[:1] + "*", "?" + literal[1:], literal, "[a-z]*"]))
        return self.compare(proxy, literal)

    def field_test(self, x, element, field, kind):
        proxy = getattr(getattr(x, element), field)
        if field == "timespan":
            span = getattr(x, element).timespan
            match self.rng.randrange(6):
                case 0:
                    return span.overlaps(self.timespan())
                case 1:
                    return span.overlaps(self.time())
                case 2:
                    return span.is_null
                case 3:
                    return span.begin < self.time()
                case 4:
                    return span.end >= self.time()
                case _:
                    return span.begin + 0 < span.end if False else span.end > self.time()
        if kind in ("hash", "region"):
            return proxy.is_null
        if self.chance(0.12):
            return proxy.is_null
        literal = getattr(self.rng.choice(self.of_world(element)), field)
        if kind == "bool":
            return proxy.as_boolean()
        if literal is None:
            return proxy.is_null
        if isinstance(literal, float):
            match self.rng.randrange(4):
                case 0:
                    return proxy + 1.5 > literal
                case 1:
                    return -proxy < 0.25 - literal
        if isinstance(literal, str) and self.chance(0.3):
            return proxy.glob(self.rng.choice(["*", literal[:2] + "*", "?" + literal[1:], literal, "*" + literal[-1:]]))
        return self.compare(proxy, literal)

    def dataset_test(self, x, name):
        proxy = x[name]
        match self.rng.randrange(7):
            case 0 | 1:
                runs = sorted(n for n, i in self.collections.items() if i.type is CollectionType.RUN)
                return self.compare(proxy.run, self.rng.choice(runs))
            case 2:
                return self.compare(proxy.collection, self.rng.choice(sorted(self.collections)))
            case 3:
                date = astropy.time.Time("2024-01-01T00:00:00", scale="utc")
                return proxy.ingest_date > date if self.chance(0.8) else proxy.ingest_date <= date
            case 4:
                return proxy.dataset_id != uuid.UUID(int=self.rng.getrandbits(128))
            case 5:
                return proxy.timespan.overlaps(self.timespan())
            case _:
                return proxy.run.glob(self.rng.choice(["runs/*", "imported_?", "*"]))

    def where(self, query, x, dimensions, datasets):
        """Add random conditions to a query."""
        if dimensions.spatial and self.chance(0.25):
            query = self.where_region(query, x, dimensions)
        if len(dimensions.spatial) == 2 and self.chance(0.3):
            a, b = (getattr(x, family.choose(dimensions).name).region for family in dimensions.spatial)
            query = query.where(a.overlaps(b))
        calibrations = [name for name in sorted(datasets) if self.dataset_types[name].isCalibration()]
        if calibrations and dimensions.temporal and self.chance(0.5):
            element = list(dimensions.temporal)[0].choose(dimensions)
            span = getattr(x, element.name).timespan
            query = query.where(x[self.rng.choice(calibrations)].timespan.overlaps(span))
        if dimensions.names and self.chance(0.06):
            query = query.where(self.in_query(x, self.rng.choice(sorted(dimensions.names))))
        for _ in range(self.rng.choice([0, 0, 1, 1, 1, 2])):
            tests = [self.test(x, dimensions, datasets) for _ in range(self.rng.choice([1, 1, 2, 2, 3]))]
            tests = [test for test in tests if test is not None]
            tests = [x.not_(test) if self.chance(0.2) else test for test in tests]
            if tests:
                query = query.where(x.any(*tests) if self.chance(0.85) else x.all(*tests))
        data_id = {k: v for k, v in self.world.items() if k in dimensions.names and self.chance(0.9)}
        return query.where(data_id) if data_id else query

    def in_query(self, x, name):
        """Require that a dimension's value is in the results of another query."""
        other = self.base
        holding = [t for t in self.dataset_types.values() if name in t.dimensions.names]
        if holding and self.chance(0.7):
            dataset_type = self.rng.choice(holding)
            other = other.join_dataset_search(dataset_type.name, self.search(dataset_type))
        else:
            other = other.join_dimensions([name])
        other_dimensions = other._tree.dimensions
        data_id = {k: v for k, v in self.world.items() if k in other_dimensions.names}
        other = other.where(data_id) if data_id else other
        test = self.test(x, other_dimensions, set())
        other = other.where(test) if test is not None else other
        proxy = getattr(x, name)
        found = proxy.in_query(proxy, other)
        return x.not_(found) if self.chance(0.3) else found

    def where_region(self, query, x, dimensions):
        """Require that something overlaps a region."""
        family = self.rng.choice(list(dimensions.spatial))
        element = family.choose(dimensions)
        return query.where(getattr(x, element.name).region.overlaps(self.region()))

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
            if dataset_type.name in HOMES and self.chance(0.9):
                self.world = HOMES[dataset_type.name]
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
            fields = [f for f in self.fields(dimensions) if f[2] not in ("hash", "region", "timespan", "bool")]
            if fields and kind != "general" and self.chance(0.5):
                element, field, _ = self.rng.choice(fields)
                extra.append(getattr(getattr(x, element), field))
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
        order = None if dataset_fields else [getattr(x, name) for name in dimensions.required]
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
            if len(found) > MOST_ROWS:
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
        case = {"options": {}, "order": False, "any_value": self.butler._registry._db.has_any_aggregate}
        self.world = self.rng.choice(WORLDS)
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
            if limit is not None and not ordered and question == "execute":
                # Whether the ambiguous rows come first is not defined.
                return None
            case["error"] = {"type": type(error).__name__, "detail": str(error)}
        except Exception as error:
            case["error"] = {"type": type(error).__name__, "detail": str(error)}
        if not case.get("answer", True) and self.chance(0.6):
            # There are many ways to ask for nothing.
            return None
        return case


def ask(butler, seed, count):
    rng = random.Random(seed)
    recorder = Recorder()
    others = [butler.clone(dataId={"instrument": "Cam1"}), butler.clone(dataId={"instrument": "HSC", "skymap": "discrete/ci_hsc"})]
    askers = [Asker(butler, rng, recorder)]
    for other in others:
        asker = Asker.__new__(Asker)
        asker.__dict__.update(askers[0].__dict__)
        asker.butler = other
        askers.append(asker)
    cases = []
    while len(cases) < count:
        asker = rng.choice([askers[0], *askers])
        with asker.butler.query() as query:
            case = asker.case(query)
        if case is not None:
            case["id"] = len(cases)
            cases.append(case)
    return cases


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Ask random questions of a repository.")
    parser.add_argument("repo")
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    arguments = parser.parse_args()
    if arguments.prepare:
        prepare(Butler.from_config(arguments.repo, writeable=True))
    cases = ask(Butler.from_config(arguments.repo), arguments.seed, arguments.count)
    json.dump({"cases": cases}, sys.stdout)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    main()
