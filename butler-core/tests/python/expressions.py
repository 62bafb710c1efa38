"""Write what the Python package makes of ``where`` expressions and ``order_by`` terms.

Run from the repository's root with an interpreter that has ``lsst-daf-butler`` installed:

    python butler-core/tests/python/expressions.py [SEED [FACTOR]]

The fixture that is kept has the seed and the number of expressions of a run without arguments.
"""

import base64
import json
import logging
import random
import sys
import uuid
import warnings
from pathlib import Path

import astropy.time
import lsst.sphgeom
from lsst.daf.butler import DimensionUniverse, InvalidQueryError, Timespan
from lsst.daf.butler.queries._expression_strings import convert_expression_string_to_predicate
from lsst.daf.butler.queries._identifiers import IdentifierContext, interpret_identifier
from lsst.daf.butler.queries.convert_args import convert_order_by_args
from lsst.daf.butler.time_utils import TimeConverter

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
OUT = Path(__file__).resolve().parents[1] / "data"
UNIVERSE = DimensionUniverse()
CONVERTER = TimeConverter()

CONTEXTS = [
    (["visit", "detector"], ["raw", "calexp"]),
    (["visit", "exposure", "tract", "patch"], ["raw"]),
    (["exposure", "detector"], []),
    (["patch", "band", "htm7"], ["deepCoadd"]),
    (["instrument"], ["bias"]),
    ([], []),
]

CIRCLE = lsst.sphgeom.Circle(
    lsst.sphgeom.UnitVector3d(lsst.sphgeom.LonLat.fromDegrees(12.5, -30)), lsst.sphgeom.Angle.fromDegrees(0.5)
)
POINT = lsst.sphgeom.LonLat.fromDegrees(53.6, -32.7)
# The form in which the fixture has a bound value, and the value itself.
BIND = {
    "i": (["int", 42], 42),
    "ra": (["float", 53.6], 53.6),
    "f": (["float", 1.5], 1.5),
    "s": (["string", "Cam1"], "Cam1"),
    "pos": (["string", "CIRCLE 12.0 -3.5 0.25"], "CIRCLE 12.0 -3.5 0.25"),
    "b": (["bool", True], True),
    "h": (["bytes", "AAECAw=="], bytes(range(4))),
    "t": (["time", 1585571433000000000], CONVERTER.nsec_to_astropy(1585571433000000000)),
    "ts": (["timespan", [10**18, 11 * 10**17]], Timespan(None, None, _nsec=(10**18, 11 * 10**17))),
    "r": (["region", base64.b64encode(CIRCLE.encode()).decode()], CIRCLE),
    "p": (["point", [53.6, -32.7]], POINT),
    "u": (
        ["uuid", "e15ab039-bc8b-4135-87c5-90902a7c0b22"],
        uuid.UUID("e15ab039-bc8b-4135-87c5-90902a7c0b22"),
    ),
    "ints": (["sequence", [["int", 1], ["int", 5]]], [1, 5]),
    "strs": (["sequence", [["string", "a"], ["string", "b c"]]], ("a", "b c")),
    "uuids": (["sequence", [["uuid", str(uuid.UUID(int=7))]]], [uuid.UUID(int=7)]),
    "empty": (["sequence", []], []),
    "mixed": (["sequence", [["int", 1], ["string", "a"]]], [1, "a"]),
    "nested": (["sequence", [["sequence", [["int", 1]]]]], [[1]]),
    "NULL": (["int", 3], 3),
}
SHADOWS = {
    "visit": (["int", 7], 7),
    "visit.id": (["int", 8], 8),
    "timespan": BIND["ts"],
    "x.y": BIND["ts"],
}
BINDS = [{}, BIND, BIND | SHADOWS]

