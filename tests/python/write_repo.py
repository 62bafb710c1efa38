"""Write to a repository with the reference implementation.

Usage: ``write_repo.py REPO [--outcomes]``, with a list of steps on standard input, each ``{"do": name, …}``:

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
``dataset_type``  name, dimensions, storage_class, is_calibration: register a dataset type
``prepend``       name, children: put collections at the front of a chain
``datasets``      run, dataset_type, datasets: import datasets, each ``{"id", "data_id"}``
``type``          name, dimensions, storage_class: register a dataset type
``pack``          dataset_type, run, directory: retrieve datasets as a zip file
``ingest_zip``    file, transfer: ingest such a file
``transfer``      source, run: transfer all datasets of a run from another repository, with dataset types and
                  dimension records, copying files

Prints ``{"contents": {id: content}, "files": [path]}``: what was put, and the zip files that were made.

With ``--outcomes``, it says ``ready`` on standard error before it reads the steps, and a step that fails does not
end it: ``outcomes`` has ``ok`` or the name of the exception for each. A step that fails because SQLite's file is locked
is tried again, as is one with ``"again": true`` that conflicts with what another process was writing.
"""

import json
import logging
import sys
import time as clock
import uuid
import warnings

import astropy.time
from canonical import show
import sqlalchemy.exc
from lsst.daf.butler import Butler, CollectionType, DatasetRef, DatasetType, Timespan
from lsst.daf.butler.registry import ConflictingDefinitionError

ATTEMPTS = 200


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
        case "dataset_type":
            registry.registerDatasetType(
                DatasetType(
                    step["name"],
                    step["dimensions"],
                    step["storage_class"],
                    universe=butler.dimensions,
                    isCalibration=step["is_calibration"],
                )
            )
        case "prepend":
            butler.collections.prepend_chain(step["name"], step["children"])
        case "datasets":
            dataset_type = butler.get_dataset_type(step["dataset_type"])
            refs = [
                DatasetRef(
                    dataset_type,
                    registry.expandDataId(dataset["data_id"]),
                    run=step["run"],
                    id=uuid.UUID(dataset["id"]),
                )
                for dataset in step["datasets"]
            ]
            # In the order in which the library inserts them; the reference inserts them as given, and two that insert
            # the same ones in different orders wait for each other.
            registry._importDatasets(sorted(refs, key=lambda ref: ref.id.hex))
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


def may_pass(error, step):
    """Say whether a failure is due to what another process is doing just now."""
    if isinstance(error, sqlalchemy.exc.OperationalError):
        return "database is locked" in str(error)
    collision = (ConflictingDefinitionError, sqlalchemy.exc.IntegrityError, sqlalchemy.exc.ProgrammingError)
    return step.get("again", False) and isinstance(error, collision)


def outcome_of(butler, step, contents):
    for attempt in range(ATTEMPTS):
        try:
            perform(butler, step, contents, [])
            return "ok"
        except Exception as error:
            if attempt + 1 == ATTEMPTS or not may_pass(error, step):
                print(step, repr(error), file=sys.stderr)
                return type(error).__name__
        clock.sleep(0.05)
        butler.registry.refresh()


def main():
    """Run as a command."""
    butler = Butler.from_config(sys.argv[1], writeable=True)
    contents, files = {}, []
    if "--outcomes" in sys.argv:
        print("ready", file=sys.stderr, flush=True)
        show({"outcomes": [outcome_of(butler, step, contents) for step in json.load(sys.stdin)]})
        return
    for step in json.load(sys.stdin):
        perform(butler, step, contents, files)
    show({"contents": contents, "files": files})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    main()
