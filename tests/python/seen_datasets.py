"""What the reference sees of datasets in several repositories.

Input: {"repositories": {name: root}, "ids": [UUID], "tags": [collection]}. Output, by repository: what has become of each
dataset ("unknown", "expired", "present"), and the members of the collections that there are.
"""

import json
import sys
import uuid

from lsst.daf.butler import Butler, MissingCollectionError, MissingDatasetTypeError


def fate(butler, text):
    ref = butler.get_dataset(uuid.UUID(text))
    if ref is None:
        return "unknown"
    if not butler.stored(ref):
        try:
            butler.get(ref)
        except FileNotFoundError:
            return "expired"
        return "to be had, but not stored"
    if butler.get(ref)["id"] != text:
        return "another dataset"
    return "present"


def members(butler, tag):
    try:
        return sorted(str(ref.id) for ref in butler.query_all_datasets(tag, find_first=False))
    except MissingCollectionError:
        return None
    except MissingDatasetTypeError:
        return []


given = json.load(sys.stdin)
seen = {}
for name, root in given["repositories"].items():
    with Butler.from_config(root) as butler:
        seen[name] = {
            "datasets": {text: fate(butler, text) for text in given["ids"]},
            "tags": {tag: members(butler, tag) for tag in given["tags"]},
        }
json.dump(seen, sys.stdout)