COLUMNS = {
    "int": [
        "visit", "exposure", "detector", "visit.id", "detector.id", "id", "tract", "patch", "day_obs", "seq_num",
        "visit.seq_num", "exposure.seq_start", "patch.cell_x", "cell_y", "visit_max", "instrument.visit_max",
        "htm7", "htm9.id", "visit_system", "visit.day_obs", "visit_detector_region.visit", "healpix3", "subfilter",
    ],
    "float": [
        "exposure_time", "visit.exposure_time", "exposure.dark_time", "zenith_angle", "exposure.tracking_ra",
        "visit.azimuth", "sky_angle",
    ],
    "string": [
        "instrument", "band", "physical_filter", "skymap", "visit.name", "detector.full_name", "raft", "name",
        "detector.raft", "target_name", "exposure.observation_type", "raw.run", "raw.collection", "run", "group",
        "collection", "exposure.obs_id", "instrument.name", "instrument.class_name", "visit.instrument",
        "unknown.run", "detector.purpose", "obs_id",
    ],
    "bool": ["exposure.has_simulated", "has_simulated", "can_see_sky", "exposure.can_see_sky"],
    "timespan": ["visit.timespan", "exposure.timespan", "raw.timespan", "timespan", "day_obs.timespan"],
    "datetime": [
        "visit.timespan.begin", "timespan.end", "timespan.begin", "exposure.timespan.end", "calexp.timespan.begin",
    ],
    "region": [
        "visit.region", "patch.region", "region", "visit_detector_region.region", "htm7.region", "tract.region",
    ],
    "uuid": ["raw.dataset_id", "dataset_id", "x.dataset_id"],
    "ingest_date": ["raw.ingest_date", "ingest_date", "flat.ingest_date"],
    "hash": ["skymap.hash", "hash"],
    "none": [
        "foo", "visit.foo", "raw.foo", "a.b.c", "visit.timespan.middle", "VISIT", "timespan.middle", "visit.begin",
        "region.begin", "visit.region.begin", "raw.ingest_date.begin", "T", "x.y.begin", "visit_definition",
        "visit_definition.id", "INGEST_DATE",
    ],
    "null": ["NULL", "null", "Null", "(NULL)"],
}
LITERALS = {
    "int": ["1", "0", "42", "007", ":i", ":b", "i", "-3", "+5", "- 4", "903342"],
    "float": ["1.5", ".5", "1.", "1e3", "2.5E-3", ":f", "-0.25", "+1e2", "3.14159265358979"],
    "string": ["'Cam1'", "''", "'a \"b\" = c'", "'r'", ":s", "s", "'HSC/raw/all'", "'AND'", "'é'", "'a\tb'", "'%*?'"],
    "timespan": [
        "(T'2020-01-01', T'2020-02-01')", "(NULL, T'2020-01-01')", "(T'58938.5', null)", ":ts", "(:t, NULL)",
        "((T'2020-01-01'), (NULL))", "(T'2020-01-01/tai', T'2020-01-01/tai')", "(T'2021-01-01', T'2020-01-01')",
        "(NULL, NULL)",
    ],
    "datetime": [
        "T'2020-03-30 12:20:33'", "t'58938.515'", "T'mjd/58938.515/tai'", "T'2020-03-30T12:20:33.123456789'",
        "T'2020:090'", "T'unix/1577836800.5'", "T'jd/2458938.5/utc'", ":t", "T'9999-12-31'", "T'1969-01-01'",
        "T'+02020-01-01'", "T'isot/2020-01-01T00:00:00/TT'",
    ],
    "region": [
        "POINT(53.6, -32.7)", "point(:ra, :i)", "CIRCLE(10, 20, 1)", "Circle(10.5, -20.25, .5)", "BOX(53.6, -32.7, 1, 1)",
        "POLYGON(10, 10, 12, 10, 12, 12)", "POLYGON(1,1, 2,1, 2,2, 1,2)", "REGION('CIRCLE 12.0 -3.5 0.25')",
        "REGION(:pos)", ":r", ":p", "region('POLYGON 12 34 14 35 14 36 12 35')", "REGION('RANGE 12 14 34 36')",
        "BOX(-10, 5, 2, - -4)", "CIRCLE(1, 2, +3)", "CIRCLE(10, 20, 0)", "BOX(0, 0, 400, 400)", "CIRCLE(0, 0, 100)",
        "POINT((1), (2))", "CIRCLE(10, 20, -1)", "BOX(10, 20, -1, 1)", "REGION('CIRCLE 1 2')", "POINT(1, 91)",
        "POLYGON(0,0,0,0,0,0)", "CIRCLE(visit, 1, 1)", "BOX(1+1, 2, 3, 4)", "REGION(band)", "REGION('BOX')",
    ],
    "uuid": ["UUID('e15ab039-bc8b-4135-87c5-90902a7c0b22')", "uuid('{e15ab039bc8b413587c590902a7c0b22}')", ":u"],
    "hash": [":h"],
    "null": ["NULL", "null", ":NULL"],
    "none": [":nothing", ":mixed", ":ints", "1..5", "(1, 2)", "('a', 'b')", "sin(1)", "POINT(1)", "T'tomorrow'"],
}
COMPARISONS = ["=", "!=", "<", "<=", ">", ">="]
TYPES = ["int", "float", "string", "timespan", "datetime", "region", "uuid", "ingest_date", "hash"]


