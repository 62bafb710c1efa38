"""Query trees and result specifications that are unusual or wrong, for `query_trees.py`."""

ID = "eb463bc3-3944-4fd7-b1bc-7955c52345be"

BASE = {
    "dimensions": ["visit"],
    "datasets": {},
    "any_dataset": None,
    "data_coordinate_uploads": {},
    "materializations": {},
    "predicate": {"operands": []},
    "validateGovernorConstraints": True,
}
VISIT = {"expression_type": "dimension_key", "dimension": "visit"}
SPEC = {"result_type": "data_coordinate", "dimensions": ["visit"]}
GENERAL = {
    "result_type": "general",
    "dimensions": ["visit"],
    "dimension_fields": {"visit": ["region"]},
    "dataset_fields": {"a": ["run"]},
    "find_first": False,
}


def with_leaf(leaf, **kwargs):
    return BASE | {"predicate": {"operands": [[leaf]]}} | kwargs


def compare(a, operator, b, **kwargs):
    return with_leaf({"predicate_type": "comparison", "a": a, "b": b, "operator": operator}, **kwargs)


def value(kind, value):
    return {"expression_type": kind, "value": value}


def column(element, name):
    return {"expression_type": "dimension_field", "element": element, "field": name}


def dataset(name, field):
    return {"expression_type": "dataset_field", "dataset_type": name, "field": field}


def nested(n):
    result = VISIT
    for _ in range(n):
        result = {"expression_type": "unary", "operand": result, "operator": "-"}
    return result


