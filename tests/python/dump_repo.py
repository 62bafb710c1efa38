"""Print everything that a repository holds as canonical JSON (``canonical.py`` has the rules for values).

Usage: ``dump_repo.py REPO [--skip tables] [--skip files]``. The repository is opened read-only.

The document::

    universe         {version, namespace, common_skypix, elements: {name: {required, implied}}}
    attributes       {name: value}; values that are JSON are parsed
    collections      {name: {type, doc, children, parents, dataset_types, governors}}
                     children in the order of the chain; dataset_types and governors ({dimension: [value]}) are the
                     collection's own summary, [] and {} for a chain
    dataset_types    {name: {dimensions, storage_class, is_calibration}}; dimensions in the order of the group
    dimension_records {element: [record]}; every element with a table, and those that live in another's, with fields
                     as in the schema ("timespan" as one field)
    datasets         [{id, dataset_type, run, data_id, ingest_date}]; data_id has required and implied dimensions
    tagged           {collection: [id]}
    calibrations     {collection: [{id, timespan}]}
    locations        {datastore: [id]}: the table dataset_location
    trash            {datastore: [id]}: the table dataset_location_trash
    opaque           {table: [row]}: every opaque table (file records, …)
    files            {datastore: [{id, component, path, size, sha256}]}: the bytes that those records point to; size
                     and sha256 are null when there is no such file
    uris             {id: {component or "": path relative to the repository's root, or a full URI}}
    tables           {table: number of rows} for every table of the registry
"""

import argparse
import hashlib
import json
import logging
import warnings

import sqlalchemy
from canonical import ordered, show, text, value
from lsst.daf.butler import Butler, CollectionType, SkyPixDimension
from lsst.resources import ResourcePath


def universe_of(butler):
    universe = butler.dimensions
    return {
        "version": universe.version,
        "namespace": universe.namespace,
        "common_skypix": universe.commonSkyPix.name,
        "elements": {
            element.name: {
                "required": list(element.required.names),
                "implied": list(element.implied.names),
            }
            for element in universe.elements
        },
    }


def collections_of(butler):
    result = {}
    for info in butler.collections.query_info("*", include_parents=True, include_doc=True, include_summary=True):
        # Summaries that this interface returns lack the governors.
        record = butler._registry._managers.collections.find(info.name)
        summary = butler._registry._managers.datasets.getCollectionSummary(record)
        chain = info.type is CollectionType.CHAINED
        result[info.name] = {
            "type": info.type.name,
            "doc": info.doc,
            "children": list(info.children),
            "parents": sorted(info.parents),
            "dataset_types": [] if chain else sorted(t.name for t in summary.dataset_types),
            "governors": {} if chain else {k: sorted(v) for k, v in summary.governors.items() if v},
        }
    return result


def dataset_types_of(butler):
    return {
        dataset_type.name: {
            "dimensions": list(dataset_type.dimensions.names),
            "storage_class": dataset_type.storageClass_name,
            "is_calibration": dataset_type.isCalibration(),
        }
        for dataset_type in butler.registry.queryDatasetTypes()
    }


def dimension_records_of(butler):
    return {
        element.name: ordered(butler.query_dimension_records(element.name, limit=None, explain=False))
        for element in butler.dimensions.elements
        if not isinstance(element, SkyPixDimension)
    }


def datasets_of(butler):
    result = []
    runs = butler.collections.query("*", collection_types=CollectionType.RUN)
    for dataset_type in butler.registry.queryDatasetTypes():
        if not runs:
            continue
        with butler.query() as query:
            query = query.join_dataset_search(dataset_type, runs)
            rows = query.general(
                dataset_type.dimensions,
                dataset_fields={dataset_type.name: {"dataset_id", "run", "ingest_date"}},
                find_first=False,
            )
            for row in rows:
                data_id = {name: row[name] for name in dataset_type.dimensions.names}
                result.append(
                    {
                        "id": value(row[f"{dataset_type.name}.dataset_id"]),
                        "dataset_type": dataset_type.name,
                        "run": row[f"{dataset_type.name}.run"],
                        "data_id": value(data_id),
                        "ingest_date": value(row[f"{dataset_type.name}.ingest_date"]),
                    }
                )
    return sorted(result, key=text)


def associations_of(butler, collection_type):
    result = {}
    for collection in butler.collections.query("*", collection_types=collection_type):
        found = result.setdefault(collection, [])
        for dataset_type in butler.registry.queryDatasetTypes():
            if collection_type is CollectionType.CALIBRATION and not dataset_type.isCalibration():
                continue
            for association in butler.registry.queryDatasetAssociations(
                dataset_type, [collection], collectionTypes=[collection_type]
            ):
                dataset_id = str(association.ref.id)
                if collection_type is CollectionType.TAGGED:
                    found.append(dataset_id)
                else:
                    found.append({"id": dataset_id, "timespan": value(association.timespan)})
        found.sort(key=text)
    return result