def known_columns(context):
    """Return those of the columns that mean something in a context."""
    known = {}
    for kind, names in COLUMNS.items():
        for name in names:
            try:
                interpret_identifier(context, name)
            except Exception:
                continue
            known.setdefault(kind, []).append(name)
    return known


class Generator:
    """Random expressions; most of them make sense."""

    def __init__(self, rng, contexts):
        self.rng = rng
        self.columns = [known_columns(context) for context in contexts]
        self.context = 0

    def pick(self, items):
        return self.rng.choice(items)

    def chance(self, p):
        return self.rng.random() < p

    def word(self, word):
        return self.pick([word, word, word.lower(), word.title()])

    def column(self, kind):
        known = self.columns[self.context].get(kind)
        return self.pick(known if known and self.chance(0.95) else COLUMNS[kind])

    def literal(self, kind):
        kind = "datetime" if kind == "ingest_date" else kind
        return self.pick(LITERALS.get(kind) or COLUMNS[kind])

    def operand(self, kind, depth=2):
        if self.chance(0.02):
            kind = self.pick(list(LITERALS))
            return self.literal(kind)
        if depth > 0 and kind in ("int", "float") and self.chance(0.25):
            op = self.pick(["+", "-", "*", "/", "%" if kind == "int" else "*"])
            a, b = self.operand(kind, depth - 1), self.operand(kind, depth - 1)
            space = self.pick(["", " "])
            text = f"{a}{space}{op}{space}{b}"
            return f"({text})" if self.chance(0.4) else text
        if kind in ("int", "float") and self.chance(0.08):
            return self.pick("+-") + self.operand(kind, depth - 1)
        if self.chance(0.05):
            return f"({self.operand(kind, 0)})"
        return self.literal(kind) if kind not in COLUMNS or self.chance(0.4) else self.column(kind)

    def item(self, kind):
        if self.chance(0.05):
            return self.pick(["NULL", ":empty", ":ints", ":strs", ":uuids", "1..2", "visit", ":mixed", ":nested", "(1)"])
        if kind == "int" and self.chance(0.4):
            a, b = self.rng.randrange(-5, 50), self.rng.randrange(0, 200)
            stride = self.pick(["", "", ":2", " : 10", ":0"]) if self.chance(0.5) else ""
            return f"{a}{self.pick(['..', ' .. '])}{b}{stride}"
        return self.literal(kind)

    def leaf(self):
        kind = self.pick(TYPES)
        other = self.pick(TYPES) if self.chance(0.05) else kind
        roll = self.rng.random()
        if kind in ("timespan", "region"):
            if kind == "timespan" and self.chance(0.4):
                other = self.pick(["datetime", "ingest_date"])
            if roll < 0.8:
                return f"{self.operand(kind)} {self.word('OVERLAPS')} {self.operand(other)}"
        if roll < 0.25:
            values = ", ".join(self.item(kind) for _ in range(self.rng.randrange(1, 5)))
            word = self.pick(["IN", "NOT IN", "in", "Not In"])
            return f"{self.operand(kind)} {word} ({values})"
        if roll < 0.32:
            null = self.pick(LITERALS["null"])
            a, b = self.operand(self.pick([kind, "bool"])), null
            if self.chance(0.3):
                a, b = b, a
            return f"{a} {self.pick(['=', '!=', '=', '!=', '<'])} {b}"
        if roll < 0.38:
            return self.column("bool")
        if roll < 0.44:
            pattern = self.pick(["'a*'", "'?b'", ":s", "('x')", ":i", "band"])
            return f"{self.pick(['glob', 'GLOB'])}({self.column(self.pick(['string', 'string', 'int']))}, {pattern})"
        if kind == "int" and self.chance(0.2):
            other = "float"
        if kind == "ingest_date" or other == "ingest_date":
            other = self.pick(["datetime", "ingest_date"])
        if self.chance(0.03):
            kind = self.pick(["none", "null", "bool"])
        return f"{self.operand(kind)}{self.pick(['', ' '])}{self.pick(COMPARISONS)}{self.pick(['', ' '])}{self.operand(other)}"

    def condition(self, depth):
        if depth == 0 or self.chance(0.3):
            return self.leaf()
        roll = self.rng.random()
        if roll < 0.2:
            return f"{self.word('NOT')} {self.condition(depth - 1)}"
        if roll < 0.4:
            return f"({self.condition(depth - 1)})"
        terms = [self.condition(depth - 1) for _ in range(self.rng.randrange(2, 4))]
        text = terms[0]
        for term in terms[1:]:
            text += f"{self.pick([' ', ' ', chr(10)])}{self.word(self.pick(['AND', 'OR']))} {term}"
        return text

    def mutated(self, text):
        pool = ["(", ")", ",", "=", "!=", "-", "+", "*", " AND ", " OR ", " NOT ", " IN ", "'", "T'", ":", ".", "..", "1",
                "e", "NULL", " ", "\n", "visit", ":i", "1..2", "<", "%", "!", "\"", "\r", "é", "glob(", "UUID("]
        for _ in range(self.rng.randrange(1, 4)):
            at = self.rng.randrange(len(text) + 1)
            roll = self.rng.random()
            if roll < 0.4:
                text = text[:at] + self.pick(pool) + text[at:]
            elif roll < 0.7:
                text = text[:at] + text[at + self.rng.randrange(1, 4):]
            elif roll < 0.85:
                text = text[:at] + text[at:at + 8] + text[at:]
            else:
                text = text[:at] + text[at + 3:at + 9] + text[at:at + 3] + text[at + 9:]
        return text


