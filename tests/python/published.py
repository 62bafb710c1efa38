"""Be a user of a public repository, through its server.

Usage: ``published.py URL COLLECTION…``, with a list of dataset IDs on standard input. Prints, by ID, ``null`` if nobody
knows the dataset, or ``{"collections", "content", "url", "error"}``: in which of the collections it is found, what
``get`` gives and where from, or the error that it ends with instead.
"""

import json
import logging
import sys
import uuid
import warnings

from canonical import show
from lsst.daf.butler import Butler, MissingDatasetTypeError


def found(butler, ref, collection):
    try:
        refs = butler.query_datasets(ref.datasetType.name, collections=collection, find_first=False, explain=False)
    except MissingDatasetTypeError:
        return False
    return ref.id in {found.id for found in refs}


def seen(butler, text, collections):
    ref = butler.get_dataset(uuid.UUID(text))
    if ref is None:
        return None
    answer = {"collections": [name for name in collections if found(butler, ref, name)]}
    try:
        answer["content"] = butler.get(ref)
        answer["url"] = str(butler.getURI(ref))
    except Exception as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    return answer


def main():
    """Run as a command."""
    url, *collections = sys.argv[1:]
    with Butler.from_config(url) as butler:
        show({text: seen(butler, text, collections) for text in json.load(sys.stdin)})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
