"""Write what the Python package says about storage classes, datasets, configurations and files.

Run from the repository's root with an interpreter that has ``lsst-daf-butler`` installed:

    python butler-core/tests/python/vocabulary.py
"""

import itertools
import json
import random
import uuid
from pathlib import Path

import yaml
from lsst.daf.butler import (
    Config,
    DataCoordinate,
    DatasetRef,
    DatasetType,
    DimensionUniverse,
    StorageClassFactory,
    Timespan,
)
from lsst.daf.butler._dataset_ref import (
    DatasetIdFactory,
    DatasetIdGenEnum,
    SerializedDatasetRefContainerV1,
)
from lsst.daf.butler._formatter import FormatterFactory
from lsst.daf.butler._storage_class import StorageClassConfig
from lsst.daf.butler.datastore import DatastoreConfig
from lsst.daf.butler.datastore.cache_manager import (
    DatastoreCacheManagerConfig,
)
from lsst.daf.butler._config_support import processLookupConfigs
from lsst.daf.butler.datastore.composites import CompositesConfig, CompositesMap
from lsst.daf.butler.datastore.constraints import Constraints, ConstraintsConfig
from lsst.daf.butler.datastore.file_templates import FileTemplate, FileTemplates
from lsst.daf.butler.datastore.record_data import DatastoreRecordData
from lsst.daf.butler.datastore.stored_file_info import StoredFileInfo, make_datastore_path_relative
from lsst.daf.butler.registry import RegistryConfig
from lsst.daf.butler.registry.wildcards import CollectionWildcard
from lsst.daf.butler.utils import globToRegex

OUT = Path(__file__).resolve().parents[1] / "data"
UNIVERSE = DimensionUniverse()
FACTORY = StorageClassFactory()
RANDOM = random.Random(7)

INSTRUMENTS = ["Cam1", "HSC", "LSSTCam-im Sim"]
VALUES = {
    "instrument": INSTRUMENTS,
    "detector": [0, 7, 188],
    "exposure": [20240101, 5],
    "visit": [12345, 98],
    "physical_filter": ["Cam1-G", "i_39", "HSC/y: broad"],
    "band": ["g", "r.i"],
    "day_obs": [20240131],
    "group": ["2024-01-31T00:00:00.123#4", "g/1"],
    "skymap": ["hsc_rings_v1", "sky/map"],
    "tract": [9813],
    "patch": [72],
    "subfilter": [1],
    "htm7": [147456],
    "htm9": [2359296],
    "healpix5": [42],
    "visit_system": [1],
    "visit_definition": [3],
    "matching_band": ["g"],
}
TYPES = [
    ("raw", ["detector", "exposure"], "Exposure", None, False),
    ("calexp", ["visit", "detector"], "ExposureF", None, False),
    ("calexp.wcs", ["visit", "detector"], "Wcs", "ExposureF", False),
    ("calexp.a.b", ["visit", "detector"], "Wcs", "ExposureF", False),
    ("bias", ["detector"], "ExposureF", None, True),
    ("flat", ["detector", "physical_filter"], "ExposureF", None, True),
    ("deepCoadd", ["patch", "band"], "ExposureF", None, False),
    ("objectTable", ["tract"], "DataFrame", None, False),
    ("refcat", ["htm7"], "SimpleCatalog", None, False),
    ("two_skypix", ["htm7", "htm9"], "SimpleCatalog", None, False),
    ("hips", ["healpix5", "band"], "ExposureF", None, False),
    ("skyMap", ["skymap"], "SkyMap", None, False),
    ("config", [], "Config", None, False),
    ("packages", [], "Packages", None, False),
    ("log", ["visit", "detector"], "ButlerLogRecords", None, False),
    ("metric_MetricValue", ["visit"], "MetricValue", None, False),
    ("dcr", ["patch", "band", "subfilter"], "MaskedImageF", None, False),
    ("preview", ["group", "detector"], "ArrowAstropy", None, False),
    ("camera", ["instrument"], "Camera", None, True),
    ("summary", ["day_obs", "physical_filter"], "StructuredDataDict", None, False),
]
RUNS = ["run1", "u/someone/DM-1/20240101T000000Z", "HSC/raw all: <x>"]