HAND_WRITTEN = [
    "", " ", "\n\t", "()", "visit", "visit = 1", "1 = visit", "visit == 1", "visit <> 1", "visit=1", "visit=-1", "visit-1=2",
    "visit -1..2", "visit - 1 = 2", "1=1", "'a'='b'", "NULL = NULL", "NULL = visit", "visit != NULL", "visit < NULL",
    "has_simulated", "NOT has_simulated", "has_simulated = NULL", "NULL != has_simulated", "has_simulated = has_simulated",
    "(NOT has_simulated) = NULL", "(has_simulated) = NULL", "(has_simulated AND can_see_sky) = NULL", "has_simulated = 1",
    "has_simulated IN (1)", "visit IN (has_simulated)", "NULL IN (1)", "1..2 IN (1)", "(1..2) = visit", "visit = 1..2",
    "(T'2020-01-01', T'2020-02-01') IN ((T'2020-01-01', T'2020-02-01'))", ":ts IN (:ts)", "visit.timespan IN (:ts)",
    "visit.timespan IN (:empty)", "visit IN (:empty)", "band IN (:empty)", "visit IN ()", "visit IN (:ints)", "visit IN (ints)",
    "visit IN :ints", "visit IN (:ints, 7, 1..9:2)", "visit IN (:strs)", "visit NOT IN (:ints)", "visit = :ints",
    "visit IN (5..1)", "visit IN (5..4)", "visit IN (5..3)", "visit IN (1..5:10)", "visit IN (1..5:07)", "visit IN (1..5 :2)",
    "visit IN (-5..-1)", "visit IN (- 5..1)", "visit IN (-5)", "visit IN (- 5)", "visit IN (+5, -1.5)", "visit IN (1.5)",
    "exposure_time IN (1, 2)", "exposure_time IN (1..2)", "visit IN ('a')", "visit IN (visit)", "visit IN (exposure, 5)",
    "visit IN (visit.id)", "visit IN (UUID('e15ab039-bc8b-4135-87c5-90902a7c0b22'))",
    "raw.dataset_id IN (UUID('e15ab039-bc8b-4135-87c5-90902a7c0b22'), :u)", "dataset_id IN (:uuids)",
    "raw.dataset_id = 'e15ab039-bc8b-4135-87c5-90902a7c0b22'", "raw.dataset_id < :u", "visit IN (POINT(1, 2))",
    "visit IN (1, 2", "visit IN (1 2)", "visit IN (1,)", "visit IN (,1)", "visit IN (1+2)", "visit IN ((1))", "5 IN (visit, 5)",
    "visit IN (1) IN (2)", "(visit IN (1)) IN (2)", "visit IN (1) = NULL", "visit IN (1) AND detector IN (2)",
    "visit = visit IN (1)", "visit IN (1) + 2", "visit NOT IN (1) OR NOT visit IN (2)", "visit NOT visit", "NOT", "NOT NOT has_simulated",
    "NOT (visit = 1 AND detector = 2)", "NOT (visit = 1 OR detector = 2)", "NOT NOT (visit = 1 AND (detector = 2 OR band = 'r'))",
    "(visit = 1 AND detector = 2) OR (visit = 3 AND detector = 4)", "NOT ((visit = 1 AND detector = 2) OR (visit = 3 AND detector = 4))",
    "visit = 1 OR detector = 2 AND band = 'r' OR NOT tract = 1 AND patch = 3", "visit = NOT has_simulated", "visit = 1 = 2",
    "visit = 1 = NULL", "has_simulated = NULL = NULL", "1 + 2 * 3 = visit", "(1 + 2) * 3 = visit", "visit % 2 = 1", "visit / 2 * 3 - 1 = 1",
    "visit + 1.5 = 1", "exposure_time + 1 = 2", "exposure_time % 2.0 = 1.0", "exposure_time * 2.0 > 60", "visit > 1.5", "1.5 < visit",
    "-visit = 1", "- - visit = 1", "+visit = 1", "-band = 'r'", "+band = 'r'", "-visit.timespan = 1", "-exposure_time < 1.5", "-(visit + 1) = 2",
    "--5 = visit", "visit = - -5", "visit = +-5", "band = 'r'", "band = \"r\"", "band = 'r", "band = r'", "band = 'it''s'", "band < 'r'",
    "band = 'a\nb'", "band = ''", "band='r'AND visit=1", "visit=1AND detector=2", "visit=1.AND detector=2", "visit=1e5", "visit=1e", "visit=1.e1",
    "visit = .5", "visit = .", "visit = 1.5.5", "visit = 1..", "visit = ..1", "visit = 1a", "visit = 0x10", "visit = 1_000",
    "visit.timespan.begin > T'2020-03-30 12:20:33'", "exposure.timespan.begin > T'58938.515'", "visit.timespan.end < T'mjd/58938.515/tai'",
    "ingest_date < T'2020-11-06 21:10:00'", "raw.ingest_date = NULL", "T'2020-01-01' > raw.ingest_date", "raw.ingest_date < '2020-01-01'",
    "raw.ingest_date < 5", "raw.ingest_date + 1 = 2", "raw.ingest_date = calexp.ingest_date", "raw.ingest_date < calexp.ingest_date",
    "raw.ingest_date IN (T'2020-01-01')", "raw.ingest_date OVERLAPS visit.timespan", "raw.ingest_date OVERLAPS T'2020-01-01'",
    "visit.timespan OVERLAPS raw.ingest_date", "visit.timespan OVERLAPS T'2020-01-01'", "T'2020-01-01' OVERLAPS visit.timespan",
    "visit.timespan OVERLAPS (T'2020-01-01', NULL)", "visit.timespan OVERLAPS (T'2020-01-01', '2021-01-01')",
    "visit.timespan OVERLAPS (visit.timespan.begin, NULL)", "(NULL, NULL) OVERLAPS visit.timespan", "visit.timespan OVERLAPS (1, 2, 3)",
    "visit.timespan = exposure.timespan", "visit.timespan < exposure.timespan", "visit.timespan.begin = exposure.timespan.end",
    "visit.timespan OVERLAPS (T'1960-01-01', T'1965-01-01')", "visit.timespan OVERLAPS (T'2110-01-01', NULL)",
    "visit.timespan OVERLAPS (NULL, T'1960-01-01')", "visit.timespan OVERLAPS (T'2099-12-31T23:59:59.999999999/tai', T'2099-12-31T23:59:59.999999999/tai')",
    "visit.timespan OVERLAPS (T'2020-01-01', T'2020-01-01')", "visit.timespan OVERLAPS (T'2021-01-01', T'2020-01-01')", "visit.timespan OVERLAPS 5",
    "visit OVERLAPS exposure", "visit.region OVERLAPS patch.region", "visit.region OVERLAPS POINT(53.6, -32.7)", "POINT(1, 2) OVERLAPS visit.region",
    "POINT(1, 2) OVERLAPS POINT(3, 4)", "visit.region = patch.region", "visit.region < patch.region", "visit.region IN (:r)", "visit.region IN (:empty)",
    "visit.region OVERLAPS :r", "visit.region OVERLAPS r", "visit.region OVERLAPS :p", "visit.region OVERLAPS 'CIRCLE 1 2 3'",
    "visit.region OVERLAPS REGION('CIRCLE 12.0 -3.5 0.25')", "visit.region OVERLAPS REGION(pos)", "visit.region OVERLAPS REGION(('CIRCLE 1 2 3'))",
    "visit.region OVERLAPS POINT(360, 90)", "visit.region OVERLAPS POINT(-1, -90)", "visit.region OVERLAPS POINT(1, 90.0001)",
    "visit.region OVERLAPS POINT(1, 2, 3)", "visit.region OVERLAPS POINT()", "visit.region OVERLAPS CIRCLE(1, 2, 'x')", "POINT = 1", "POINT (1, 2) OVERLAPS region",
    "skymap.hash = :h", "skymap.hash < :h", "hash IN (:h)", "visit = :b", "visit = b", "visit = :B", "visit = :", "visit = : i", "visit = ::i",
    "glob(visit.name, 'a*')", "GLOB(band, :s)", "glob('a', 'b')", "glob(band, band)", "glob(visit, 'a')", "glob(band, :i)", "glob(:s, 'a')", "glob(s, 'a')",
    "glob((band), ('r?'))", "NOT glob(band, 'r')", "glob(band, 'r') = NULL", "glob(NULL, 'a')", "glob(has_simulated, 'a')", "glob(timespan.begin, 'a')",
    "UUID('x') = dataset_id", "UUID(:s) = dataset_id", "UUID() = dataset_id", "raw.dataset_id = UUID(('e15ab039-bc8b-4135-87c5-90902a7c0b22'))",
    "raw.dataset_id = UUID('urn:uuid:e15ab039-bc8b-4135-87c5-90902a7c0b22')", "raw.dataset_id = UUID('e15a-b039bc8b413587c590902a7c0b22')",
    "raw.dataset_id = UUID('{{e15ab039bc8b413587c590902a7c0b22')", "raw.dataset_id = UUID('E15AB039BC8B413587C590902A7C0B22')",
    "in = 1", "and.or = 1", "not.in.overlaps = 1", "Overlaps", "IN", "IN IN (1)", "a.b.c.d = 1", "visit. id = 1", "visit .id = 1", "visit.1 = 1", ".visit = 1",
    "_visit = 1", "visit = 1;", "visit = 1 -- comment", "visit = 1 # c", "visit = $1", "visit = @i", "visit = 1\r\nAND detector = 2", "\x0bvisit = 1", "visit\u00a0= 1",
    "visit IS NULL", "visit BETWEEN 1 AND 2", "band LIKE 'r%'", "visit = 1 && detector = 2", "!has_simulated", "visit ! = 1", "visit < = 1", "T '2020-01-01' = 1",
    "exposure.timespan.begin = T''", "exposure.timespan.begin = T'2020'", "exposure.timespan.begin = TT'2020-01-01'", "exposure.timespan.begin = '2020-01-01'",
    "exposure.timespan.begin + 1 = T'2020-01-01'", "exposure.timespan.begin IN (T'2020-01-01', T'2021-01-01')", "exposure.timespan.begin IN (1..5)",
    "((((((((((visit = 1))))))))))", "(visit) = (1)", "(visit = 1", "visit = 1)", "(visit, detector) = 1", "visit, detector", "(1, 2)", "sin(1) = 1", "foo() = 1", "foo",
    "1", "'a'", "T'2020-01-01'", ":i", ":ts", ":ints", "NULL", "UUID('e15ab039-bc8b-4135-87c5-90902a7c0b22')", "POINT(1, 2)", "-1", "(1)", "1..2", "visit + 1",
    "ingest_date = NULL", "id = 1", "name = 'x'", "region OVERLAPS POINT(1,2)", "timespan OVERLAPS T'2020-01-01'", "timespan.begin < T'2020-01-01'", "run = 'u/x'",
    "visit = 9223372036854775807", "visit IN (-9223372036854775808)", "visit IN (1..9223372036854775806)", "exposure_time = 1e308", "exposure_time = 4.9e-324",
    "visit.visit = 1", "visit.visit_system = 1", "visit.band = 'r'", "exposure.exposure = 1", "visit_definition.visit = 1", "visit_definition = 1", "htm7.id = 1", "htm7.htm7 = 1",
    "htm7.region OVERLAPS :r", "htm25 = 1", "healpix5 = 3", "visit.htm7 = 1", "detector.detector = 1", "band.name = 'r'", "band.id = 1", "skymap.name = 's'",
]

