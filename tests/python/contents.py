"""Canonical content of datasets, so that what two implementations read can be compared.

A document is ``{"kind": …, …}``:

``json``      {"value"}: dictionaries, lists and scalars
``timespan``  {"value": [begin, end]} as in ``canonical.py``
``table``     {"columns": {name: {"type", "values"}}, "rows"}: the Arrow type's name, and values with null for what is
              missing and "nan", "inf", "-inf" for floats that JSON lacks; the type says ``float``/``double``/``int64``…
``array``     {"dtype", "shape", "values"}: a NumPy array
``metrics``   {"summary", "output", "data"}: the composite of ``make_repo.py``
``other``     {"type"}: something else, by its Python type
"""

import numpy as np
import pyarrow
from canonical import value
from lsst.daf.butler import Timespan
from lsst.daf.butler.formatters.parquet import (
    astropy_to_arrow,
    numpy_to_arrow,
    pandas_to_arrow,
)


def content_of(thing):
    """Return the canonical content of what ``Butler.get`` has returned."""
    if isinstance(thing, Timespan):
        return {"kind": "timespan", "value": value(thing)}
    if isinstance(thing, dict | list | str | int | float | bool) or thing is None:
        return {"kind": "json", "value": value(thing)}
    if isinstance(thing, pyarrow.Table):
        return table_content(thing)
    if isinstance(thing, np.ndarray):
        if thing.dtype.names:
            return table_content(numpy_to_arrow(thing))
        return {
            "kind": "array",
            "dtype": str(thing.dtype),
            "shape": list(thing.shape),
            "values": value(thing.tolist()),
        }
    match type(thing).__module__.partition(".")[0], type(thing).__name__:
        case "pandas", "DataFrame":
            return table_content(pandas_to_arrow(thing))
        case "astropy", "Table" | "QTable":
            return table_content(astropy_to_arrow(thing))
        case _, "MetricsExample":
            return {
                "kind": "metrics",
                "summary": value(thing.summary),
                "output": value(thing.output),
                "data": value(thing.data),
            }
    return {"kind": "other", "type": f"{type(thing).__module__}.{type(thing).__qualname__}"}


def table_content(table):
    """Return the canonical content of an Arrow table; its metadata are not part of it."""
    return {
        "kind": "table",
        "rows": table.num_rows,
        "columns": {
            name: {
                "type": str(table.schema.field(name).type),
                "values": [value(v) for v in table.column(name).to_pylist()],
            }
            for name in table.column_names
        },
    }
