"""Write what the Python package says about times and timespans.

Run from the repository's root with an interpreter that has ``lsst-daf-butler`` installed:

    python butler-core/tests/python/times.py
"""

import json
import random
import warnings
from pathlib import Path

import astropy.time
import yaml
from lsst.daf.butler import Timespan
from lsst.daf.butler.queries.expressions.parser.parserYacc import _parseTimeString
from lsst.daf.butler.time_utils import TimeConverter

warnings.simplefilter("ignore")
OUT = Path(__file__).resolve().parents[1] / "data"
LEAPS = ["1972-06-30", "1981-06-30", "1998-12-31", "2012-06-30", "2015-06-30", "2016-12-31"]
SCALES = ["tai", "utc", "tt", "tdb", "tcb", "tcg"]
converter = TimeConverter()


def random_iso(rng, separator):
    ns = rng.randrange(converter.min_nsec + 10**18 // 10, converter.max_nsec)
    time = converter.nsec_to_astropy(ns)
    time = astropy.time.Time(time, precision=rng.choice([0, 3, 6, 9]))
    text = time.isot if separator == "T" else time.iso
    if rng.random() < 0.1:
        text = text[:16]
    elif rng.random() < 0.1:
        text = text[:10]
    return text


def nsec(time):
    return converter.astropy_to_nsec(time)


def parsed(rng):
    rows = []
    for _ in range(600):
        fmt = rng.choice(["iso", "isot"])
        text = random_iso(rng, "T" if fmt == "isot" else " ")
        scale = rng.choice(SCALES[:3] * 3 + SCALES)
        rows.append([text, fmt, scale, nsec(astropy.time.Time(text, format=fmt, scale=scale))])
    for day in LEAPS:
        for clock in ["23:59:59", "23:59:59.999999999", "23:59:60", "23:59:60.5", "23:59:60.999999999", "12:00:00"]:
            for scale in ["utc", "tai", "tt"]:
                text = f"{day} {clock}"
                rows.append([text, "iso", scale, nsec(astropy.time.Time(text, format="iso", scale=scale))])
    for text in ["1970-01-02 03:04:05.6", "1971-12-31 23:59:59", "1972-01-01 00:00:00"]:
        rows.append([text, "iso", "utc", nsec(astropy.time.Time(text, format="iso", scale="utc"))])
    for text in ["2020:060", "2021:365:23:59:59.25", "2016:366:23:59:60.5", "2020:001:12:30"]:
        rows.append([text, "yday", "utc", nsec(astropy.time.Time(text, format="yday", scale="utc"))])
    return rows


def numbers(rng):
    rows = []
    for _ in range(400):
        fmt = rng.choice(["jd", "mjd", "unix", "unix_tai", "cxcsec", "gps", "jyear", "byear", "decimalyear"])
        mjd = rng.uniform(41318, 70000)
        value = {
            "jd": mjd + 2400000.5, "mjd": mjd, "jyear": 1973 + rng.random() * 120,
            "byear": 1973 + rng.random() * 120, "decimalyear": 1973 + rng.random() * 120,
        }.get(fmt, rng.uniform(1e8, 2e9))
        if rng.random() < 0.5:
            value = round(value, 3)
        scale = rng.choice(SCALES[:3])
        rows.append([value, fmt, scale, nsec(astropy.time.Time(value, format=fmt, scale=scale))])
    for day in LEAPS:
        value = astropy.time.Time(day, scale="utc").mjd
        for fraction in [0.25, 0.5, 0.99999, 0.999999, 1.0]:
            time = astropy.time.Time(value + fraction, format="mjd", scale="utc")
            rows.append([value + fraction, "mjd", "utc", nsec(time)])
    return rows


def formatted(rng):
    rows = []
    for i in range(300):
        ns = rng.randrange(10**17, converter.max_nsec)
        if i % 3 == 0:
            ns = rng.choice(leap_instants) + rng.randrange(-10**9, 2 * 10**9)
        digits = rng.choice([0, 3, 6, 9])
        scale = rng.choice(["tai", "utc", "tt"])
        time = astropy.time.Time(getattr(converter.nsec_to_astropy(ns), scale), precision=digits)
        rows.append([ns, scale, digits, time.isot, time.mjd, time.jd, time.unix])
    return rows


LITERALS = [
    "2020-01-01", "2020-01-01 12:30", "2020-01-01T12:30:15.25", "2020-01-01t00:00:00", "58938.515", "58938.5/utc",
    "mjd/58938.5", "mjd/58938.5/tai", "jd/2458938.515/tt", "iso/2020-01-01 01:02:03/tai", "2020-01-01/tai",
    "2020:060", "2020:060:12:00:00/tai", "yday/2020:060", "unix/1577836800.5", "unix_tai/1577836800.5",
    "cxcsec/700000000.5", "gps/1261872018.25", "+2020-01-01T00:00:00", "fits/+2020-01-01/tai",
    "2020-01-01T00:00:00+00:00", "isot/2020-01-01T00:00:00/UTC", "MJD/58938.5", "2016-12-31T23:59:60",
    "jyear/2020.5", "byear/2020.5", "decimalyear/2020.5", "2020-06-15 12:30:15.", "58938.", "mjd/.5", "-5.5",
]
BAD_LITERALS = [
    "", "tomorrow", "2020-13-01", "2020-02-30", "2020-01-01T25:00:00", "2020-01-01T00:60:00", "xyz/2020-01-01",
    "2020-01-01/xyz", "2020-01-01T00:00:00Z", "2020-01-01/utc/utc/utc", "2020:400", "58938", "2020", "mjd/2020-01-01",
]


def literals():
    rows = []
    for text in LITERALS + BAD_LITERALS:
        try:
            rows.append([text, nsec(_parseTimeString(text))])
        except ValueError:
            rows.append([text, None])
    return rows


def bound(rng):
    roll = rng.random()
    if roll < 0.15:
        return None
    if roll < 0.25:
        return rng.choice([converter.min_nsec, converter.max_nsec, converter.max_nsec - 1, converter.min_nsec + 1])
    return rng.randrange(0, 12) * 10**17 + rng.choice([0, 0, 1])


def to_time(ns):
    return None if ns is None else converter.nsec_to_astropy(ns)


def span(value):
    return list(value.nsec)


def spans(rng):
    made, rows = [], []
    for _ in range(600):
        begin, end, pad = bound(rng), bound(rng), rng.random() < 0.8
        try:
            timespan = Timespan(to_time(begin), to_time(end), padInstantaneous=pad)
        except ValueError:
            rows.append([begin, end, pad, None])
        else:
            rows.append([begin, end, pad, span(timespan), str(timespan)])
            made.append(timespan)
    made.append(Timespan.makeEmpty())
    pairs = []
    for _ in range(2000):
        a, b = rng.choice(made), rng.choice(made)
        if rng.random() < 0.05:
            a = Timespan.makeEmpty()
        t = rng.randrange(0, 12) * 10**17
        time = to_time(t)
        pairs.append([
            span(a), span(b), t,
            "".join("01"[bool(x)] for x in (
                a.overlaps(b), a.contains(b), a < b, a > b, a == b, a.isEmpty(),
                a.contains(time), a.overlaps(time), a < time, a > time, a.begin is None, a.end is None,
            )),
            span(a.intersection(b)), [span(x) for x in a.difference(b)],
        ])
    days = []
    for day_obs, offset in [(20240229, 43200), (19700101, 0), (20251231, -3600), (20991231, 0), (20200101, 86400)]:
        days.append([day_obs, offset, span(Timespan.from_day_obs(day_obs, offset=offset))])
    instants = []
    for ns in [0, 1, 10**18, converter.max_nsec - 2, converter.max_nsec - 1]:
        try:
            instants.append([ns, span(Timespan.fromInstant(to_time(ns)))])
        except ValueError:
            instants.append([ns, None])
    texts = [[span(t), yaml.dump(t)] for t in made[:40] + [Timespan.makeEmpty(), Timespan(None, None)]]
    return [rows, pairs, days, instants, texts]


def write(name, parts):
    OUT.mkdir(exist_ok=True)
    rows = lambda part: "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in part) + "\n]"
    (OUT / name).write_text("[" + ",\n".join(map(rows, parts)) + "]\n")


leap_instants = [nsec(astropy.time.Time(f"{day} 23:59:60", scale="utc")) for day in LEAPS]

if __name__ == "__main__":
    rng = random.Random(20260302)
    write("times.json", [parsed(rng), numbers(rng), formatted(rng), literals()])
    write("timespans.json", spans(rng))