TIMES = [
    "58938.5", "58938.", ".5", "-5.5", "1e5", "58938", "mjd/58938.5", "MJD/58938.5/UTC", "jd/2458938.515/tt", "jyear/2020.5", "byear/2020.5",
    "decimalyear/2020.5", "decimalyear/2020.25/utc", "unix/1577836800.5", "unix/1577836800.5/tai", "unix_tai/1577836800.5", "cxcsec/700000000.5", "cxcsec/700000000.5/utc",
    "gps/1261872018.25", "galexsec/1261872018.25", "plot_date/737425.5", "2020-01-01", "2020-1-1", "2020-01-01 12:30", "2020-01-01 1:2:3", "2020-01-01 1:2:3.5",
    "2020-01-01T12:30:15.25", "2020-01-01 12:30:15.123456789", "2020-01-01 12:30:15.1234567894", "2020-01-01 12:30:15.1234567896", "2020-01-01T12:30:15/tai",
    "2020-01-01t00:00:00", "iso/2020-01-01", "iso/2020-01-01 00:00", "iso/2020-01-01T00:00", "isot/2020-01-01 00:00", "isot/2020-01-01T00:00/TAI", "fits/2020-01-01T00:00:00",
    "fits/2020-01-01 00:00:00", "+2020-01-01", "+02020-01-01", "+02020-01-01T00:00:00", "2020:060", "2020:60", "2020:1", "2020:366", "2020:000", "2020:001:12:30", "2020:001:1:2:3.5",
    "yday/2020:060/utc", "mjd/2020-01-01", "iso/58938.5", "iso/2020:060", "x/58938.5", "58938.5/x", "58938.5/utc/x", "mjd/utc/58938.5", "mjd//58938.5", "58938.5/", "/58938.5",
    "", " ", " 2020-01-01", "2020-01-01 ", "2020-01-01T", "2020-01-01 12", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00+00:00", "2020-01-01T00:00:00+01:00", "2020-13-01", "2020-02-30",
    "2020-02-29", "2021-02-29", "2020-00-01", "2020-01-00", "2020-01-01 24:00", "2020-01-01 00:60", "2016-12-31 23:59:60", "2016-12-31 23:59:60.5/utc", "2016-12-31 23:59:59/tai",
    "20-1-1", "02020-01-01", "12020-01-01", "0020-01-01", "9999-12-31", "0001-01-01", "1582-10-10", "1969-12-31 23:59:59/tai", "1970-01-01", "1970-01-01/tai", "2100-01-01/tai",
    "2099-12-31T23:59:59.999999999/tai", "2101-01-01", "99999999.5", "-1000000.5", "1000000000000000.5", "unix/-5.5", "unix/9999999999.5", "jd/0.5", "jyear/10000.5", "datetime/2020-01-01",
    "ymdhms/2020-01-01", "datetime64/2020-01-01", "byear_str/1950.0", "jyear_str/2000.0", "58938.5/local", "58938.5/TT", "58938.5/tcg", "2020-01-01/tcg", "2020-01-01/tt",
    "2020-01-01 12:30:15,5", "2020/01/01", "2020.01.01", "01-01-2020", "tomorrow", "now", "2020-01-01-01", "2020:001:12", "2020:001:12:30:15:16", "1.5.5", "--5.5", "+5.5", "5e3.5", "inf", "nan",
    "mjd/inf", "T2020-01-01", "\t2020-01-01", "mjd/58938", "2020-01-01 12:00:60", "2021:366", "58938.5/ut1", "stardate/-210000.5", "unix_tai_fast/1577836800.5",
]
# What we treat otherwise; the tests know.
DIFFERENT = [
    "visit = 9223372036854775808", "visit IN (1..9223372036854775807)", "exposure_time = 1e999", "visit.region OVERLAPS POINT(, 1, 2)",
    "raw.dataset_id = UUID('0xe15ab039bc8b413587c590902a7c0b')", "visit = \u0661",
    "visit IN (1\u00a0..\u00a02)",
]

