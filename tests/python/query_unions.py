"""Random queries over many dataset types, with conditions in the expression language."""

from canonical import text
from lsst.daf.butler import CalibrationLookupError

LIMITS = [None, None, None, 0, 1, 3, 10, 100]


class UnionAsker:
    """Makes queries of all dataset types that match, and asks them."""

    def __init__(self, asker):
        self.asker = asker
        self.rng = asker.rng

    def patterns(self, names):
        """Choose some names, or patterns that match them."""
        found = []
        for name in self.rng.sample(names, min(len(names), self.rng.choice([1, 1, 2, 3]))):
            pattern = self.rng.choice([name, name, name[:2] + "*", "*" + name[-1], "?" + name[1:]])
            found.append(pattern)
        return found

    def quoted(self, literal):
        return "'" + literal.replace("'", "''") + "'" if isinstance(literal, str) else str(literal)

    def term(self):
        """Make a condition of one dimension or dataset field, as text."""
        asker, rng = self.asker, self.rng
        if rng.random() < 0.12:
            return rng.choice(["ingest_date > T'2020-01-01'", "ingest_date < T'2020-01-01'"])
        names = ["detector", "detector", "visit", "exposure", "tract", "patch", "physical_filter", "band"]
        name = rng.choice(names)
        literal = asker.key_value(name)
        match rng.randrange(5):
            case 0 if isinstance(literal, int):
                return f"{name} IN ({literal}..{literal + rng.choice([2, 5])}:{rng.choice([1, 2])})"
            case 0:
                return f"GLOB({name}, {self.quoted(literal[:2] + '*')})"
            case 1:
                return f"{name} IN ({self.quoted(literal)}, {self.quoted(asker.key_value(name))})"
            case 2:
                return f"{name} {rng.choice(['<', '<=', '>', '>=', '!='])} {self.quoted(literal)}"
            case _:
                return f"{name} = {self.quoted(literal)}"

    def condition(self):
        if self.rng.random() < 0.2:
            return ""
        terms = [self.term() for _ in range(self.rng.choice([1, 1, 1, 2]))]
        terms = [f"NOT ({term})" if self.rng.random() < 0.15 else term for term in terms]
        return self.rng.choice([" AND ", " OR "]).join(terms) if len(terms) > 1 else terms[0]

    def ask(self, arguments):
        found = self.asker.butler.query_all_datasets(**arguments)
        rows = [
            {
                "id": str(ref.id),
                "run": ref.run,
                "dataset_type": ref.datasetType.name,
                "storage_class": ref.datasetType.storageClass_name,
                **self.asker.data_id(ref.dataId),
            }
            for ref in found
        ]
        return sorted(rows, key=text)

    def case(self):
        """Make and ask one query; None if it has too many answers."""
        asker, rng = self.asker, self.rng
        asker.world = rng.choice(asker.worlds)
        asker.most_rows = 3_000
        collections = sorted(asker.collections)
        patterned = rng.random() < 0.5
        arguments = {
            "name": ["*"] if rng.random() < 0.3 else self.patterns(sorted(asker.dataset_types)),
            "collections": self.patterns(collections) if patterned else rng.sample(collections, 2),
            "where": self.condition(),
            "find_first": rng.random() < (0.1 if patterned else 0.7),
            "limit": rng.choice(LIMITS),
            "data_id": {k: v for k, v in asker.world.items() if rng.random() < 0.9},
        }
        case = {"question": "all_datasets", "arguments": arguments, "options": {}, "order": False}
        case["one_of_group"] = asker.has_any_value
        limit = arguments["limit"]
        try:
            case["answer"] = self.ask(arguments if limit is not None else arguments | {"limit": asker.most_rows})
        except CalibrationLookupError as error:
            if limit is not None:
                # Whether ambiguous rows are met that the limit leaves out is not defined.
                return None
            case["error"] = {"type": type(error).__name__, "detail": str(error)}
            return case
        except Exception as error:
            case["error"] = {"type": type(error).__name__, "detail": str(error)}
            return case
        if limit is not None:
            try:
                case["all"] = self.ask(arguments | {"limit": asker.most_rows})
            except Exception:
                return None
        everything = case.get("all", case["answer"])
        if len(everything) == asker.most_rows or (not everything and rng.random() < 0.6):
            return None
        return case
