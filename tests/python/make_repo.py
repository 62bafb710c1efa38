"""Create and fill a repository with the reference implementation.

Usage: ``make_repo.py ROOT [--db URL --namespace NAME] [--data FILE,FILE…] [--datastore KIND] [--s3 s3://…]
[--with-files] [--python-formats] [--no-collections] [--collections MANAGER]
[--datasets VERSION] [--obscore] [--zip]``.

``--data``
    Files of the package's ``registry_data``, imported in this order and without a datastore. ``all`` (the default)
    stands for all of them, which do not conflict; ``none`` for an empty repository.
``--datastore``
    ``file`` (default), ``s3`` (root given with ``--s3``), ``memory``, or ``chained``: memory, then POSIX files under
    ``ROOT/files_1`` that refuse the dataset type ``dict_json``, then files under ``ROOT/files_2`` or ``--s3``.
    ``production``: four datastores, with the roots that ``--s3`` has, separated by commas; each has the dataset
    types that the others refuse.
``--with-files``
    Puts and ingests datasets of every format that Rust reads too, into the runs ``files/put`` and ``files/ingest``.
    Needs ``base.yaml``.
``--python-formats``
    Puts datasets in formats that are Python's own (pickle, ECSV, a disassembled composite), into ``files/python``.

``--collections``
    ``numbers`` (default) or ``names``: what tables refer to collections by.

``--datasets``
    The version of the tables of datasets, the newest by default: 1.0.0 or 2.0.0.

``--obscore``
    Adds the manager that keeps an ObsCore table of the datasets of type ``bias``.

``--zip``
    Puts datasets into the run ``files/zip`` that are members of a zip file.

Unless ``--no-collections``, tagged, calibration and chained collections are made over the datasets of
``datasets.yaml`` and over the files.

Prints ``{"root", "put": [{"id", "dataset_type", "run", "data_id", "content"}]}``: what was put or ingested;
``content`` is the canonical content as ``contents.py`` describes it.
"""

import argparse
import logging
import os
import tempfile
import warnings

import astropy.table
import astropy.time
import numpy as np
import pyarrow
from canonical import show, value
from contents import content_of
from lsst.daf.butler import (
    Butler,
    CollectionType,
    Config,
    DatasetRef,
    DatasetType,
    FileDataset,
    Timespan,
)

REGISTRY_DATA = "resource://lsst.daf.butler/tests/registry_data/"
ALL_DATA = [
    "base.yaml",
    "datasets.yaml",
    "spatial.yaml",
    "ci_hsc-subset.yaml",
    "ci_hsc-subset-skymap.yaml",
    "hsc-rc2-subset-v0.yaml",
    "lsstcam-subset.yaml",
]
FILE_DATASTORE = "lsst.daf.butler.datastores.fileDatastore.FileDatastore"
MEMORY_DATASTORE = "lsst.daf.butler.datastores.inMemoryDatastore.InMemoryDatastore"
CHAINED_DATASTORE = "lsst.daf.butler.datastores.chainedDatastore.ChainedDatastore"
DATASETS = "lsst.daf.butler.registry.datasets.byDimensions.ByDimensionsDatasetRecordStorageManagerUUID"
NAME_KEYS = "lsst.daf.butler.registry.collections.nameKey.NameKeyCollectionManager"
OBSCORE = "lsst.daf.butler.registry.obscore.ObsCoreLiveTableManager"
OBSCORE_SETTINGS = {
    "namespace": "daf_butler_obscore",
    "version": 0,
    "table_name": "obscore",
    "collection_type": "RUN",
    "facility_name": "test",
    "obs_collection": "test",
    "collections": [],
    "dataset_types": {
        "bias": {
            "dataproduct_type": "image",
            "calib_level": 0,
            "obs_id_fmt": "{records[detector].full_name}",
        },
    },
}
JSON_FORMATTER = "lsst.daf.butler.formatters.json.JsonFormatter"
METRICS = "lsst.daf.butler.tests.MetricsExample"
TABLES = ["arrow_table", "arrow_astropy", "arrow_numpy", "data_frame"]
SHARES = [
    {"accept": ["dict_yaml", "zipped"]},
    {"accept": ["dict_json", "list_json", "ingested"]},
    {"accept": TABLES},
    {"reject": ["dict_yaml", "zipped", "dict_json", "list_json", "ingested", *TABLES]},
]
"""What each datastore of a chain of four takes."""