ORDER_TERMS = [
    "visit", "-visit", "--visit", "-", "", "visit.id", "visit.exposure_time", "-visit.exposure_time", "exposure_time", "timespan.begin", "-timespan.end", "visit.timespan.begin",
    "-visit.timespan.begin", "visit.timespan", "timespan", "region", "visit.region", "seq_num", "raw.ingest_date", "ingest_date", "-raw.run", "run", "collection", "raw.collection",
    "raw.dataset_id", "dataset_id", "raw.timespan.begin", "has_simulated", "exposure.has_simulated", "skymap.hash", "band", "instrument", "instrument.name", "visit.name", "name", "id",
    "detector.full_name", "full_name", "raft", "htm7", "htm7.id", "patch.cell_x", "cell_x", "foo", "visit.foo", "raw.foo", "a.b.c", "a.b.c.d", "visit.timespan.middle", " visit", "visit ",
    "visit.", ".visit", "+visit", "visit,detector", "visit DESC", "VISIT", "NULL", "day_obs", "visit.day_obs", "physical_filter", "visit_detector_region.region", "-visit.timespan",
]


def predicate_of(text, context):
    try:
        predicate = convert_expression_string_to_predicate(text, context=context, universe=UNIVERSE)
    except Exception as error:
        return type(error).__name__
    return json.loads(predicate.model_dump_json())