def odd_trees():
    """Descriptions of trees, and the trees."""
    one = value("int", 1)
    search = {"collections": ["x"], "dimensions": []}
    null = {"predicate_type": "is_null", "operand": VISIT}
    yield "nothing but dimensions", {"dimensions": ["visit"]}
    yield "an unknown key", BASE | {"more": 1}
    yield "an unknown key in a leaf", with_leaf(null | {"more": 1})
    yield "no dimensions", {k: v for k, v in BASE.items() if k != "dimensions"}
    yield "null", None
    yield "a list", []
    yield "text", "tree"
    yield "dimensions as text", BASE | {"dimensions": "visit"}
    yield "dimensions as null", BASE | {"dimensions": None}
    yield "a number as dimension", BASE | {"dimensions": [5]}
    yield "an unknown dimension", BASE | {"dimensions": ["vizit"]}
    yield "a dimension twice", BASE | {"dimensions": ["visit", "visit"]}
    yield "an unknown key of a dimension", compare(
        {"expression_type": "dimension_key", "dimension": "vizit"}, "==", one
    )
    yield "a relationship's key", compare(
        {"expression_type": "dimension_key", "dimension": "visit_detector_region"}, "==", one
    )
    yield "an unknown element", compare(column("vizit", "name"), "==", one)
    yield "an unknown field", compare(column("visit", "bogus"), "==", one)
    yield "a key as field", compare(column("visit", "id"), "==", one)
    yield "an implied key as field", compare(column("visit", "day_obs"), "==", one)
    yield "an unknown operator", compare(VISIT, "=", one)
    yield "no operator", with_leaf({"predicate_type": "comparison", "a": VISIT, "b": one})
    yield "an unknown expression", compare(VISIT, "==", {"expression_type": "complex", "value": 1})
    yield "an expression without type", compare(VISIT, "==", {"value": 1})
    yield "null as expression", compare(VISIT, "==", None)
    yield "a reversed operand", compare({"expression_type": "reversed", "operand": VISIT}, "==", one)
    yield "an unknown leaf", with_leaf({"predicate_type": "maybe"})
    yield "a leaf without type", with_leaf({})
    yield "a negation", with_leaf({"predicate_type": "not", "operand": null})
    yield "a double negation", with_leaf(
        {"predicate_type": "not", "operand": {"predicate_type": "not", "operand": null}}
    )
    yield "a literal as truth value", with_leaf({"predicate_type": "boolean_wrapper", "operand": one})
    yield "operands as object", BASE | {"predicate": {"operands": {}}}
    yield "a group as leaf", BASE | {"predicate": {"operands": [null]}}
    yield "no operands", BASE | {"predicate": {}}
    yield "no predicate", BASE | {"predicate": None}
    yield "different types", compare(VISIT, "==", value("string", "a"))
    yield "int and float", compare(VISIT, "<", value("float", 1.5))
    yield "a float in exponent form", compare(VISIT, "<", value("float", 1e300))
    yield "an int as float", compare(VISIT, "<", value("float", 5))
    yield "a float as int", compare(VISIT, "<", value("int", 5.0))
    yield "a fraction as int", compare(VISIT, "<", value("int", 5.5))
    yield "null as int", compare(VISIT, "<", value("int", None))
    yield "null as float", compare(VISIT, "<", value("float", None))
    yield "a list as int", compare(VISIT, "<", value("int", [1]))
    yield "a number as text", compare(value("string", 5), "==", value("string", "a"))
    yield "a number as UUID", compare(value("uuid", 5), "==", value("uuid", 5))
    yield "text as UUID", compare(value("uuid", "x"), "==", value("uuid", "x"))
    short = value("uuid", "eb463bc339444fd7b1bc7955c52345be")
    yield "a short UUID", compare(short, "==", short)
    yield "UUIDs in order", compare(short, "<", short)
    yield "a number as bytes", compare(
        {"expression_type": "hash", "encoded": 5}, "==", {"expression_type": "hash", "encoded": ""}
    )
    yield "overlap of numbers", compare(VISIT, "overlaps", VISIT)
    yield "pattern for a number", compare(VISIT, "glob", VISIT)
    yield "overlap of literals", compare(
        {"expression_type": "region", "encoded": "Yw=="},
        "overlaps",
        {"expression_type": "region", "encoded": "Yw=="},
    )
    yield "regions in order", compare(column("visit", "region"), "<", column("visit", "region"))
    yield "timespans in order", compare(column("visit", "timespan"), "<", column("visit", "timespan"))
    yield "begin of a number", compare(
        {"expression_type": "unary", "operand": VISIT, "operator": "begin_of"}, "==", one
    )
    yield "negative text", compare(
        {"expression_type": "unary", "operand": value("string", "a"), "operator": "-"}, "==", one
    )
    yield "an unknown unary operator", compare(
        {"expression_type": "unary", "operand": VISIT, "operator": "+"}, "==", one
    )
    yield "sum of int and float", compare(
        {"expression_type": "binary", "a": VISIT, "b": value("float", 1.5), "operator": "+"}, "==", one
    )
    yield "modulo of floats", compare(
        {"expression_type": "binary", "a": value("float", 2.5), "b": value("float", 1.5), "operator": "%"},
        "==",
        one,
    )
    yield "an unknown binary operator", compare(
        {"expression_type": "binary", "a": VISIT, "b": one, "operator": "**"}, "==", one
    )
    yield "a range of all", with_leaf({"predicate_type": "in_range", "member": VISIT})
    yield "a range without progress", with_leaf({"predicate_type": "in_range", "member": VISIT, "step": 0})
    yield "a range backwards", with_leaf(
        {"predicate_type": "in_range", "member": VISIT, "start": 5, "stop": 4}
    )
    yield "a range from null", with_leaf({"predicate_type": "in_range", "member": VISIT, "start": None})
    yield "a range of text", with_leaf({"predicate_type": "in_range", "member": value("string", "a")})
    yield "an empty container", with_leaf({"predicate_type": "in_container", "member": VISIT, "container": []})
    yield "an object as container", with_leaf(
        {"predicate_type": "in_container", "member": VISIT, "container": {}}
    )
    yield "a container of text", with_leaf(
        {"predicate_type": "in_container", "member": VISIT, "container": [value("string", "a")]}
    )
    yield "a container of floats", with_leaf(
        {"predicate_type": "in_container", "member": VISIT, "container": [value("float", 1.5)]}
    )
    yield "timespans in a container", with_leaf(
        {"predicate_type": "in_container", "member": column("visit", "timespan"), "container": []}
    )
    inner = {"predicate_type": "in_query", "member": VISIT, "column": VISIT}
    yield "a query", with_leaf(inner | {"query_tree": BASE})
    yield "a query without the column", with_leaf(inner | {"query_tree": BASE | {"dimensions": []}})
    yield "a query without the dataset", with_leaf(
        inner | {"member": value("string", "a"), "column": dataset("a", "run"), "query_tree": BASE}
    )
    yield "a query of another type", with_leaf(inner | {"member": value("string", "a"), "query_tree": BASE})
    yield "no query", with_leaf(inner)
    yield "a dataset not joined", compare(dataset("a", "run"), "==", value("string", "x"))
    yield "a joined dataset", compare(dataset("a", "run"), "==", value("string", "x"), datasets={"a": search})
    yield "any dataset not joined", compare(dataset(-1, "run"), "==", value("string", "x"))
    yield "a dataset by number", compare(dataset(-2, "run"), "==", value("string", "x"))
    yield "a dataset by null", compare(dataset(None, "run"), "==", value("string", "x"))
    yield "a dataset of bad name", compare(
        dataset("-1", "run"), "==", value("string", "x"), datasets={"-1": search}
    )
    yield "an unknown dataset field", compare(
        dataset("a", "id"), "==", value("string", "x"), datasets={"a": search}
    )
    yield "an internal dataset field", compare(
        dataset("a", "collection_key"), "==", value("string", "x"), datasets={"a": search}
    )
    yield "ingest dates in order", compare(
        dataset("a", "ingest_date"), "<", dataset("a", "ingest_date"), datasets={"a": search}
    )
    yield "collections as text", BASE | {"datasets": {"a": search | {"collections": "x"}}}
    yield "a number as collection", BASE | {"datasets": {"a": search | {"collections": [5]}}}
    yield "no collections", BASE | {"datasets": {"a": {"dimensions": []}}}
    yield "a dataset's dimensions not joined", BASE | {"datasets": {"a": search | {"dimensions": ["tract"]}}}
    yield "any dataset's dimensions not joined", BASE | {"any_dataset": search | {"dimensions": ["tract"]}}
    yield "an upload's dimensions not joined", BASE | {"data_coordinate_uploads": {ID: ["tract"]}}
    yield "a materialization's dimensions not joined", BASE | {"materializations": {ID: ["tract"]}}
    yield "a bad key of an upload", BASE | {"data_coordinate_uploads": {"x": []}}
    yield "a key in upper case", BASE | {
        "materializations": {"EB463BC3-3944-4FD7-B1BC-7955C52345BE": []}
    }
    yield "a predicate's dimensions not joined", compare(VISIT, "==", one, dimensions=[])
    yield "a number as flag", BASE | {"validateGovernorConstraints": 2}
    yield "null as flag", BASE | {"validateGovernorConstraints": None}
    yield "250 minus signs", compare(nested(250), "==", one)
    yield "260 minus signs", compare(nested(260), "==", one)