def make_type(name, dimensions, storage_class, parent, calib):
    return DatasetType(
        name,
        UNIVERSE.conform(dimensions),
        storage_class,
        parentStorageClass=parent,
        isCalibration=calib,
        universe=UNIVERSE,
    )


def field_value(column, element):
    match column.type:
        case "int":
            return RANDOM.randrange(100)
        case "string":
            return RANDOM.choice(["R22_S11", "a b/c.d#e", "x"])
        case "float":
            return RANDOM.choice([30.0, 1.5e-5, 1e20, 0.1])
        case "hash":
            return bytes(range(column.nbytes))
        case "bool":
            return RANDOM.choice([True, False])
    return None


def make_record(element, data_id):
    values = {}
    for column in element.schema.all:
        if column.name in data_id:
            values[column.name] = data_id[column.name]
        elif column.nullable and RANDOM.random() < 0.3:
            values[column.name] = None
        else:
            values[column.name] = field_value(column, element)
    for dimension in element.dimensions.names:
        values[dimension] = data_id[dimension]
    if hasattr(element, "primaryKey"):
        values[element.primaryKey.name] = data_id[element.name]
        if element.primaryKey.name != element.name:
            values.pop(element.name, None)
    if element.temporal is not None:
        values["timespan"] = Timespan(None, None, _nsec=(10**18, 10**18 + 30 * 10**9))
    return element.RecordClass(**values)


def make_ref(dataset_type, run, state):
    """Make a dataset with required values, all values, or records."""
    group = dataset_type.dimensions
    full = {name: RANDOM.choice(VALUES[name]) for name in group.names}
    if state == "required":
        keys = group.required
        data_id = DataCoordinate.from_required_values(group, tuple(full[n] for n in keys))
    else:
        data_id = DataCoordinate.from_full_values(group, tuple(full[n] for n in group.data_coordinate_keys))
        if state == "records":
            records = {}
            for name in group.elements:
                element = UNIVERSE[name]
                if all(d in full for d in element.dimensions.names) and not name.startswith(("htm", "healpix")):
                    records[name] = make_record(element, full)
                else:
                    records[name] = None
            data_id = data_id.expanded(records)
    return DatasetRef(
        dataset_type, data_id, run, id=uuid.UUID(int=RANDOM.getrandbits(128), version=4), conform=False
    )


def records_of(data_id):
    if not data_id.hasRecords():
        return None
    return {
        name: record.serialize_key_value() if (record := data_id.records[name]) is not None else None
        for name in data_id.dimensions.elements
    }


def describe(ref):
    return {
        "type": ref.datasetType.to_simple().model_dump(),
        "data_id": dict(ref.dataId.mapping),
        "full": ref.dataId.hasFull(),
        "records": records_of(ref.dataId),
        "run": ref.run,
        "id": str(ref.id),
    }


def key_text(key):
    text = key.name if key.name is not None else "+".join(key.dimensions.names)
    return f"{text} ({','.join(f'{k}={v}' for k, v in key.dataId.items())})" if key.dataId else text


def write(name, rows):
    with open(OUT / name, "w") as stream:
        stream.write("[\n")
        stream.write(",\n".join(json.dumps(row, separators=(",", ":")) for row in rows))
        stream.write("\n]\n")


