"""Asks the same of a DirectButler and of a RemoteButler, and compares what they say."""

import unittest

from canonical import ordered, value
from lsst.daf.butler import (
    Butler,
    CollectionInfo,
    DataCoordinate,
    DatasetAssociation,
    DatasetRef,
    DatasetType,
    DimensionGroup,
)
from lsst.daf.butler.registry import CollectionSummary


def told(thing):
    """Turn what butlers answer into what JSON has, so that answers of two can be compared."""
    match thing:
        case DatasetRef():
            answer = {
                "id": str(thing.id),
                "run": thing.run,
                "dataset_type": told(thing.datasetType),
                "data_id": told(thing.dataId),
            }
        case DatasetType():
            answer = {
                "name": thing.name,
                "dimensions": sorted(thing.dimensions.names),
                "storage_class": thing.storageClass_name,
                "is_calibration": thing.isCalibration(),
                "parent": thing.parentStorageClass.name if thing.isComponent() else None,
            }
        case DataCoordinate():
            answer = {"data_id": value(thing)}
            if thing.hasRecords():
                answer["records"] = {name: told(thing.records[name]) for name in thing.dimensions.elements}
        case DimensionGroup():
            answer = sorted(thing.names)
        case CollectionInfo():
            answer = thing.model_dump(mode="json")
            answer["parents"] = told(thing.parents)
            answer["dataset_types"] = told(thing.dataset_types)
        case CollectionSummary():
            answer = {
                "dataset_types": sorted(thing.dataset_types.names),
                "governors": {name: sorted(values) for name, values in thing.governors.items()},
            }
        case DatasetAssociation():
            answer = [told(thing.ref), thing.collection, told(thing.timespan)]
        case dict():
            answer = {str(name): told(member) for name, member in thing.items()}
        case list() | tuple():
            answer = [told(member) for member in thing]
        case set() | frozenset():
            answer = ordered(told(member) for member in thing)
        case _:
            answer = value(thing)
    return answer


def unordered(things):
    """Return what JSON has of things of which the order does not matter."""
    return ordered(told(thing) for thing in things)


def outcome(question, butler):
    """Return the answer to a question, or the class of the error."""
    try:
        return told(question(butler))
    except Exception as error:
        return {"error": type(error).__name__, "says_something": bool(str(error))}


def message(question, butler):
    """Return what an error says, for people."""
    try:
        question(butler)
    except Exception as error:
        return str(error)
    return ""


class Agreement(unittest.TestCase):
    """Tests of one repository through both butlers."""

    maxDiff = 4000
    direct: Butler
    remote: Butler
    repository: str

    def agree(self, question, *, direct=None, remote=None):
        """Assert that both butlers answer the same, and return the answer."""
        expected = outcome(question, direct or self.direct)
        self.assertEqual(outcome(question, remote or self.remote), expected)
        return expected

    def agree_on_something(self, question, **butlers):
        """Assert that both answer the same, and that this is neither an error nor empty."""
        answer = self.agree(question, **butlers)
        failed = isinstance(answer, dict) and "error" in answer
        self.assertFalse(failed, failed and message(question, self.direct))
        self.assertTrue(answer)
        return answer

    def agree_on_error(self, question, name, **butlers):
        """Assert that both fail, with this class of error."""
        answer = self.agree(question, **butlers)
        self.assertEqual(answer, {"error": name, "says_something": True})

    def agree_on_an_error(self, question, **butlers):
        """Assert that both fail, with the same class of error."""
        answer = self.agree(question, **butlers)
        self.assertIsInstance(answer, dict)
        self.assertEqual(list(answer), ["error", "says_something"])

    def both_with(self, **options):
        """Return both butlers as they are with such defaults, as arguments of the methods above."""
        return {name: getattr(self, name).clone(**options) for name in ("direct", "remote")}
