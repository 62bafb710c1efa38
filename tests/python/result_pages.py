"""Answer queries of all kinds with the pages that the reference's server would send.

Usage: ``result_pages.py REPO``. Prints ``{"cases": [{"query", "result_spec", "pages"}]}``: the query and what is asked
of it in the JSON form of the protocol, and the lines of the answer. Rows are in no particular order.
"""

import json
import logging
import sys
import warnings

from canonical import show
from lsst.daf.butler import Butler, CollectionType
from lsst.daf.butler.queries.result_specs import (
    DataCoordinateResultSpec,
    DatasetRefResultSpec,
    DimensionRecordResultSpec,
    GeneralResultSpec,
    SerializedResultSpec,
)
from lsst.daf.butler.queries.tree import DATASET_FIELD_NAMES, SerializedQueryTree
from lsst.daf.butler.remote_butler.server.handlers._query_serialization import convert_query_page
from lsst.daf.butler.remote_butler.server_models import QueryExecuteRequestModel, QueryInputs


def specs_of(butler, query):
    """Yield queries with what is asked of them: every kind, with and without records."""
    universe = butler.dimensions
    for element in universe.elements:
        if element.has_own_table:
            yield query.join_dimensions(element.minimal_group), DimensionRecordResultSpec(element=element)
    pixels = universe["htm7"]
    found = query.join_dimensions(["patch"]).join_dimensions(["htm7"])
    yield found, DimensionRecordResultSpec(element=pixels)
    yield found, DataCoordinateResultSpec(dimensions=pixels.minimal_group, include_dimension_records=True)
    yield query, DataCoordinateResultSpec(dimensions=universe.empty, include_dimension_records=False)
    runs = butler.collections.query("*", CollectionType.RUN)
    calibrations = butler.collections.query("*", CollectionType.CALIBRATION)
    for dataset_type in butler.registry.queryDatasetTypes():
        name, dimensions = dataset_type.name, dataset_type.dimensions
        searched = query.join_dataset_search(dataset_type, [*calibrations, *runs])
        columns = {name: set(DATASET_FIELD_NAMES)}
        fields = {
            element: universe[element].schema.remainder.names
            for element in dimensions.elements
            if universe[element].has_own_table and universe[element].schema.remainder.names
        }
        for records in (False, True):
            options = {"dimensions": dimensions, "include_dimension_records": records}
            yield searched, DataCoordinateResultSpec(**options)
            yield searched, DatasetRefResultSpec(
                dataset_type_name=name,
                storage_class_name=dataset_type.storageClass_name,
                find_first=False,
                **options,
            )
            yield searched, GeneralResultSpec(
                dataset_fields=columns, dimension_fields=fields, find_first=False, **options
            )


def main():
    """Run as a command."""
    butler = Butler.from_config(sys.argv[1], without_datastore=True)
    cases = []
    with butler.query() as query:
        for query, spec in specs_of(butler, query):
            pages = query._driver.execute(spec, query._tree)
            lines = [convert_query_page(spec, page).model_dump_json() for page in pages]
            inputs = QueryInputs(
                tree=SerializedQueryTree(query._tree),
                default_data_id=butler.registry.defaults.dataId.to_simple(),
                additional_query_inputs=[],
            )
            request = QueryExecuteRequestModel(query=inputs, result_spec=SerializedResultSpec(spec))
            cases.append({**json.loads(request.model_dump_json()), "pages": lines})
    show({"cases": cases})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    main()