def storage_classes():
    rows = []
    for sc in sorted(FACTORY._storageClasses.values(), key=lambda c: c.name):
        rows.append(
            {
                "name": sc.name,
                "pytype": sc._pytypeName,
                "components": {k: v.name for k, v in sc.components.items()},
                "derived": {k: v.name for k, v in sc.derivedComponents.items()},
                "all": list(sc.allComponents()),
                "parameters": sorted(sc.parameters),
                "known": sorted(sc.knownParameters()),
                "delegate": sc._delegateClassName,
                "converters": dict(sc.converters),
                "composite": sc.isComposite(),
            }
        )
    write("storage_classes.json", rows)
    # Only types that exist in this interpreter can be judged by the package.
    usable = []
    for sc in FACTORY._storageClasses.values():
        try:
            sc.pytype
        except Exception:
            continue
        usable.append(sc)
    write(
        "conversions.json",
        [[to.name, [fr.name for fr in usable if to.can_convert(fr)], [fr.name for fr in usable]] for to in usable],
    )


def defaults():
    rows = [
        ["datastore", DatastoreConfig().toDict()],
        ["registry", RegistryConfig().toDict()],
        ["storageClasses", StorageClassConfig().toDict()],
        ["composites", CompositesConfig().toDict()],
        [
            "chain",
            DatastoreConfig(
                {
                    "datastore": {
                        "cls": "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore",
                        "datastores": [
                            {"datastore": {"cls": "lsst.daf.butler.datastores.inMemoryDatastore.InMemoryDatastore"}},
                            {"root": "<butlerRoot>/x", "templates": {"default": "{run}/{datasetType}_{visit}"}},
                        ],
                    }
                }
            ).toDict(),
        ],
    ]
    write("default_configs.json", rows)


def datasets():
    rows = []
    refs = []
    for spec, run, state in itertools.product(TYPES, RUNS, ["required", "full", "records"]):
        ref = make_ref(make_type(*spec), run, state)
        refs.append(ref)
        factory = DatasetIdFactory()
        row = describe(ref)
        row["uuid5_type"] = str(
            factory.makeDatasetId(run, ref.datasetType, ref.dataId, DatasetIdGenEnum.DATAID_TYPE)
        )
        row["uuid5_run"] = str(
            factory.makeDatasetId(run, ref.datasetType, ref.dataId, DatasetIdGenEnum.DATAID_TYPE_RUN)
        )
        row["lookups"] = [key_text(k) for k in ref._lookupNames()]
        row["simple"] = json.loads(ref.to_simple().model_dump_json())
        row["compact"] = json.loads(ref.to_json())
        row["minimal"] = json.loads(ref.to_json(minimal=True))
        row["type_json"] = json.loads(ref.datasetType.to_simple().model_dump_json())
        row["type_compact"] = json.loads(ref.datasetType.to_json())
        row["str"] = str(ref)
        row["repr"] = repr(ref)
        rows.append(row)
    write("dataset_refs.json", rows)
    ordered = sorted(refs)
    plain = [r for r in refs if not r.dataId.hasRecords() and not r.isComponent()]
    container = SerializedDatasetRefContainerV1.from_refs(plain)
    # Records under one key must be the same, so each dataset goes alone.
    single = []
    for ref in refs:
        if ref.dataId.hasRecords() and ref.dimensions and not ref.isComponent():
            packed = json.loads(SerializedDatasetRefContainerV1.from_refs([ref]).model_dump_json())
            packed["dimension_records"] = {
                name: packed["dimension_records"][name]
                for name in ref.dimensions.elements
                if name in packed["dimension_records"]
            }
            single.append([str(ref.id), packed])
    write(
        "dataset_collections.json",
        [[str(r.id) for r in ordered], json.loads(container.model_dump_json()), single],
    )
    return refs