def order_of(term, dimensions, datasets):
    try:
        (expression,) = convert_order_by_args(dimensions, datasets, term)
    except Exception as error:
        return type(error).__name__
    return json.loads(expression.model_dump_json())


def expressions(rng, contexts, factor):
    generator = Generator(rng, [IdentifierContext(*context) for context in contexts])
    for text in HAND_WRITTEN:
        for context in rng.sample(range(len(CONTEXTS) - 1), 2):
            yield context, 1, text
    for text in DIFFERENT:
        yield 0, 1, text
    for text in TIMES:
        yield 0, 0, f"visit.timespan.begin < T'{text}'"
    for _ in range(2400 * factor):
        generator.context = rng.randrange(len(CONTEXTS))
        yield generator.context, rng.choice([1, 1, 1, 2]), generator.leaf()
    for _ in range(1600 * factor):
        generator.context = rng.choice([0, 1, 2])
        yield generator.context, 1, generator.condition(3)
    for _ in range(1800 * factor):
        generator.context = rng.choice([0, 1])
        yield generator.context, 1, generator.mutated(generator.condition(1))


def main(seed=20260413, factor=1):
    rng = random.Random(seed)
    contexts = [(UNIVERSE.conform(dimensions), set(datasets)) for dimensions, datasets in CONTEXTS]
    binds = [{name: value for name, (_, value) in bind.items()} for bind in BINDS]
    rows, seen = [], set()
    for context, bind, text in expressions(rng, contexts, factor):
        if (context, bind, text) in seen:
            continue
        seen.add((context, bind, text))
        dimensions, datasets = contexts[context]
        found = predicate_of(text, IdentifierContext(dimensions, datasets, binds[bind]))
        written = json.dumps(found)
        if "null" in written and text not in DIFFERENT:
            continue  # An infinite number.
        if len(written) < 4000:
            rows.append([context, bind, text, found])
    orders = []
    for index, (dimensions, datasets) in enumerate(contexts):
        for term in ORDER_TERMS:
            orders.append([index, term, order_of(term, dimensions, datasets)])
    forms = [{name: form for name, (form, _) in bind.items()} for bind in BINDS]
    line = lambda row: json.dumps(row, separators=(",", ":"), ensure_ascii=False)
    part = lambda items: "[\n" + ",\n".join(map(line, items)) + "\n]"
    parts = [part(CONTEXTS), part(forms), part(rows), part(orders)]
    (OUT / "expressions.json").write_text("[" + ",\n".join(parts) + "]\n")
    good = sum(not isinstance(row[3], str) for row in rows)
    print(len(rows), "expressions,", good, "of which are valid;", len(orders), "terms")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
