"""Write what the Python package says about universes, groups, data IDs and records.

Run from the repository's root with an interpreter that has ``lsst-daf-butler`` installed:

    python butler-core/tests/python/dimensions.py

It also checks that the package finds no difference between its own universes and ours.
"""

import json
import random
from pathlib import Path

from lsst.daf.butler import DimensionConfig, DimensionUniverse, Timespan
from lsst.daf.butler._utilities.thread_safe_cache import ThreadSafeCache
from lsst.daf.butler.dimensions import (
    DataCoordinate,
    DimensionRecordSet,
    SerializableDimensionData,
    SkyPixDimension,
)
import lsst.daf.butler
from lsst.sphgeom import Box, Circle, ConvexPolygon, LonLat, UnitVector3d, Angle

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "data" / "dimensions"
OUT = ROOT / "tests" / "data"
THEIRS = Path(lsst.daf.butler.__file__).parent / "configs" / "old_dimensions"


def load(path):
    DimensionUniverse._instances = ThreadSafeCache()
    return DimensionUniverse(DimensionConfig(str(path)))


def column(spec):
    size = getattr(spec, "length", None) or getattr(spec, "nbytes", None)
    return [spec.name, spec.type, size, spec.nullable]


def element(e):
    kind = {
        "GovernorDimension": "governor",
        "DatabaseDimension": "dimension",
        "DatabaseDimensionCombination": "combination",
        "SkyPixDimension": "skypix",
    }[type(e).__name__]
    if kind == "skypix":
        return [e.name, e.system.name, e.level]
    return {
        "name": e.name,
        "kind": kind,
        "required": list(e.required.names),
        "implied": list(e.implied.names),
        "group": list(e.minimal_group.names),
        "governor": e.governor.name if e.governor else None,
        "fields": [column(c) for c in e.schema.all],
        "n_required": len(e.schema.required),
        "n_implied": len(e.schema.implied),
        "alternate_keys": [c.name for c in e.alternate_keys],
        "metadata": [c.name for c in e.metadata_columns],
        "spatial": e.spatial.name if e.spatial else None,
        "temporal": e.temporal.name if e.temporal else None,
        "populated_by": e.populated_by.name if e.populated_by else None,
        "populates": [o.name for o in e.universe.get_elements_populated_by(e)] if kind != "combination" else [],
        "always_join": e.alwaysJoin,
        "is_cached": e.is_cached,
        "has_own_table": e.has_own_table,
        "has_table": e.hasTable(),
        "union_target": e.implied_union_target.name if e.implied_union_target else None,
        "defines_relationships": e.defines_relationships,
    }


def universe_facts(u):
    return {
        "version": u.version,
        "namespace": u.namespace,
        "elements": [element(e) for e in u.elements],
        "dimensions": [d.name for d in u.dimensions],
        "governors": [d.name for d in u.governor_dimensions],
        "common_skypix": u.commonSkyPix.name,
        "skypix": [
            [s.name, s.PixelizationClass.__module__.split(".")[0] + ".sphgeom." + s.PixelizationClass.__name__, s.maxLevel]
            for s in u.skypix
        ],
        "families": {
            space.name.lower(): {
                f.name: [m.name for m in f.members] for f in families if hasattr(f, "members")
            }
            for space, families in u._topology.items()
        },
    }


def groups(u, rng, count):
    index = {e.name: i for i, e in enumerate(u.elements)}
    plain = [d.name for d in u.dimensions if not isinstance(d, SkyPixDimension)]
    skypix = [d.name for d in u.dimensions if isinstance(d, SkyPixDimension)]
    numbers = lambda names: [index[n] for n in names]
    rows, previous = [], u.empty
    for i in range(count):
        names = rng.sample(plain, rng.randint(0 if i == 0 else 1, min(6, len(plain))))
        if rng.random() < 0.3:
            names += rng.sample(skypix, rng.randint(1, 2))
        g = u.conform(names)
        rows.append([
            numbers(names), numbers(g.required), numbers(g.implied), numbers(g.names), numbers(g.elements),
            numbers(g.governors), numbers(g.skypix), [f.name for f in g.spatial], [f.name for f in g.temporal],
            g.region_dimension, g.timespan_dimension, numbers(g.lookup_order),
            numbers(g.union(previous).names), numbers(g.intersection(previous).names),
            numbers(g.difference(previous).names), g <= previous, g >= previous, g.isdisjoint(previous), str(g),
        ] if i < 20 else [
            numbers(names), numbers(g.required), numbers(g.implied), numbers(g.names), numbers(g.elements),
            numbers(g.governors), numbers(g.skypix), [f.name for f in g.spatial], [f.name for f in g.temporal],
            g.region_dimension, g.timespan_dimension, numbers(g.lookup_order),
            numbers(g.union(previous).names), numbers(g.intersection(previous).names),
            numbers(g.difference(previous).names), g <= previous, g >= previous, g.isdisjoint(previous), None,
        ])
        previous = g
    return rows


def normalized(simple):
    for e in simple["elements"].values():
        e["requires"].sort()
        e["implies"].sort()
    return simple


def write(name, rows):
    OUT.mkdir(exist_ok=True)
    text = "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]\n"
    (OUT / name).write_text(text)


def main():
    rng = random.Random(20260301)
    facts, group_rows, simple = [], [], []
    for version in range(9):
        ours = load(OURS / f"daf_butler_universe{version}.json")
        our_facts = universe_facts(ours)
        simple.append(normalized(ours.dimensionConfig.to_simple().model_dump(mode="json", by_alias=True)))
        theirs = load(THEIRS / f"daf_butler_universe{version}.yaml")
        assert universe_facts(theirs) == our_facts, version
        facts.append(our_facts)
        group_rows.append(groups(theirs, rng, 260))
    write("universes.json", facts)
    write("universes_simple.json", [simple[0], simple[8]])
    write("groups.json", group_rows)


if __name__ == "__main__":
    main()