TEMPLATES = [
    "{run:/}/{datasetType}.{component:?}/{tract:?}/{patch:?}/{day_obs|visit.day_obs|exposure.day_obs:?}/{band:?}"
    "/{subfilter:?}/{physical_filter:?}/{visit:?}/{exposure.obs_id|group:?}/{datasetType}_{component:?}_{instrument:?}"
    "_{tract:?}_{patch:?}_{band:?}_{physical_filter:?}_{visit:?}_{exposure.obs_id|group:?}_{detector.full_name:?}"
    "_{skymap:?}_{skypix:?}_{run}",
    "{run:/}/{datasetType}.{component:?}/{day_obs|exposure.day_obs}/{exposure.obs_id}/{datasetType}_{component:?}"
    "_{instrument:?}_{physical_filter}_{exposure.obs_id}_{detector.full_name}_{run}",
    "{run}/{datasetType}/{visit:08d}-{detector:03d}",
    "{run:/}/{datasetType}/{instrument}/{id}",
    "{id}",
    "{datasetType}_{id}",
    "{run}/x{component:?}/{datasetType}-{visit:?}-{detector:?>5}",
    "{run}/{instrument:?}/{{braces}}/{datasetType}_{tract|visit|detector:?}",
    "{run}/{physical_filter:/}/{datasetType}",
    "{run}/{skypix}/{datasetType}",
    "{run}/{htm7:?}/{skypix:?}_{datasetType}",
    "{run}/{group|exposure|visit:?}/{datasetType}.{component:?}",
    "{run!r}/{datasetType!s:>12}_{detector:?}",
    "{run}/{visit.exposure_time:.2f}/{datasetType}",
    "{run}/{visit.exposure_time:?}/{visit.target_name:?}/{datasetType}_{visit.nonsense:?}",
    "{run}/{visit.nonsense}/{datasetType}",
    "{run}/{exposure.exposure_time:?.1e}/{exposure.can_see_sky:?}_{datasetType}",
    "{run}/{detector.full_name:?}/{detector.raft:?}.{detector.purpose:?}/{datasetType}#x.y",
    "/{run}//{datasetType}/./{instrument:?}_{visit:?x}",
    "{run}/{datasetType}/{band:?}{subfilter:?+d}{tract:?,}",
    "{run}/{instrument.class_name:?}/{datasetType}_{instrument.visit_max:?}",
    "{run:?}/{patch.cell_x:?04}/{datasetType}_{band:?.1}",
    "{run}/{datasetType:*^20}_{instrument:?}",
    "{run}/{day_obs.id:?}/{datasetType}_{instrument:?s}",
    "{run}/{detector:#x}/{datasetType}_{detector:b}",
    "{run}/{detector:s}/{datasetType}",
    "{run}/{instrument:d}/{datasetType}",
    "{run}/{component}/{datasetType}_{detector}",
    "{run}/{a.b:?}/{datasetType}_{band:?}",
]
BAD_TEMPLATES = [
    "",
    "plain",
    "{datasetType}/{visit}",
    "{run}/{datasetType}",
    "{run}/../{visit}",
    "{id}/{datasetType}",
    "{run}/{id}/x",
    "{run}/{collection}/{visit}",
    "{run}/{visit",
    "{run}/visit}",
    "{run}/{id:?}_{visit}",
    "{run}/{id!s}",
]


def templates(refs):
    rows = []
    for text in TEMPLATES:
        template = FileTemplate(text)
        for number, ref in enumerate(refs):
            try:
                path = template.format(ref)
            except Exception:
                path = None
            rows.append([text, number, path])
    by_template = {}
    for text, number, path in rows:
        by_template.setdefault(text, []).append(path)
    valid = {}
    types = [make_type(*spec) for spec in TYPES]
    for text in TEMPLATES:
        results = []
        for dataset_type in types:
            try:
                FileTemplate(text).validateTemplate(dataset_type)
                results.append(True)
            except Exception:
                results.append(False)
        valid[text] = results
    bad = []
    for text in BAD_TEMPLATES:
        try:
            FileTemplate(text)
            bad.append([text, True])
        except Exception:
            bad.append([text, False])
    write(
        "file_templates.json",
        [{"template": t, "paths": by_template[t], "valid": valid[t]} for t in TEMPLATES] + [{"basics": bad}],
    )