def configuration(arguments):
    """Return what the repository's configuration has beyond the defaults."""
    formatters = {
        "dict_json": JSON_FORMATTER,
        "list_json": JSON_FORMATTER,
        "StructuredDataList": "lsst.daf.butler.formatters.yaml.YamlFormatter",
        "TestMetrics": "lsst.daf.butler.tests.testFormatters.MetricsExampleFormatter",
    }
    files = {
        "formatters": formatters,
        "composites": {"disassembled": {"metrics_apart": True}},
    }
    config = Config()
    if arguments.db:
        config["registry", "db"] = arguments.db
    if arguments.namespace:
        config["registry", "namespace"] = arguments.namespace
    if arguments.collections == "names":
        config["registry", "managers", "collections"] = NAME_KEYS
    if arguments.datasets:
        config["registry", "managers", "datasets"] = {"cls": DATASETS, "schema_version": arguments.datasets}
    if arguments.obscore:
        config["registry", "managers", "obscore"] = {"cls": OBSCORE, "config": OBSCORE_SETTINGS}
    match arguments.datastore:
        case "file":
            config["datastore"] = {"cls": FILE_DATASTORE, "root": "<butlerRoot>", **files}
        case "s3":
            config["datastore"] = {"cls": FILE_DATASTORE, "root": arguments.s3, **files}
        case "memory":
            config["datastore"] = {"cls": MEMORY_DATASTORE}
        case "chained":
            first = {"cls": FILE_DATASTORE, "root": "<butlerRoot>/files_1", "records": {"table": "file_records_1"}}
            second = {"cls": FILE_DATASTORE, "root": "<butlerRoot>/files_2", "records": {"table": "file_records_2"}}
            if arguments.s3:
                second["root"] = arguments.s3
            config["datastore"] = {
                "cls": CHAINED_DATASTORE,
                "datastores": [
                    {"datastore": {"cls": MEMORY_DATASTORE}},
                    {"datastore": {**first, **files, "constraints": {"reject": ["dict_json"]}}},
                    {"datastore": {**second, **files}},
                ],
            }
        case "production":
            config["datastore"] = {
                "cls": CHAINED_DATASTORE,
                "datastores": [
                    {
                        "datastore": {
                            "cls": FILE_DATASTORE,
                            "name": f"store_{number}",
                            "root": root,
                            "records": {"table": f"file_records_{number}"},
                            "constraints": constraints,
                            **files,
                        }
                    }
                    for number, (root, constraints) in enumerate(zip(arguments.s3.split(","), SHARES, strict=True))
                ],
            }
    config["storageClasses"] = {
        "TestMetrics": {
            "pytype": METRICS,
            "delegate": "lsst.daf.butler.tests.MetricsDelegate",
            "components": {
                "summary": "StructuredDataDict",
                "output": "StructuredDataDict",
                "data": "StructuredDataList",
            },
        },
    }
    return config


def register(butler, name, dimensions, storage_class, is_calibration=False):
    dataset_type = DatasetType(
        name, dimensions, storage_class, universe=butler.dimensions, isCalibration=is_calibration
    )
    butler.registry.registerDatasetType(dataset_type)
    return dataset_type


def table():
    """Return an Arrow table with the column types that catalogs have, and a missing value."""
    return pyarrow.table(
        {
            "id": pyarrow.array([2**53 + 1, -1, 3], pyarrow.int64()),
            "flux": pyarrow.array([1.5, float("nan"), -0.25], pyarrow.float64()),
            "small": pyarrow.array([0.5, 1.5, 2.5], pyarrow.float32()),
            "flag": pyarrow.array([True, False, True]),
            "name": pyarrow.array(["a", "é", ""]),
            "count": pyarrow.array([1, None, 3], pyarrow.int32()),
        }
    )


def astropy_table():
    import astropy.units

    result = astropy.table.Table({"x": np.arange(4, dtype=np.int64), "y": np.linspace(0.0, 1.5, 4)})
    result["y"].unit = astropy.units.Jy
    result["y"].description = "a flux"
    result.meta["origin"] = "make_repo"
    return result


def data_frame():
    import pandas

    index = pandas.Index([10, 20, 30], name="key")
    return pandas.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"]}, index=index)


