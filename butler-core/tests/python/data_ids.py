"""Write what the Python package says about data IDs and dimension records.

Run from the repository's root with an interpreter that has ``lsst-daf-butler`` installed:

    python butler-core/tests/python/data_ids.py
"""

import json
import random

from dimensions import OURS, OUT, load
from lsst.daf.butler import DataCoordinate, Timespan
from lsst.daf.butler.dimensions import DimensionRecordSet, SerializableDimensionData, SkyPixDimension
from lsst.sphgeom import Angle, Circle, ConvexPolygon, LonLat, UnitVector3d

TEXTS = ["HSC", "LSSTComCam", "it's", 'say "x"', "r", "HSC-R~2", "DC2/1", "größe", "a\\b"]


def value(rng, dimension):
    if dimension.primaryKey.getPythonType() is int:
        return rng.choice([0, 1, 42, 20260301, 2026030100123, 2**40 + 7])
    return rng.choice(TEXTS)


def random_names(rng, u):
    plain = [d.name for d in u.dimensions if not isinstance(d, SkyPixDimension)]
    names = rng.sample(plain, rng.randint(1, 4))
    if rng.random() < 0.2:
        names.append(rng.choice(["htm7", "htm11"]))
    return names


def describe(data_id):
    simple = data_id.to_simple(minimal=True).model_dump(mode="json")
    return [list(data_id.dimensions.names), data_id.hasFull(), str(data_id), simple, list(data_id.required_values)]


def outcome(function):
    try:
        return describe(function())
    except Exception as error:
        return type(error).__name__


def standardized(rng, u):
    rows, made = [], []
    for _ in range(120):
        names = random_names(rng, u)
        group = u.conform(names)
        keys = list(group.names if rng.random() < 0.5 else group.required)
        if rng.random() < 0.15:
            keys.remove(rng.choice(keys))
        rng.shuffle(keys)
        mapping = {key: value(rng, u.dimensions[key]) for key in keys}
        if rng.random() < 0.05:
            mapping["no_such_dimension"] = 1
        dimensions = None
        if rng.random() < 0.5:
            dimensions = names if rng.random() < 0.6 else random_names(rng, u)
        defaults = None
        if rng.random() < 0.3:
            defaults = DataCoordinate.standardize(instrument="Default", skymap="sky", universe=u)
        def call():
            dims = None if dimensions is None else u.conform(dimensions)
            return DataCoordinate.standardize(mapping, universe=u, dimensions=dims, defaults=defaults)
        result = outcome(call)
        rows.append([mapping, dimensions, None if defaults is None else dict(defaults.required), result])
        if isinstance(result, list):
            made.append(call())
    return rows, made


def combined(rng, u, made):
    rows = []
    for _ in range(100):
        a, b = rng.choice(made), rng.choice(made)
        names = random_names(rng, u) if rng.random() < 0.3 else rng.sample(
            list(a.dimensions.names) or ["band"], 1
        )
        rows.append([
            dict(a.mapping), dict(b.mapping), a == b, a.required_values < b.required_values
            if list(map(type, a.required_values)) == list(map(type, b.required_values)) else None,
            outcome(lambda: a.union(b)), names, outcome(lambda: a.subset(u.conform(names))),
        ])
    return rows


def region(rng):
    center = UnitVector3d(LonLat.fromDegrees(rng.uniform(0, 360), rng.uniform(-80, 80)))
    if rng.random() < 0.3:
        return Circle(center, Angle.fromDegrees(rng.uniform(0.01, 2)))
    lon, lat = rng.uniform(1, 359), rng.uniform(-80, 79)
    return ConvexPolygon([
        UnitVector3d(LonLat.fromDegrees(x, y)) for x, y in
        [(lon, lat), (lon + 0.5, lat), (lon + 0.5, lat + 0.5), (lon, lat + 0.5)]
    ])


def field(rng, column):
    if column.nullable and rng.random() < 0.2:
        return None
    match column.type:
        case "int":
            return rng.choice([0, -5, 17, 2**53 + 1])
        case "string":
            return rng.choice(TEXTS)
        case "float":
            return rng.choice([0.0, 30.0, -12.345678901234567, 1e-300, 1.5e22, 1 / 3])
        case "bool":
            return rng.random() < 0.5
        case "hash":
            return bytes(rng.randrange(256) for _ in range(column.nbytes))
        case "region":
            return region(rng)
        case "timespan":
            ns = rng.randrange(10**18, 2 * 10**18)
            return rng.choice([
                Timespan(None, None, _nsec=(ns, ns + 10**9)), Timespan(None, None), Timespan.makeEmpty(),
                Timespan(None, None, _nsec=(0, ns)),
            ])


def record(rng, element, known):
    values = {}
    for column in element.schema.all:
        values[column.name] = field(rng, column)
    for dimension in element.dimensions:
        name = dimension.primaryKey.name if dimension == element else dimension.name
        if name in values:
            values[name] = known[dimension.name]
    return element.RecordClass(**values)


def known_values(rng, u):
    return {
        d.name: (value(rng, d) if not isinstance(d, SkyPixDimension) else 8 << (2 * d.level)) for d in u.dimensions
    }


def records(rng, u):
    rows = []
    for element in u.elements:
        if isinstance(element, SkyPixDimension) and element.name != "htm7":
            continue
        for _ in range(2 if u.version == 8 else 1):
            r = record(rng, element, known_values(rng, u))
            # Universe 0 gives the data ID of visit_definition a wrong value: ours is right there.
            data_id = None if u.version < 2 and element.name == "visit_definition" else str(r.dataId)
            rows.append([element.name, r.to_simple().model_dump_json(), json.dumps(r.serialize_key_value()), data_id])
    return rows


def expanded(rng, u):
    rows = []
    for names in [["visit", "detector"], ["exposure"], ["patch", "band"], ["visit", "tract"], ["subfilter"], ["htm7"]]:
        group = u.conform(names)
        known = known_values(rng, u)
        found = {}
        for name in group.elements:
            if rng.random() < 0.85 or name in group.implied:
                found[name] = record(rng, u[name], known)
            else:
                found[name] = None
        data_id = DataCoordinate.from_required_values(group, tuple(known[n] for n in group.required))
        data_id = data_id.expanded(found)
        data_ids = [data_id.to_simple().model_dump_json(), list(data_id.dimensions.names)]
        timespan = data_id.timespan
        sets = SerializableDimensionData.from_record_sets(
            [DimensionRecordSet(u[name], [r]) for name, r in found.items() if r is not None]
        )
        region = data_id.region
        rows.append(data_ids + [
            None if timespan is None else list(timespan.nsec), sets.model_dump_json(),
            None if region is None else region.encode().hex(),
        ])
    return rows


def write(name, rows):
    text = "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n"
    (OUT / name).write_text(text)


def main():
    rng = random.Random(20260303)
    rows = []
    for version in [0, 2, 5, 8]:
        u = load(OURS / f"daf_butler_universe{version}.json")
        made_rows, made = standardized(rng, u)
        rows.append([version, made_rows, combined(rng, u, made), records(rng, u), expanded(rng, u)])
    write("data_ids.json", rows)


if __name__ == "__main__":
    main()