class Tables:
    """Reads the tables of a registry without its managers."""

    def __init__(self, butler):
        self._database = butler._registry._db
        self._engine = self._database._engine
        self._schema = self._database.namespace

    def names(self):
        names = sqlalchemy.inspect(self._engine).get_table_names(schema=self._schema)
        return sorted(name for name in names if not name.startswith("sqlite_"))

    def table(self, name):
        return sqlalchemy.Table(name, sqlalchemy.MetaData(schema=self._schema), autoload_with=self._engine)

    def rows(self, name):
        with self._engine.connect() as connection:
            return [dict(row._mapping) for row in connection.execute(sqlalchemy.select(self.table(name)))]

    def count(self, name):
        statement = sqlalchemy.select(sqlalchemy.func.count()).select_from(self.table(name))
        with self._engine.connect() as connection:
            return connection.execute(statement).scalar_one()


def dataset_id_text(thing):
    """SQLite holds dataset IDs as 32 digits, PostgreSQL as its own type."""
    thing = str(thing).replace("-", "")
    return "-".join((thing[:8], thing[8:12], thing[12:16], thing[16:20], thing[20:]))


def parsed(thing):
    try:
        return json.loads(thing)
    except ValueError:
        return thing


def locations_of(tables, name):
    result = {}
    for row in tables.rows(name):
        result.setdefault(row["datastore_name"], []).append(dataset_id_text(row["dataset_id"]))
    return {datastore: sorted(ids) for datastore, ids in result.items()}


def opaque_of(tables):
    result = {}
    for name in sorted(row["table_name"] for row in tables.rows("opaque_meta")):
        rows = tables.rows(name)
        for row in rows:
            if "dataset_id" in row:
                row["dataset_id"] = dataset_id_text(row["dataset_id"])
        result[name] = ordered(rows)
    return result


def file_datastores_of(datastore):
    for child in getattr(datastore, "datastores", [datastore]):
        if child is not datastore:
            yield from file_datastores_of(child)
        elif hasattr(child, "root") and hasattr(child, "_table"):
            yield child


def files_of(butler, opaque):
    result = {}
    for datastore in file_datastores_of(butler._datastore):
        files = []
        contents = {}
        for row in opaque[datastore._table.name]:
            path = row["path"]
            uri = ResourcePath(path, root=datastore.root, forceAbsolute=False)
            if uri.scheme == "":
                uri = datastore.root.join(path)
            uri = uri.replace(fragment="")
            if uri not in contents:
                contents[uri] = uri.read() if uri.exists() else None
            content = contents[uri]
            files.append(
                {
                    "id": row["dataset_id"],
                    "component": row["component"],
                    "path": path,
                    "size": None if content is None else len(content),
                    "sha256": None if content is None else hashlib.sha256(content).hexdigest(),
                }
            )
        result[datastore.name] = sorted(files, key=text)
    return result


def uris_of(butler, datasets):
    root = butler._config.configDir
    refs = butler.get_many_datasets([dataset["id"] for dataset in datasets])
    stored = [ref for ref, there in butler._datastore.knows_these(refs).items() if there]

    def relative(uri):
        path = uri.relative_to(root) if root is not None else None
        return path if path is not None else str(uri)

    result = {}
    for ref, uris in butler._datastore.getManyURIs(stored, allow_missing=True).items():
        found = result.setdefault(str(ref.id), {})
        if uris.primaryURI is not None:
            found[""] = relative(uris.primaryURI)
        for component, uri in uris.componentURIs.items():
            found[component] = relative(uri)
    return result


def dump(repo, skip=()):
    """Return the document described above."""
    butler = Butler.from_config(repo, writeable=False)
    tables = Tables(butler)
    opaque = opaque_of(tables)
    datasets = datasets_of(butler)
    document = {
        "universe": universe_of(butler),
        "attributes": {row["name"]: parsed(row["value"]) for row in tables.rows("butler_attributes")},
        "collections": collections_of(butler),
        "dataset_types": dataset_types_of(butler),
        "dimension_records": dimension_records_of(butler),
        "datasets": datasets,
        "tagged": associations_of(butler, CollectionType.TAGGED),
        "calibrations": associations_of(butler, CollectionType.CALIBRATION),
        "locations": locations_of(tables, "dataset_location"),
        "trash": locations_of(tables, "dataset_location_trash"),
        "opaque": opaque,
    }
    if "files" not in skip:
        document["files"] = files_of(butler, opaque)
        document["uris"] = uris_of(butler, datasets)
    if "tables" not in skip:
        document["tables"] = {name: tables.count(name) for name in tables.names()}
    return document


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Print what a repository holds as canonical JSON.")
    parser.add_argument("repo", help="the repository's root, or its configuration file")
    parser.add_argument("--skip", action="append", default=[], choices=["files", "tables"])
    arguments = parser.parse_args()
    show(dump(arguments.repo, arguments.skip))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.INFO)
    main()
