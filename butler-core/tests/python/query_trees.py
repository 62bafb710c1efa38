"""Write random query trees and result specifications, and what the Python package makes of them.

Run from the repository's root with an interpreter that has ``lsst-daf-butler`` installed:

    python butler-core/tests/python/query_trees.py
"""

import json
import random
import uuid
from pathlib import Path

import astropy.time
import lsst.sphgeom as sphgeom
from lsst.daf.butler import DataCoordinate, DimensionUniverse, Timespan
from lsst.daf.butler.queries import tree as qt
from lsst.daf.butler.queries.predicate_constraints_summary import PredicateConstraintsSummary
from lsst.daf.butler.queries.result_specs import (
    DataCoordinateResultSpec,
    DatasetRefResultSpec,
    DimensionRecordResultSpec,
    GeneralResultSpec,
    SerializedResultSpec,
)
from lsst.daf.butler.queries.tree._query_tree import SerializedQueryTree
from lsst.daf.butler.remote_butler.server_models import (
    DataCoordinateUpload,
    MaterializedQuery,
    QueryCountRequestModel,
    QueryInputs,
)

from query_oddities import odd_specs, odd_trees

OUT = Path(__file__).resolve().parents[1] / "data" / "query_trees.json"
UNIVERSE = DimensionUniverse()
R = random.Random(11)

DIMENSIONS = [
    "instrument",
    "detector",
    "physical_filter",
    "band",
    "visit",
    "exposure",
    "day_obs",
    "group",
    "skymap",
    "tract",
    "patch",
    "htm7",
    "healpix11",
]
ELEMENTS = DIMENSIONS[:11] + ["visit_detector_region", "visit_definition", "visit_system"]
DATASETS = {
    "raw": ["exposure", "detector"],
    "calexp": ["visit", "detector"],
    "bias": ["detector"],
    "deepCoadd_calexp": ["patch", "band"],
    "config": [],
}


def new_id():
    return uuid.UUID(int=R.getrandbits(128), version=4)


def key(name):
    return qt.DimensionKeyReference(dimension=UNIVERSE.dimensions[name])


def field(element, name):
    return qt.DimensionFieldReference(element=UNIVERSE[element], field=name)


# All columns by type.
COLUMNS = {}
for _name in DIMENSIONS:
    COLUMNS.setdefault(key(_name).column_type, []).append(key(_name))
for _name in ELEMENTS:
    for _field in UNIVERSE[_name].schema.remainder.names:
        COLUMNS.setdefault(field(_name, _field).column_type, []).append(field(_name, _field))
for _name in DATASETS:
    for _field in qt.DATASET_FIELD_NAMES:
        _reference = qt.DatasetFieldReference(dataset_type=_name, field=_field)
        COLUMNS.setdefault(_reference.column_type, []).append(_reference)

TEXTS = ["", "HSC", "it's", '"quoted"', "a\\b\n\t", "é—∞", "100%", "r_*", "x" * 30]


def time():
    return astropy.time.Time(R.randrange(41000, 70000), R.random(), format="mjd", scale="tai")


def region():
    vector = sphgeom.UnitVector3d(R.uniform(-1, 1), R.uniform(-1, 1), R.uniform(-1, 1))
    match R.randrange(3):
        case 0:
            return sphgeom.Circle(vector, sphgeom.Angle(R.uniform(0, 1)))
        case 1:
            return sphgeom.Box.fromDegrees(10, -5, 20, R.randrange(1, 60))
        case _:
            return sphgeom.ConvexPolygon(
                [
                    sphgeom.UnitVector3d(sphgeom.LonLat.fromDegrees(x, y))
                    for x, y in ((0, 0), (R.uniform(1, 5), 0), (1, R.uniform(1, 5)))
                ]
            )


def literal(kind):
    match kind:
        case "int":
            value = R.choice([0, 1, -1, 42, 2**31, -(2**63), 2**63 - 1, R.randrange(10**9)])
        case "string":
            value = R.choice(TEXTS)
        case "float":
            value = R.choice([0.0, -0.0, 1.0, 1e22, 1e-7, 1e16, 0.1, R.random(), R.uniform(-1e9, 1e9)])
        case "hash":
            value = R.randbytes(R.randrange(20))
        case "uuid":
            value = new_id()
        case "datetime" | "ingest_date":
            value = time()
        case "timespan":
            begin, end = sorted([time(), time()])
            value = Timespan(R.choice([None, begin]), R.choice([None, end]))
        case "region":
            value = region()
    return qt.make_column_literal(value)