LOOKUP_CONFIG = """
templates:
  default: "{run}/{datasetType}_{id}"
  calexp: "{run}/A/{datasetType}.{component:?}_{visit}_{detector}"
  calexp.wcs: "{run}/B/{datasetType}.{component}_{visit}_{detector}"
  physical_filter+detector+exposure: "{run}/C/{datasetType}_{exposure}_{detector}"
  detector+: "{run}/D/{datasetType}_{detector}"
  visit+nonsense: "{run}/E/{datasetType}_{visit}"
  ExposureF: "{run}/F/{datasetType}_{id}"
  Wcs: "{run}/G/{datasetType}.{component:?}_{id}"
  skymap+tract: "{run}/H/{datasetType}_{tract}"
  instrument<HSC>:
    calexp: "{run}/I/{datasetType}.{component:?}_{visit}_{detector}"
    ExposureF: "{run}/J/{datasetType}_{id}"
    instrument+detector: "{run}/K/{datasetType}_{detector}"
    default: "{run}/L/{datasetType}_{id}"
formatters:
  default:
    a.B: {x: 1, y: {z: 2}}
  write_recipes:
    a.B: {r: {q: 1}}
  ExposureF: a.B
  calexp: {formatter: a.B, parameters: {y: 3, format: f}}
  calexp.wcs: c.D
  Wcs: c.E
  detector+: c.F
  visit+: c.G
  SimpleCatalog: c.H
  Config: c.I
  instrument<Cam1>:
    calexp: c.J
    ExposureF: a.B
  tract+: {formatter: c.K}
composites:
  default: true
  disassembled:
    __x__: true
    calexp: false
    ExposureF: true
    patch+band: false
cached:
  default: false
  cacheable:
    ExposureF: true
    calexp: false
    calexp.wcs: 1
    instrument<HSC>:
      bias: false
    htm7+: true
constraints:
  - {accept: [calexp, Config], reject: [all]}
  - {reject: [ExposureF, "detector+"]}
  - {accept: [all], reject: [raw, "instrument<HSC>": [all]]}
  - {accept: ["instrument<HSC>": [all, bias], "instrument<Cam1>": [flat]]}
  - {accept: [ExposureF], reject: [calexp]}
  - {}
"""


def lookups(refs):
    config = yaml.safe_load(LOOKUP_CONFIG)
    templates = FileTemplates(Config(config["templates"]), universe=UNIVERSE)
    formatters = FormatterFactory()
    formatters.registerFormatters(Config(config["formatters"]), universe=UNIVERSE)
    default_formatters = FormatterFactory()
    default_formatters.registerFormatters(DatastoreConfig()["formatters"], universe=UNIVERSE)
    composites = CompositesMap(CompositesConfig(config["composites"]), universe=UNIVERSE)
    cached = DatastoreCacheManagerConfig({"cached": config["cached"]})
    cacheable = processLookupConfigs(cached["cacheable"], universe=UNIVERSE)
    constraints = [Constraints(ConstraintsConfig(c), universe=UNIVERSE) for c in config["constraints"]]
    types = [make_type(*spec) for spec in TYPES]
    classes = [FACTORY.getStorageClass(n) for n in ["ExposureF", "Wcs", "Config", "DataFrame"]]

    def formatter(factory, entity):
        registry = factory._mappingFactory._registry
        for key in entity._lookupNames():
            if key in registry:
                entry = registry[key]
                return [key_text(key), entry["type"], entry["kwargs"]]
        return None

    def describe_entity(entity):
        key, template = templates.getTemplateWithMatch(entity)
        cache = cached.get("default", False)
        for name in entity._lookupNames():
            if name in cacheable:
                cache = bool(cacheable[name])
                break
        return {
            "template": [key_text(key), str(template)],
            "formatter": formatter(formatters, entity),
            "default_formatter": formatter(default_formatters, entity),
            "disassemble": composites.shouldBeDisassembled(entity),
            "cache": cache,
            "accept": [c.isAcceptable(entity) for c in constraints],
        }

    write(
        "lookups.json",
        [
            LOOKUP_CONFIG,
            [describe_entity(r) for r in refs],
            [describe_entity(t) for t in types],
            [[c.name, describe_entity(c)] for c in classes],
        ],
    )


