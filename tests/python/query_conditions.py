"""Random literals and predicates about what a repository holds."""

import uuid

import astropy.time
from canonical import text, value
from lsst.daf.butler import CollectionType, Timespan
from lsst.sphgeom import Angle, Box, Circle, ConvexPolygon, LonLat, UnionRegion, UnitVector3d


# Dimensions that have many values in a large repository.
MANY = {"exposure", "visit", "detector", "tract", "patch", "htm7"}


class Conditions:
    """Makes literals and predicates."""

    def __init__(self, butler, rng, recorder, worlds, homes, narrow):
        self.butler = butler
        self.rng = rng
        self.recorder = recorder
        self.worlds = worlds
        self.homes = homes
        self.narrow = narrow
        self.has_any_value = butler._registry._db.has_any_aggregate
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

    def bound_to(self, other):
        """Make the same on another butler."""
        copy = type(self).__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.butler = other
        return copy

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
        if self.narrow and (self.chance(0.9) or len(dimensions.names & MANY) > 2):
            query = self.where_narrow(query, x, dimensions)
        data_id = {k: v for k, v in self.world.items() if k in dimensions.names and self.chance(0.9)}
        return query.where(data_id) if data_id else query

    def where_narrow(self, query, x, dimensions):
        """Leave few rows of many: those with one value, or a few, of the dimensions that have many."""
        many = sorted(dimensions.names & MANY)
        if not many:
            return query
        for name in self.rng.sample(many, self.rng.randrange(1, len(many) + 1)):
            literal = self.key_value(name)
            proxy = getattr(x, name)
            if self.chance(0.6):
                query = query.where(proxy == literal)
            elif self.chance(0.5):
                query = query.where(proxy.in_range(literal, literal + self.rng.choice([5, 20]), self.rng.choice([1, 2])))
            else:
                query = query.where(proxy.in_iterable([literal, self.key_value(name), self.key_value(name)]))
        return query

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
