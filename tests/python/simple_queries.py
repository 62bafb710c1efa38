"""Answer simple queries with the reference implementation.

Usage: ``simple_queries.py REPO``; the questions come as JSON on standard input::

    [{"method": "query_datasets", "of": "bias", "collections": ["a", "b"], "where": "…", "order_by": ["…"],
      "limit": 5, "records": true, "find_first": true}]

``method`` is ``query_datasets``, ``query_data_ids`` (``of`` is a list of dimensions), ``query_dimension_records`` or
``query_all_datasets`` (``of`` is a list of names and patterns); everything else may be left out.

Prints ``{"answers": [{"rows"} or {"error"}]}``; rows are as ``query_cases.py`` has them, errors the names of classes.
"""

import json
import logging
import sys
import warnings

from canonical import show, value
from lsst.daf.butler import Butler


def data_id_of(data_id):
    found = {"data_id": value(data_id)}
    if data_id.hasRecords():
        found["records"] = {
            name: value(record) if (record := data_id.records[name]) is not None else None
            for name in data_id.dimensions.elements
        }
    return found


def dataset_of(ref):
    return {
        "id": str(ref.id),
        "run": ref.run,
        "dataset_type": ref.datasetType.name,
        "storage_class": ref.datasetType.storageClass_name,
        **data_id_of(ref.dataId),
    }


def answer(butler, question):
    options = {"where": question.get("where", ""), "limit": question.get("limit", -20_000)}
    if "order_by" in question:
        options["order_by"] = question["order_by"]
    method, of, collections = question["method"], question["of"], question.get("collections")
    # Records have no records, and the reference has none for datasets of many types.
    if method not in ("query_dimension_records", "query_all_datasets"):
        options["with_dimension_records"] = question.get("records", False)
    try:
        match method:
            case "query_datasets":
                find_first = question.get("find_first", True)
                found = butler.query_datasets(of, collections, find_first=find_first, **options)
                return {"rows": [dataset_of(ref) for ref in found]}
            case "query_all_datasets":
                find_first = question.get("find_first", True)
                found = butler.query_all_datasets(collections, name=of, find_first=find_first, **options)
                return {"rows": [dataset_of(ref) for ref in found]}
            case "query_data_ids":
                return {"rows": [data_id_of(data_id) for data_id in butler.query_data_ids(of, **options)]}
            case _:
                return {"rows": [value(record) for record in butler.query_dimension_records(of, **options)]}
    except Exception as error:
        return {"error": type(error).__name__, "detail": str(error)}


def main():
    """Run as a command."""
    butler = Butler.from_config(sys.argv[1])
    show({"answers": [answer(butler, question) for question in json.load(sys.stdin)]})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    main()