def globs():
    patterns = ["*", "a*", "HSC/*", "a?c", "[ab]*", "x[!a-c]", "[", "[]", "[]x]", "a[b", "a]b[", "a.b", "*.b*"]
    patterns += ["[z-a]", "[a-]x", "a[-x]", "[^a]", "[a\\b]", "**", "?", "[&&x]", "[a~~b]", "[[x]", "u/*/DM-[0-9]*"]
    names = ["", "a", "b", "abc", "a.b", "a.bc", "axb", "HSC/raw", "HSC/raw/all", "xd", "xb", "]", "x", "[", "a[b"]
    names += ["-", "^", "\\", "&", "~", "-x", "a-", "ax", "u/me/DM-1", "u/me/DM-x", "a\nb", "[]", "a]b["]
    rows = []
    for pattern in patterns:
        result = globToRegex(pattern)
        if result is ...:
            rows.append([pattern, "all", []])
        elif isinstance(result[0], str):
            rows.append([pattern, "name", []])
        else:
            rows.append([pattern, "pattern", [n for n in names if result[0].match(n)]])
    wildcard = CollectionWildcard.from_expression(["b", "a", "b", "x*"])
    write("globs.json", [names, rows, list(wildcard.strings)])


def stored_files():
    infos = [
        StoredFileInfo("a.B", "p/q.fits", FACTORY.getStorageClass("ExposureF"), None, None, -1),
        StoredFileInfo("a.B", "p/q.zip#unzip=x/y.json", FACTORY.getStorageClass("Wcs"), "wcs", "abc123", 42),
        StoredFileInfo("a.B", "s3://bucket/p/q%20r.fits", FACTORY.getStorageClass("Wcs"), "b.c", None, 0),
    ]
    data = DatastoreRecordData(
        {
            uuid.UUID(int=1): {"t1": infos[:2], "t2": infos[2:]},
            uuid.UUID(int=2): {"t1": infos[2:]},
            uuid.UUID(int=3): {},
        }
    )
    paths = ["a/b", "/a/b.fits", "s3://bucket/k/b%20c.fits", "file:///d/b.zip#unzip=x", "a/b.zip#unzip=c"]
    write(
        "stored_files.json",
        [
            [[json.loads(i.to_simple().model_dump_json()), i.to_record(), i.artifact_path] for i in infos],
            json.loads(data.to_simple().model_dump_json()),
            [[p, make_datastore_path_relative(p)] for p in paths],
        ],
    )


def configs():
    scalars = [
        "yes", "Off", "y", "null", "~", "0777", "08", "0o17", "1_000", "0x1F", "1:30", "1:30.5", "-12", "+3", "1e5",
        "1.5e+3", "1.", ".5", "1.e5", "1_0.5", "0b101", "0e1234", "-0", "none", "True", "TRUE", "tRUE", "1-2",
        "a b", "'1'", '"\\u00e9"', "!!str 5", "!!int '7'", "!!float '3'", "2020", "190:20:30", "-.5", "+.5",
    ]  # fmt: skip
    rows = [[s, yaml.safe_load(f"k: {s}")["k"]] for s in scalars]
    merges = []
    for a, b in [
        ("a: {b: 1, c: {d: [1]}}", "a: {c: {d: [2], e: 1}, f: 2}"),
        ("a: 1", "a: {b: 1}"),
        ("a: {b: 1}", "a: 1"),
        ("a: [1, 2]", "a: [3]"),
        ("a: {b: null}", "a: {b: {c: 1}}"),
    ]:
        updated = Config.fromYaml(a)
        updated.update(Config.fromYaml(b))
        merged = Config.fromYaml(a)
        merged.merge(Config.fromYaml(b))
        merges.append([a, b, updated.toDict(), merged.toDict(), updated.dump()])
    write("configs.json", [rows, merges])


storage_classes()
defaults()
refs = datasets()
templates(refs)
lookups(refs)
globs()
stored_files()
configs()