def expression(kind, depth=2):
    choice = R.random()
    if depth > 0 and choice < 0.25:
        if kind in ("int", "float"):
            if R.random() < 0.3:
                return qt.UnaryExpression(operand=expression(kind, depth - 1), operator="-")
            operators = ["+", "-", "*", "/"] + (["%"] if kind == "int" else [])
            return qt.BinaryExpression(
                a=expression(kind, depth - 1), operator=R.choice(operators), b=expression(kind, depth - 1)
            )
        if kind == "datetime":
            operator = R.choice(["begin_of", "end_of"])
            return qt.UnaryExpression(operand=expression("timespan", depth - 1), operator=operator)
    if kind == "ingest_date" or (choice < 0.65 and kind in COLUMNS):
        return R.choice(COLUMNS[kind])
    return literal(kind)


KINDS = ["int", "string", "float", "uuid", "datetime", "ingest_date", "timespan", "region", "hash"]
MEMBERS = ["int", "string", "float", "uuid", "datetime"]


def leaf(nested=True):
    match R.randrange(12):
        case 0:
            return qt.Predicate.is_null(expression(R.choice(KINDS)))
        case 1:
            kind = R.choice(MEMBERS)
            items = [expression(kind, 1) for _ in range(R.randrange(4))]
            return qt.Predicate.in_container(expression(kind), items)
        case 2:
            start = R.randrange(-5, 5)
            stop = R.choice([None, start + R.randrange(9)])
            return qt.Predicate.in_range(expression("int"), start, stop, R.choice([1, 1, 3]))
        case 3 if nested:
            query = tree(R.randrange(3), nested=False)
            kind = R.choice(MEMBERS)
            for _ in range(20):
                member, column = expression(kind), expression(kind)
                try:
                    return qt.Predicate.in_query(member, column, query)
                except Exception:
                    continue
            return qt.Predicate.from_bool(R.random() < 0.5)
        case 4:
            return qt.Predicate.from_bool_expression(R.choice(COLUMNS["bool"]))
        case 5:
            kind, other = R.choice(
                [("timespan", "datetime"), ("timespan", "ingest_date"), ("timespan", "timespan")]
            )
            pair = [expression(kind), expression(other)]
            R.shuffle(pair)
            return qt.Predicate.compare(pair[0], "overlaps", pair[1])
        case 6:
            pair = [R.choice(COLUMNS["region"]), expression("region")]
            R.shuffle(pair)
            return qt.Predicate.compare(pair[0], "overlaps", pair[1])
        case 7:
            return qt.Predicate.compare(expression("string"), "glob", expression("string"))
        case 8:
            operator = R.choice(["==", "!=", "<", ">", "<=", ">="])
            a, b = R.choice([("int", "float"), ("float", "int"), ("datetime", "ingest_date")])
            return qt.Predicate.compare(expression(a), operator, expression(b))
        case 9:
            kind = R.choice(["hash", "uuid", "timespan", "region", "ingest_date"])
            return qt.Predicate.compare(expression(kind), R.choice(["==", "!="]), expression(kind))
        case _:
            kind = R.choice(["int", "string", "float", "datetime"])
            operator = R.choice(["==", "!=", "<", ">", "<=", ">="])
            return qt.Predicate.compare(expression(kind), operator, expression(kind))


def predicate(depth=2, nested=True):
    match R.randrange(8) if depth > 0 else 9:
        case 0:
            return predicate(depth - 1, nested).logical_not()
        case 1 | 2:
            return predicate(depth - 1, nested).logical_and(predicate(depth - 1, nested))
        case 3 | 4:
            return predicate(depth - 1, nested).logical_or(predicate(depth - 1, nested))
        case 5 if R.random() < 0.2:
            return qt.Predicate.from_bool(R.random() < 0.5)
        case _:
            return leaf(nested)


def group(n=None):
    return UNIVERSE.conform(R.sample(DIMENSIONS, R.randrange(4) if n is None else n))


def collections():
    return tuple(R.sample(["HSC/defaults", "u/me/run", "chain", "calib"], R.randrange(1, 4)))