def structured(detector):
    """Return a nested document with the values that JSON and YAML write differently."""
    return {
        "detector": detector,
        "pi": 3.141592653589793,
        "small": 1e-300,
        "big": 2**62,
        "none": None,
        "yes": True,
        "text": "naïve: \u2603 # not a comment",
        "looks_like": {"number": "1.0", "null": "null", "bool": "no", "date": "2020-01-01"},
        "list": [1, 2.5, "three", [4, {"five": 5}]],
        "empty": {},
    }


def put_files(butler, put):
    """Put datasets in the formats that both implementations read."""
    run = "files/put"
    detectors = [{"instrument": "Cam1", "detector": detector} for detector in (1, 2, 3, 4)]
    instrument = {"instrument": "Cam1"}
    for name in ("dict_yaml", "dict_json"):
        dataset_type = register(butler, name, ["detector"], "StructuredDataDict")
        for data_id in detectors:
            put(structured(data_id["detector"]), dataset_type, data_id, run)
    dataset_type = register(butler, "list_json", ["physical_filter"], "StructuredDataList")
    for physical_filter in ("Cam1-G", "Cam1-R1"):
        put([1, "two", [3.5]], dataset_type, {**instrument, "physical_filter": physical_filter}, run)
    put(42, register(butler, "an_int", ["instrument"], "int"), instrument, run)
    begin, end = (astropy.time.Time(t, scale="tai") for t in ("2021-09-09T03:00:00", "2021-09-09T03:01:00"))
    put(Timespan(begin, end), register(butler, "a_timespan", ["instrument"], "Timespan"), instrument, run)
    put(table(), register(butler, "arrow_table", ["instrument"], "ArrowTable"), instrument, run)
    put(astropy_table(), register(butler, "arrow_astropy", ["instrument"], "ArrowAstropy"), instrument, run)
    array = np.array([(1, 2.5), (3, 4.5)], dtype=[("i", "i8"), ("f", "f4")])
    put(array, register(butler, "arrow_numpy", ["instrument"], "ArrowNumpy"), instrument, run)
    put(data_frame(), register(butler, "data_frame", ["instrument"], "DataFrame"), instrument, run)


def ingest_files(butler, put):
    """Ingest files by copy and in place, two datasets in one file among them."""
    run = "files/ingest"
    dataset_type = register(butler, "ingested", ["detector"], "StructuredDataDict")
    butler.collections.register(run)
    # Files that are ingested in place stay where they are: beside the repository, not in it.
    outside = tempfile.mkdtemp(prefix="butler-outside-", dir=os.path.dirname(os.path.abspath(butler_root(butler))))
    for detector, transfer in ((1, "copy"), (2, "direct"), (3, "copy")):
        ref = DatasetRef(dataset_type, butler.registry.expandDataId(instrument="Cam1", detector=detector), run=run)
        path = os.path.join(outside, f"ingested {detector} é.yaml")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(f"detector: {detector}\nlist: [1, 2]\n")
        formatter = "lsst.daf.butler.formatters.yaml.YamlFormatter"
        butler.ingest(FileDataset(path=path, refs=[ref], formatter=formatter), transfer=transfer)
        put.note(ref)


def put_python_formats(butler, put):
    """Put datasets in formats that only Python reads; elsewhere they are bytes."""
    from lsst.daf.butler.tests import MetricsExample

    run = "files/python"
    instrument = {"instrument": "Cam1"}
    put(np.arange(6).reshape(2, 3), register(butler, "numpy_array", ["instrument"], "NumpyArray"), instrument, run)
    put(astropy_table(), register(butler, "ecsv_table", ["instrument"], "AstropyTable"), instrument, run)
    metrics = MetricsExample({"am1": 5.2, "am2": 30.6}, {"a": [1, 2, 3], "b": {"blue": 5}}, [563, 234, 456.7])
    put(metrics, register(butler, "metrics_whole", ["instrument"], "TestMetrics"), instrument, run)
    put(metrics, register(butler, "metrics_apart", ["instrument"], "TestMetrics"), instrument, run)


def put_zip(butler, put):
    """Put datasets whose files are members of a zip file."""
    run = "files/zip"
    dataset_type = register(butler, "zipped", ["detector"], "StructuredDataDict")
    for detector in (1, 2, 3):
        put(structured(detector), dataset_type, {"instrument": "Cam1", "detector": detector}, run)
    refs = butler.query_datasets("zipped", run)
    with tempfile.TemporaryDirectory() as directory:
        zip_file = butler.retrieve_artifacts_zip(refs, directory)
        butler.pruneDatasets(refs, disassociate=False, unstore=True)
        butler.ingest_zip(zip_file, transfer="copy")


