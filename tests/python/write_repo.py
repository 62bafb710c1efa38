"""Write to a repository with the reference implementation.

Usage: ``write_repo.py REPO``, with a list of steps on standard input, each ``{"do": name, …}``:

``import``        file, directory, transfer: import an export file; without a transfer mode, files are left out
``export``        file, directory: export all datasets with all collections, files being copied
``collection``    name, type, doc: register a collection
``chain``         name, children: set the children of a chain
``insert``        dataset_type, run, data_ids: insert datasets without files
``put``           dataset_type, run, data_id, content: put a dataset
``associate``     collection, dataset_type, run: associate all datasets of a type in a run
``certify``       collection, dataset_type, run, begin, end: certify them, times being ISO TAI
``decertify``     collection, dataset_type, begin, end
``prune``         dataset_type, run: remove datasets and files
``type``          name, dimensions, storage_class: register a dataset type
``pack``          dataset_type, run, directory: retrieve datasets as a zip file
``ingest_zip``    file, transfer: ingest such a file
``transfer``      source, run: transfer all datasets of a run from another repository, with dataset types and
                  dimension records, copying files

Prints ``{"contents": {id: content}, "files": [path]}``: what was put, and the zip files that were made.
"""

import json
import logging
import sys
import warnings

import astropy.time
from canonical import show
from lsst.daf.butler import Butler, CollectionType, DatasetType, Timespan


def time(text):
    return None if text is None else astropy.time.Time(text, scale="tai")


def found(butler, step):
    return butler.query_datasets(step["dataset_type"], step["run"], limit=None)


def perform(butler, step, contents, files):
    registry = butler.registry
    match step["do"]:
        case "import":
            transfer = step.get("transfer")
            butler.import_(
                filename=step["file"],
                directory=step.get("directory"),
                transfer=transfer,
                without_datastore=transfer is None,
            )
        case "export":
            with butler.export(filename=step["file"], directory=step["directory"], transfer="copy") as export:
                names = butler.collections.query("*")
                for name in names:
                    export.saveCollection(name)
                export.saveDatasets(butler.query_all_datasets(names, find_first=False, limit=None))
        case "collection":
            butler.collections.register(step["name"], CollectionType.from_name(step["type"]), doc=step.get("doc"))
        case "chain":
            butler.collections.redefine_chain(step["name"], step["children"])
        case "insert":
            registry.insertDatasets(step["dataset_type"], step["data_ids"], run=step["run"])
        case "put":
            ref = butler.put(step["content"], step["dataset_type"], step["data_id"], run=step["run"])
            contents[str(ref.id)] = butler.get(ref)
        case "associate":
            registry.associate(step["collection"], found(butler, step))
        case "certify":
            span = Timespan(time(step.get("begin")), time(step.get("end")))
            registry.certify(step["collection"], found(butler, step), span)
        case "decertify":
            span = Timespan(time(step.get("begin")), time(step.get("end")))
            registry.decertify(step["collection"], step["dataset_type"], span)
        case "prune":
            butler.pruneDatasets(found(butler, step), purge=True, unstore=True)
        case "type":
            dataset_type = DatasetType(
                step["name"], step["dimensions"], step["storage_class"], universe=butler.dimensions
            )
            registry.registerDatasetType(dataset_type)
        case "pack":
            files.append(butler.retrieve_artifacts_zip(found(butler, step), step["directory"]).ospath)
        case "ingest_zip":
            butler.ingest_zip(step["file"], transfer=step["transfer"])
        case "transfer":
            source = Butler.from_config(step["source"])
            butler.transfer_from(
                source,
                source.query_all_datasets(step["run"], limit=None),
                transfer="copy",
                register_dataset_types=True,
                transfer_dimensions=True,
            )
        case other:
            raise ValueError(f"unknown step {other}")


def main():
    """Run as a command."""
    butler = Butler.from_config(sys.argv[1], writeable=True)
    contents, files = {}, []
    for step in json.load(sys.stdin):
        perform(butler, step, contents, files)
    show({"contents": contents, "files": files})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    main()