def odd_specs():
    region = column("visit", "region")
    yield "the least", SPEC
    yield "an unknown key", SPEC | {"more": 1}
    yield "no type", {"dimensions": []}
    yield "an unknown type", SPEC | {"result_type": "rows"}
    yield "null", None
    yield "a fraction as limit", SPEC | {"limit": 1.5}
    yield "a list as limit", SPEC | {"limit": []}
    yield "no limit", SPEC | {"limit": None}
    yield "order by literal", SPEC | {"order_by": [value("int", 5)]}
    yield "order by region", SPEC | {"order_by": [region]}
    yield "order by reversed region", SPEC | {"order_by": [{"expression_type": "reversed", "operand": region}]}
    yield "reversed twice", SPEC | {
        "order_by": [
            {
                "expression_type": "reversed",
                "operand": {"expression_type": "reversed", "operand": VISIT},
            }
        ]
    }
    yield "order by null", SPEC | {"order_by": None}
    yield "a relationship", {"result_type": "dimension_record", "element": "visit_detector_region"}
    yield "an unknown element", {"result_type": "dimension_record", "element": "vizit"}
    yield "no element", {"result_type": "dimension_record"}
    refs = {
        "result_type": "dataset_ref",
        "dataset_type_name": "a",
        "dimensions": [],
        "storage_class_name": "X",
    }
    yield "datasets", refs | {"find_first": True}
    yield "datasets without find_first", refs
    yield "a number as name", refs | {"find_first": True, "dataset_type_name": 5}
    yield "general", GENERAL
    yield "a field twice", GENERAL | {"dimension_fields": {"visit": ["name", "name"]}}
    yield "an unknown dataset field", GENERAL | {"dataset_fields": {"a": ["id"]}}
    yield "an empty set of fields", GENERAL | {"dimension_fields": {"visit": []}}
    yield "an empty set of dataset fields", GENERAL | {"dataset_fields": {"a": []}}
    yield "an element outside", GENERAL | {"dimension_fields": {"tract": ["region"]}}
    yield "an unknown element's field", GENERAL | {"dimension_fields": {"vizit": ["region"]}}
    yield "find_first of nothing", GENERAL | {"dataset_fields": {}, "find_first": True}
    yield "find_first of two", GENERAL | {"dataset_fields": {"a": ["run"], "b": ["run"]}, "find_first": True}
    yield "no dimension fields", {k: v for k, v in GENERAL.items() if k != "dimension_fields"}
    yield "skypix fields", GENERAL | {"dimensions": ["htm7"], "dimension_fields": {"htm7": ["region"]}}