def make_collections(butler):
    """Make collections of every type over what there is."""
    collections = butler.collections
    known = set(collections.query("*"))
    if {"imported_g", "imported_r"} <= known:
        collections.register("tag", CollectionType.TAGGED, doc="Every bias of imported_g.")
        butler.registry.associate("tag", butler.query_datasets("bias", "imported_g"))
        collections.register("calibs", CollectionType.CALIBRATION)
        times = [
            astropy.time.Time(t, format="isot", scale="tai")
            for t in ("2020-01-01T00:00:00", "2020-07-01T00:00:00.123456789", "2021-01-01T00:00:00")
        ]
        spans = [
            ("imported_g", "bias", Timespan(None, times[0])),
            ("imported_r", "bias", Timespan(times[0], times[1])),
            ("imported_g", "flat", Timespan(times[1], times[2])),
            ("imported_r", "flat", Timespan(times[2], None)),
        ]
        for run, dataset_type, span in spans:
            butler.registry.certify("calibs", butler.query_datasets(dataset_type, run), span)
        collections.register("chain", CollectionType.CHAINED, doc="Tagged first.")
        collections.redefine_chain("chain", ["tag", "imported_r", "imported_g"])
        collections.register("outer", CollectionType.CHAINED)
        collections.redefine_chain("outer", ["calibs", "chain"])
        collections.register("empty_chain", CollectionType.CHAINED)
        collections.register("empty_run", doc="A run without datasets: naïve \u2603.")
    if "files/put" in known:
        collections.register("files", CollectionType.CHAINED)
        collections.redefine_chain("files", sorted(name for name in known if name.startswith("files/")))


def butler_root(butler):
    return butler._config.configDir.ospath


class Put:
    """Puts datasets and remembers them."""

    def __init__(self, butler):
        self._butler = butler
        self.refs = []

    def __call__(self, thing, dataset_type, data_id, run):
        self._butler.collections.register(run)
        self.refs.append(self._butler.put(thing, dataset_type, data_id, run=run))

    def note(self, ref):
        """Remember a dataset that came in another way."""
        self.refs.append(ref)

    def report(self):
        """Say what there is, as the reference implementation reads it."""
        expanded = {ref.id: ref for ref in self._butler.get_many_datasets([ref.id for ref in self.refs])}
        return [
            {
                "id": str(ref.id),
                "dataset_type": ref.datasetType.name,
                "run": ref.run,
                "data_id": value(self._butler.registry.expandDataId(expanded[ref.id].dataId)),
                "content": content_of(self._butler.get(ref)),
            }
            for ref in self.refs
        ]


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Create and fill a repository.")
    parser.add_argument("root")
    parser.add_argument("--db")
    parser.add_argument("--namespace")
    parser.add_argument("--data", default="all")
    parser.add_argument("--datastore", default="file", choices=["file", "s3", "memory", "chained", "production"])
    parser.add_argument("--s3", help="root of the datastore in S3, s3://bucket/prefix/; several for production")
    parser.add_argument("--with-files", action="store_true")
    parser.add_argument("--python-formats", action="store_true")
    parser.add_argument("--zip", action="store_true")
    parser.add_argument("--no-collections", action="store_true")
    parser.add_argument("--datasets", help="version of the tables of datasets")
    parser.add_argument("--obscore", action="store_true")
    parser.add_argument("--collections", default="numbers", choices=["numbers", "names"])
    arguments = parser.parse_args()
    Butler.makeRepo(arguments.root, config=configuration(arguments), forceConfigRoot=False)
    butler = Butler.from_config(arguments.root, writeable=True)
    names = {"all": ALL_DATA, "none": []}.get(arguments.data, arguments.data.split(","))
    for name in names:
        butler.import_(filename=REGISTRY_DATA + name, without_datastore=True)
    put = Put(butler)
    if arguments.with_files:
        put_files(butler, put)
        if arguments.datastore != "memory":
            ingest_files(butler, put)
    if arguments.python_formats:
        put_python_formats(butler, put)
    if arguments.zip:
        put_zip(butler, put)
    if not arguments.no_collections:
        make_collections(butler)
    show({"root": arguments.root, "put": put.report()})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    main()
