"""What random queries are about: dimensions, elements, governor values that go together, and further datasets."""

import random

import astropy.time
from lsst.daf.butler import CollectionType, DatasetType, Timespan

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

# Governor values that go together: in the package's data, in what `big.rs` makes, and in the repository of LATISS.
PACKAGED = [
    {"instrument": "Cam1", "skymap": "SkyMap1"},
    {"instrument": "HSC", "skymap": "discrete/ci_hsc"},
    {"instrument": "HSC", "skymap": "discrete/ci_hsc"},
    {"instrument": "LSSTCam", "skymap": "SkyMap1"},
]
WORLDS = {"packaged": PACKAGED, "big": [{"instrument": "Big", "skymap": "Wide"}], "latiss": [{"instrument": "LATISS"}]}

# Where datasets are that only some instruments or sky maps have.
HOMES = {"packaged": {"bias": PACKAGED[0], "flat": PACKAGED[0], "calexp": PACKAGED[1]}, "big": {}, "latiss": {}}

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
