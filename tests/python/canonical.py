"""Canonical JSON of what a repository holds, shared by the scripts of this directory.

Rules (``tests/README.md`` has them for the Rust side):

- integers, strings, booleans and null are themselves; floats are JSON numbers in shortest form;
- bytes are lower-case hexadecimal text; a region is the hexadecimal text of its binary encoding;
- a timespan is ``[begin, end]`` in TAI nanoseconds since 1970-01-01 TAI, unbounded ends being the values that the
  database has for them; a time is such a number;
- a dataset ID is text with hyphens;
- mappings are printed with sorted keys; lists that have no order of their own are sorted by their canonical text.
"""

import datetime
import json
import math
import sys
import uuid

import astropy.time
from lsst.daf.butler import DataCoordinate, DimensionRecord, Timespan
from lsst.daf.butler.time_utils import TimeConverter
from lsst.sphgeom import Region


def value(thing):
    """Turn a value of the reference implementation into what JSON has."""
    match thing:
        case None | bool() | int() | str():
            return thing
        case float():
            return thing if math.isfinite(thing) else repr(thing)
        case bytes() | bytearray() | memoryview():
            return bytes(thing).hex()
        case uuid.UUID():
            return str(thing)
        case Timespan():
            return list(thing.nsec)
        case Region():
            return thing.encode().hex()
        case astropy.time.Time():
            return TimeConverter().astropy_to_nsec(thing)
        case datetime.datetime():
            # Columns without a zone hold UTC.
            return TimeConverter().astropy_to_nsec(astropy.time.Time(thing, scale="utc"))
        case DataCoordinate():
            return {k: value(v) for k, v in thing.mapping.items()}
        case DimensionRecord():
            return {k: value(v) for k, v in thing.toDict(splitTimespan=False).items()}
        case dict():
            return {str(k): value(v) for k, v in thing.items()}
        case list() | tuple():
            return [value(v) for v in thing]
        case set() | frozenset():
            return ordered(thing)
    if hasattr(thing, "item"):  # a scalar of NumPy
        return value(thing.item())
    raise TypeError(f"no canonical form for {type(thing)}")


def text(thing):
    """Return one line of JSON with sorted keys: the sort key of lists."""
    return json.dumps(thing, sort_keys=True, separators=(",", ":"))


def ordered(things):
    """Canonical values of things, sorted."""
    return sorted((value(thing) for thing in things), key=text)


def show(document):
    """Print a document."""
    json.dump(document, sys.stdout, sort_keys=True, indent=1)
    sys.stdout.write("\n")
