"""Use a repository as its users do, through the reference implementation, and tell what came of it.

Usage: ``check_repo.py REPO [--no-get] [--writeable]``. Prints::

    contents    {dataset id: content}, every stored dataset read with ``get`` (``contents.py`` has the form), or
                {"error": type, "message": text}
    components  {dataset id: {component: content}} of composites and of tables (columns and rowcount)
    exists      {dataset id: true or false}: what the datastore says for every dataset that it has a record of
    found       {collection: {dataset type: [id]}}: ``query_datasets``, sorted, for every collection; with ``find_first``
                unless it is a calibration collection; chains with such a collection in them are left out
    lookups     {collection: {dataset id: found id}}: ``find_dataset`` for the data ID of each dataset that
                ``found`` lists for a chain; it must find that very dataset
    overlaps    {"visit,tract": [data ID], "visit_detector_region,patch": …}: data IDs of spatial joins
    commands    {command line: {"status": exit status, "lines": number of lines, "output": text when it failed}}
    failures    [text]: everything above that is not as it should be; empty for a sound repository
"""

import argparse
import logging
import warnings

from canonical import ordered, show, value
from click.testing import CliRunner
from contents import content_of
from lsst.daf.butler import Butler, CollectionType
from lsst.daf.butler.cli.butler import cli

# Not ArrowTable: the reference fails to read the component of a table without metadata.
TABLE_CLASSES = {"ArrowAstropy", "ArrowNumpy", "DataFrame"}


def stored_refs(butler):
    """Every dataset that the datastore knows."""
    runs = butler.collections.query("*", collection_types=CollectionType.RUN)
    refs = []
    for dataset_type in butler.registry.queryDatasetTypes():
        if runs:
            refs.extend(
                butler.query_datasets(dataset_type, runs, find_first=False, explain=False, limit=None, with_dimension_records=True)
            )
    known = butler._datastore.knows_these(refs)
    return sorted((ref for ref in refs if known[ref]), key=lambda ref: ref.id)


def contents_of(butler, refs, failures):
    contents, components = {}, {}
    for ref in refs:
        key = str(ref.id)
        try:
            contents[key] = content_of(butler.get(ref))
            names = set(ref.datasetType.storageClass.components)
            if ref.datasetType.storageClass_name in TABLE_CLASSES:
                names |= {"rowcount"}
            for name in sorted(names):
                part = butler.get(ref.makeComponentRef(name))
                components.setdefault(key, {})[name] = content_of(part)
        except Exception as error:
            contents[key] = {"error": type(error).__name__, "message": str(error)}
            failures.append(f"get of {ref}: {type(error).__name__}: {error}")
    return contents, components


def found_of(butler, failures):
    found, lookups = {}, {}
    for info in butler.collections.query_info("*"):
        members = butler.collections.query_info(info.name, flatten_chains=True)
        if info.type is CollectionType.CHAINED and any(m.type is CollectionType.CALIBRATION for m in members):
            # Which dataset is the first there depends on a time that this search does not have.
            continue
        found[info.name] = {}
        for dataset_type in butler.registry.queryDatasetTypes():
            first = info.type is not CollectionType.CALIBRATION
            try:
                refs = butler.query_datasets(
                    dataset_type, info.name, find_first=first, explain=False, limit=None
                )
            except Exception as error:
                failures.append(f"query of {dataset_type.name} in {info.name}: {type(error).__name__}: {error}")
                continue
            if refs:
                found[info.name][dataset_type.name] = sorted(str(ref.id) for ref in refs)
            if info.type is CollectionType.CHAINED:
                for ref in refs:
                    there = butler.find_dataset(dataset_type, ref.dataId, collections=info.name)
                    lookups.setdefault(info.name, {})[str(ref.id)] = None if there is None else str(there.id)
                    if there is None or there.id != ref.id:
                        failures.append(f"find_dataset of {ref} in {info.name} gives {there}")
    return found, lookups


def overlaps_of(butler):
    result = {}
    for names in (["visit", "tract"], ["visit", "detector", "patch"]):
        with butler.query() as query:
            result[",".join(names)] = ordered(query.data_ids(names))
    return result


def importable(butler, names):
    """Tell whether the Python types of these dataset types are there; those of telescopes' packages are not."""
    for name in names:
        try:
            butler.get_dataset_type(name).storageClass.pytype
        except ImportError:
            return False
    return True


def commands_of(repo, butler, refs, failures):
    result = {}
    stored = sorted({ref.datasetType.name for ref in refs})
    lines = [
        ["config-dump", repo],
        ["query-collections", repo],
        ["query-collections", repo, "--chains", "TREE"],
        ["query-dataset-types", repo, "--verbose"],
        ["query-dimension-records", repo, "instrument"],
    ]
    if stored and importable(butler, stored):
        lines.append(["config-validate", repo, "--dataset-type", ",".join(stored)])
    if any(butler.registry.queryDatasetTypes()):
        lines.append(["query-datasets", repo, "--collections", "*", "--limit", "0"])
        lines.append(["query-data-ids", repo, "instrument", "--limit", "0"])
    for line in lines:
        run = CliRunner().invoke(cli, line)
        shown = " ".join("REPO" if word == repo else word for word in line)
        result[shown] = {"status": run.exit_code, "lines": len(run.output.splitlines())}
        if run.exit_code != 0:
            result[shown]["output"] = f"{run.output}\n{run.exception!r}"
            failures.append(f"butler {shown}: status {run.exit_code}: {run.output} {run.exception!r}")
    return result


def main():
    """Run as a command."""
    parser = argparse.ArgumentParser(description="Use a repository and tell what came of it.")
    parser.add_argument("repo")
    parser.add_argument("--no-get", action="store_true", help="read no dataset")
    parser.add_argument("--writeable", action="store_true", help="open it for writing")
    arguments = parser.parse_args()
    butler = Butler.from_config(arguments.repo, writeable=arguments.writeable)
    failures = []
    refs = stored_refs(butler)
    document = {"exists": {str(ref.id): bool(there) for ref, there in butler._datastore.mexists(refs).items()}}
    failures.extend(f"no file for {ref}" for ref in refs if not document["exists"][str(ref.id)])
    if not arguments.no_get:
        document["contents"], document["components"] = contents_of(butler, refs, failures)
    document["found"], document["lookups"] = found_of(butler, failures)
    document["overlaps"] = overlaps_of(butler)
    document["commands"] = commands_of(arguments.repo, butler, refs, failures)
    document["failures"] = failures
    show(value(document))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
