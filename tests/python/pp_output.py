"""Play a worker of Prompt Processing with the reference implementation.

Usage: ``pp_output.py make ROOT DIMENSIONS``, ``pp_output.py describe ROOT``.

``make``
    Creates a repository with the dimension records of an export file (real ones of LSSTCam), puts datasets of several
    types for each visit and detector, and prints ``[MESSAGE]``: what the workers would have told the Butler writer,
    one message for each visit and detector, in the package's own serialized models. Files are named relative to the
    datastore's root.

``describe``
    Prints ``{"records": {ELEMENT: [RECORD]}, "datasets": {ID: {"type", "run", "data_id", "content"}}}``: everything
    that such a repository holds, as the package reads it.
"""

import json
import logging
import sys
import warnings

from canonical import show
from lsst.daf.butler import Butler, CollectionType, DatasetType

RUN = "LSSTCam/prompt/output-2025-12-02/step"

TYPES = {
    "preliminary_visit_image": ("StructuredDataDict", ["instrument", "visit", "detector"]),
    "difference_image": ("StructuredDataDict", ["instrument", "visit", "detector"]),
    "dia_source_apdb": ("StructuredDataDict", ["instrument", "visit", "detector"]),
    "isr_metadata": ("StructuredDataDict", ["instrument", "exposure", "detector"]),
    "regionTimeInfo": ("StructuredDataDict", ["instrument", "group", "detector"]),
}


def simple(thing):
    """The serialized model as JSON."""
    return json.loads(thing.to_simple().model_dump_json())


def own_elements(butler):
    """The dimension elements that have records of their own."""
    return [element for element in butler.dimensions.elements if element.has_own_table]


def make(root, dimensions):
    """Create a repository with datasets, and print the messages about them."""
    Butler.makeRepo(root)
    with Butler.from_config(root, writeable=True, run=RUN) as butler:
        butler.import_(filename=dimensions, without_datastore=True)
        types = {}
        for name, (storage_class, names) in TYPES.items():
            types[name] = DatasetType(name, names, storage_class, universe=butler.dimensions)
            butler.registry.registerDatasetType(types[name])
        records = [
            simple(record)
            for element in own_elements(butler)
            for record in butler.registry.queryDimensionRecords(element)
        ]
        messages = []
        for number, data_id in enumerate(sorted(butler.registry.queryDataIds(["visit", "detector"]))):
            # The file says what the visits are, but not of which exposures.
            exposure = butler.registry.expandDataId(
                instrument=data_id["instrument"], exposure=data_id["visit"], detector=data_id["detector"]
            )
            values = dict(exposure.mapping) | dict(data_id.mapping)
            refs = []
            for name, dataset_type in types.items():
                content = {"number": number, "type": name, "text": "Grüße"}
                refs.append(butler.put(content, dataset_type, {key: values[key] for key in TYPES[name][1]}))
            messages.append(
                {
                    "type": "pp-output",
                    "dimension_records": records,
                    "dataset_types": [simple(dataset_type) for dataset_type in types.values()],
                    "datasets": [simple(file) for file in butler._datastore.export(refs, transfer=None)],
                }
            )
    print(json.dumps(messages))


def describe(root):
    """Print what a repository holds."""
    with Butler.from_config(root) as butler:
        records = {}
        for element in own_elements(butler):
            found = [simple(record)["record"] for record in butler.registry.queryDimensionRecords(element)]
            if found:
                records[element.name] = sorted(found, key=json.dumps)
        runs = butler.collections.query("*", collection_types=CollectionType.RUN)
        datasets = {}
        for ref in butler.query_all_datasets(runs, find_first=False, limit=None):
            datasets[str(ref.id)] = {
                "type": ref.datasetType.name,
                "run": ref.run,
                "data_id": dict(ref.dataId.required),
                "content": butler.get(ref),
            }
    show({"records": records, "datasets": datasets})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    {"make": make, "describe": describe}[sys.argv[1]](*sys.argv[2:])