def tree(n_terms=None, nested=True):
    result = qt.make_identity_query_tree(UNIVERSE).join_dimensions(group())
    for name, dimensions in DATASETS.items():
        search = qt.DatasetSearch(collections=collections(), dimensions=UNIVERSE.conform(dimensions))
        result = result.join_dataset(name, search)
    if R.random() < 0.2:
        search = qt.DatasetSearch(collections=collections(), dimensions=group())
        result = result.join_any_dataset(search)
    if R.random() < 0.2:
        result = result.join_data_coordinate_upload(new_id(), group(1))
    if R.random() < 0.2:
        result = result.join_materialization(new_id(), group(2))
    for _ in range(R.randrange(3) if n_terms is None else n_terms):
        result = result.where(predicate(nested=nested))
    if R.random() < 0.1:
        result = result.model_copy(update={"validateGovernorConstraints": False})
    # Validate what joining has not.
    return qt.QueryTree.model_validate(result.model_dump(), context={"universe": UNIVERSE}, strict=False)


def order():
    terms = []
    for _ in range(R.randrange(3)):
        term = expression(R.choice(["int", "string", "float", "datetime", "ingest_date"]))
        terms.append(qt.Reversed(operand=term) if R.random() < 0.5 else term)
    return tuple(terms)


def spec():
    common = dict(
        order_by=order(),
        limit=R.choice([None, 0, 5, 10**12]),
        allow_duplicate_overlaps=R.random() < 0.2,
    )
    records = R.random() < 0.5
    match R.randrange(4):
        case 0:
            return DataCoordinateResultSpec(dimensions=group(), include_dimension_records=records, **common)
        case 1:
            element = R.choice(ELEMENTS + ["htm7", "healpix11"])
            return DimensionRecordResultSpec(element=UNIVERSE[element], **common)
        case 2:
            name = R.choice(list(DATASETS))
            return DatasetRefResultSpec(
                dataset_type_name=name,
                dimensions=UNIVERSE.conform(DATASETS[name]),
                storage_class_name="ExposureF",
                include_dimension_records=records,
                find_first=R.random() < 0.5,
                **common,
            )
        case _:
            dimensions = group()
            dimension_fields = {}
            for element in dimensions.elements:
                names = sorted(UNIVERSE[element].schema.remainder.names)
                if element in UNIVERSE.skypix_dimensions.names or not names or R.random() < 0.5:
                    continue
                dimension_fields[element] = set(R.sample(names, R.randrange(1, min(4, len(names)) + 1)))
            names = R.sample(list(DATASETS), R.randrange(3))
            fields = ["dataset_id", "ingest_date", "run", "collection", "timespan"]
            return GeneralResultSpec(
                dimensions=dimensions,
                dimension_fields=dimension_fields,
                dataset_fields={name: set(R.sample(fields, R.randrange(1, 4))) for name in names},
                find_first=len(names) == 1 and R.random() < 0.5,
                include_dimension_records=records,
                **common,
            )


def on_the_wire(tree, spec):
    """A query as the client sends it."""
    request = QueryCountRequestModel(
        query=QueryInputs(
            tree=SerializedQueryTree.from_validated(tree),
            default_data_id=DataCoordinate.make_empty(UNIVERSE).to_simple(),
            additional_query_inputs=[],
        ),
        result_spec=SerializedResultSpec.from_validated(spec),
        exact=True,
        discard=False,
    )
    sent = json.loads(request.model_dump_json())
    # Sets come in any order.
    for fields in ("dimension_fields", "dataset_fields"):
        for names in sent["result_spec"].get(fields, {}).values():
            names.sort()
    return sent["query"]["tree"], sent["result_spec"]


def columns_of(column_set):
    """The columns in order, and the types that values of them have."""
    found = []
    for table, name in column_set:
        column = column_set.get_column_spec(table, name)
        found.append([column.name, column.type, column.nullable])
    return found


