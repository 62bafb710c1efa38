"""Tell which datasets of a repository have files.

Usage: ``stored_datasets.py REPO``. Prints ``{"signable": [id], "local": [id], "fileless": [id]}``: those of which all files
are in an object store, those with a file on this machine, and those without files, sorted.
"""

import logging
import sys
import warnings

from canonical import show
from lsst.daf.butler import Butler, CollectionType


def main():
    """Run as a command."""
    with Butler.from_config(sys.argv[1]) as butler:
        runs = butler.collections.query("*", collection_types=CollectionType.RUN)
        refs = butler.query_all_datasets(runs, find_first=False, limit=None)
        known = butler._datastore.knows_these(refs)
        found = {"signable": [], "local": [], "fileless": []}
        for ref in refs:
            if not known[ref]:
                found["fileless"].append(str(ref.id))
                continue
            uris = butler.getURIs(ref)
            local = any(uri.isLocal for uri in (uris.primaryURI, *uris.componentURIs.values()) if uri is not None)
            found["local" if local else "signable"].append(str(ref.id))
    show({kind: sorted(ids) for kind, ids in found.items()})


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    main()