def failure(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__, str(error)
    return None


def queries():
    for _ in range(400):
        t, s = tree(), spec()
        tree_json, spec_json = on_the_wire(t, s)
        required = qt.ColumnSet(t.dimensions)
        t.predicate.gather_required_columns(required)
        governors = set()
        t.predicate.gather_governors(governors)
        yield {
            "tree": tree_json,
            "spec": spec_json,
            "predicate": str(t.predicate),
            "required": str(required),
            "governors": sorted(governors),
            "columns": columns_of(s.get_result_columns()),
            "find_first": s.find_first_dataset,
            "mismatch": failure(lambda: s.validate_tree(t)) is not None,
        }


def predicate_json(p):
    return json.loads(p.model_dump_json())


def logic():
    """Predicates, and what NOT, AND and OR make of them."""
    for _ in range(60):
        a, b = predicate(1, nested=False), predicate(1, nested=False)
        yield {
            "a": predicate_json(a),
            "b": predicate_json(b),
            "not": str(a.logical_not()),
            "and": str(a.logical_and(b)),
            "or": str(a.logical_or(b)),
        }


def constraint():
    """A predicate of the kind that fixes values of data IDs."""
    name, values = R.choice(
        [
            ("instrument", ["HSC", "LATISS"]),
            ("skymap", ["rings"]),
            ("detector", [1, 2]),
            ("visit", [10, 10.0, 11.5]),
            ("band", ["g", "r"]),
            ("tract", [9813]),
        ]
    )
    value = qt.make_column_literal(R.choice(values))
    match R.randrange(10):
        case 0 if isinstance(value.value, type(values[0])):
            return qt.Predicate.in_container(key(name), [value])
        case 1:
            return qt.Predicate.compare(value, "==", key(name))
        case 2:
            return qt.Predicate.compare(key(name), "!=", value).logical_not()
        case 3:
            return qt.Predicate.compare(key(name), "!=", value)
        case 4:
            return qt.Predicate.is_null(key(name))
        case 5:
            return qt.Predicate.compare(field("detector", "full_name"), "==", qt.make_column_literal("a"))
        case 6:
            return qt.Predicate.compare(field("visit", "exposure_time"), ">", qt.make_column_literal(3))
        case _:
            return qt.Predicate.compare(key(name), "==", value)


def constraints():
    for _ in range(300):
        p = qt.Predicate.from_bool(True)
        for _ in range(R.randrange(5)):
            term = constraint()
            if R.random() < 0.2:
                term = term.logical_or(constraint())
            p = p.logical_and(term)
        defaults = {}
        if R.random() < 0.5:
            defaults["instrument"] = "HSC"
        if R.random() < 0.3:
            defaults["skymap"] = "rings"
        dimensions, validate = group(), R.random() < 0.8
        summary = PredicateConstraintsSummary(p)
        row = {
            "predicate": predicate_json(p),
            "defaults": defaults,
            "dimensions": sorted(dimensions.names),
            "validate": validate,
            "messages": list(summary.messages),
        }
        data_id = DataCoordinate.standardize(defaults, universe=UNIVERSE)
        error = failure(lambda: summary.apply_default_data_id(data_id, dimensions, validate))
        row["error"] = error[0] if error else None
        if error is None:
            # Governors are added in the order of a set; so values and terms are compared as sets.
            fixed = sorted(summary.constraint_data_id.items())
            row["data_id"] = {k: str(qt.make_column_literal(v)) for k, v in fixed}
            row["terms"] = sorted(str(qt.Predicate(operands=(g,))) for g in summary.predicate.operands)
        yield row


def inputs():
    for _ in range(20):
        upload = R.choice([["detector"], ["visit"], ["tract", "band"], []])
        dimensions = UNIVERSE.conform(upload)
        values = {"instrument": "HSC", "skymap": "rings", "band": "r", "detector": 5, "visit": 7, "tract": 9}
        rows = [tuple(values[name] for name in dimensions.required) for _ in range(R.randrange(3))]
        request = QueryInputs(
            tree=SerializedQueryTree.from_validated(tree()),
            default_data_id=DataCoordinate.standardize(instrument="HSC", universe=UNIVERSE).to_simple(),
            additional_query_inputs=[
                DataCoordinateUpload(key=new_id(), dimensions=dimensions.to_simple(), rows=rows),
                MaterializedQuery(
                    key=new_id(),
                    tree=SerializedQueryTree.from_validated(tree()),
                    dimensions=group().to_simple(),
                    datasets=R.sample(sorted(DATASETS), 2),
                    allow_duplicate_overlaps=R.random() < 0.5,
                ),
            ],
        )
        yield json.loads(request.model_dump_json())


def judged(odd, serialized):
    for what, document in odd:
        error = failure(lambda: serialized(document).validated(universe=UNIVERSE))
        yield {"what": what, "json": document, "error": error[0] if error else None}


def main():
    OUT.write_text(
        json.dumps(
            {
                "queries": list(queries()),
                "logic": list(logic()),
                "constraints": list(constraints()),
                "inputs": list(inputs()),
                "odd_trees": list(judged(odd_trees(), SerializedQueryTree)),
                "odd_specs": list(judged(odd_specs(), SerializedResultSpec)),
            },
            separators=(",", ":"),
            ensure_ascii=False,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
