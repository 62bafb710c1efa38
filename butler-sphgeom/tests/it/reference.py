"""Print geometry problems and the answers of the Python package ``lsst.sphgeom``.

The differential tests of this crate run this script and compare every answer
with their own. Output is one record per line, fields separated by tabs, the
first field naming the record. Numbers with a fraction are the 16 hexadecimal
digits of their IEEE 754 bits, so that nothing is lost; lists are separated by
commas; "-" is an empty list.
"""

import argparse
import math
import random
import struct
import sys

from lsst.sphgeom import (
    Angle,
    AngleInterval,
    Box,
    Circle,
    ConvexPolygon,
    Ellipse,
    HealpixPixelization,
    HtmPixelization,
    IntersectionRegion,
    LonLat,
    NormalizedAngle,
    NormalizedAngleInterval,
    RangeSet,
    Region,
    UnionRegion,
    UnitVector3d,
    Vector3d,
)

TAU = 2.0 * math.pi


def emit(*fields):
    sys.stdout.write("\t".join(str(f) for f in fields) + "\n")


def bits(*numbers):
    """Bits of numbers as a list field."""
    return ",".join(struct.pack(">d", n).hex() for n in numbers) or "-"


def ranges(range_set):
    """Ranges of a RangeSet as a list field."""
    return ",".join(f"{a}:{b}" for a, b in range_set.ranges()) or "-"


def indexes(values):
    return ",".join(str(v) for v in values) or "-"


def components(v):
    return (v.x(), v.y(), v.z())


def extent(region):
    """Angular size of the largest part of a region, at most 1.6."""
    parts = Region.getRegions(region)
    if isinstance(region, (UnionRegion, IntersectionRegion)):
        return max((extent(part) for part in parts), default=1.6)
    try:
        return min(1.6, region.getBoundingCircle().getOpeningAngle().asRadians())
    except RuntimeError:
        # A polygon without a centroid: its edges may enclose a whole great circle.
        return 1.6


def has_ellipse(region):
    parts = Region.getRegions(region)
    if isinstance(region, (UnionRegion, IntersectionRegion)):
        return any(has_ellipse(part) for part in parts)
    return isinstance(region, Ellipse)


def htm_search(htm, method, region, limit):
    """``htm.envelope`` or ``htm.interior``, made safe for ellipses.

    The package searches with the bounding circle of an ellipse, but through a
    reference to a temporary object; it may crash. Here the circle is passed.
    """
    if not has_ellipse(region):
        return getattr(htm, method)(region, limit)
    if isinstance(region, Ellipse):
        return getattr(htm, method)(region.getBoundingCircle(), limit)
    parts = [htm_search(htm, method, r, limit) for r in Region.getRegions(region)]
    if isinstance(region, UnionRegion):
        result = RangeSet()
        for part in parts:
            result = result | part
    else:
        result = htm.universe()
        for part in parts:
            result = result & part
    return result


class Cluster:
    """A neighbourhood of the sphere where regions are likely to interact."""

    def __init__(self, rng):
        self.rng = rng
        place = rng.randrange(8)
        if place == 0:
            center = (0.0, 0.0, rng.choice((-1.0, 1.0)))
        elif place == 1:
            center = (1.0, rng.choice((0.0, 1e-17, -1e-12)), 0.0)
        elif place == 2:
            center = rng.choice(((-1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0, 1.0)))
        else:
            center = tuple(rng.gauss(0.0, 1.0) for _ in range(3))
        self.center = UnitVector3d(*center)
        # From milliarcseconds to the whole sphere.
        self.scale = 10.0 ** rng.uniform(-8.5, 0.6)
        self.points = [self.center]
        self.regions = []

    def raw_point(self):
        """Components, not normalized, of a point of the neighbourhood."""
        rng = self.rng
        kind = rng.randrange(12)
        if kind == 0:
            # Exactly a point that other regions may use.
            return components(rng.choice(self.points))
        if kind == 1:
            # A point in the middle of two others: nearly, or exactly, coplanar.
            p, q = rng.choice(self.points), rng.choice(self.points)
            v = Vector3d(*components(p)) + Vector3d(*components(q))
            if v.getNorm() > 1e-6:
                return components(v)
        if kind == 2:
            # Round coordinates.
            lon = round(math.degrees(math.atan2(self.center.y(), self.center.x())))
            lat = round(math.degrees(math.asin(max(-1.0, min(1.0, self.center.z())))))
            lon += rng.randrange(-3, 4)
            lat = max(-90, min(90, lat + rng.randrange(-3, 4)))
            return components(UnitVector3d(LonLat.fromDegrees(lon, lat)))
        size = rng.choice((0.5, 1.0, 2.0)) * self.scale
        c = components(self.center)
        return tuple(x + rng.gauss(0.0, size) for x in c)

    def point(self):
        while True:
            raw = self.raw_point()
            if any(raw):
                break
        v = UnitVector3d(*raw)
        if len(self.points) < 40:
            self.points.append(v)
        return v

    def angle(self):
        rng = self.rng
        if rng.random() < 0.04:
            return rng.choice((0.0, -1.0, 0.5 * math.pi, math.pi, 3.2, 1e-300))
        if rng.random() < 0.1 and len(self.points) > 1:
            # Reaches exactly to some point.
            p = rng.choice(self.points)
            return NormalizedAngle(Vector3d(*components(self.center)), Vector3d(*components(p))).asRadians()
        return self.scale * rng.uniform(0.05, 2.0)


class Problems:
    """Generates problems and prints them with the answers."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.regions = []
        self.clusters = []

    # Regions.

    def add(self, cluster, how, numbers, build, operands="-"):
        """Build a region and print how, what it encodes to, and its bounds."""
        try:
            region = build()
        except (ValueError, RuntimeError):
            emit("refused", how, bits(*numbers))
            return None
        self.regions.append(region)
        cluster.regions.append(len(self.regions) - 1)
        try:
            circle = region.getBoundingCircle().encode().hex()
            box = region.getBoundingBox().encode().hex()
            b3 = region.getBoundingBox3d()
            box3d = bits(*(f() for i in (b3.x(), b3.y(), b3.z()) for f in (i.getA, i.getB)))
        except (ValueError, RuntimeError):
            circle = box = box3d = "-"
        try:
            pos = region.to_ivoa_pos()
        except NotImplementedError:
            pos = "-"
        emit(
            "region",
            how,
            bits(*numbers),
            operands,
            region.encode().hex(),
            circle,
            box,
            box3d,
            int(region.isEmpty()),
            pos,
        )
        return region

    def add_circle(self, cluster):
        c = cluster.point()
        if self.rng.random() < 0.7:
            a = cluster.angle()
            return self.add(cluster, "circle", (*components(c), a), lambda: Circle(c, Angle(a)))
        chord = Circle.squaredChordLengthFor(Angle(cluster.angle()))
        return self.add(cluster, "chord", (*components(c), chord), lambda: Circle(c, chord))

    def add_box(self, cluster):
        p, q = LonLat(cluster.point()), LonLat(cluster.point())
        lon = [p.getLon().asRadians(), q.getLon().asRadians()]
        lat = [p.getLat().asRadians(), q.getLat().asRadians()]
        if self.rng.random() < 0.9:
            lat.sort()
        if self.rng.random() < 0.6 and abs(lon[0] - lon[1]) < math.pi:
            lon.sort()
        if self.rng.random() < 0.05:
            lon = [0.0, TAU]
        if self.rng.random() < 0.05:
            lat[1] = 0.5 * math.pi
        kind = self.rng.randrange(3)
        if kind == 0:
            numbers = (lon[0], lat[0], lon[1], lat[1])
            return self.add(
                cluster,
                "corners",
                numbers,
                lambda: Box(LonLat.fromRadians(lon[0], lat[0]), LonLat.fromRadians(lon[1], lat[1])),
            )
        if kind == 1:
            w, h = cluster.angle(), cluster.angle()
            return self.add(
                cluster,
                "around",
                (lon[0], lat[0], w, h),
                lambda: Box(LonLat.fromRadians(lon[0], lat[0]), Angle(w), Angle(h)),
            )
        if self.rng.random() < 0.2:
            lon = [x + self.rng.choice((-TAU, TAU)) for x in lon]
        return self.add(
            cluster,
            "intervals",
            (*lon, *lat),
            lambda: Box(
                NormalizedAngleInterval.fromRadians(*lon), AngleInterval.fromRadians(*lat)
            ),
        )

    def add_polygon(self, cluster):
        kind = self.rng.randrange(6)
        if kind == 0 and cluster.scale < 0.5:
            # A cell of a grid, which shares corners and edges with others.
            step = cluster.scale
            c = LonLat(cluster.center)
            i, j = self.rng.randrange(-2, 2), self.rng.randrange(-2, 2)
            lon = [c.getLon().asRadians() + k * step for k in (i, i + 1, i + 1, i)]
            lat = [c.getLat().asRadians() + k * step for k in (j, j, j + 1, j + 1)]
            lat = [max(-0.5 * math.pi, min(0.5 * math.pi, x)) for x in lat]
            points = [UnitVector3d(LonLat.fromRadians(x, y)) for x, y in zip(lon, lat, strict=True)]
        elif kind == 1:
            # A pixel.
            level = max(0, min(20, round(-math.log2(cluster.scale))))
            index = HtmPixelization(level).index(cluster.point())
            points = list(HtmPixelization.triangle(index).getVertices())
        else:
            n = self.rng.choice((3, 3, 4, 4, 4, 5, 8, 15))
            points = [cluster.point() for _ in range(n)]
        numbers = [x for p in points for x in components(p)]
        return self.add(cluster, "hull", numbers, lambda: ConvexPolygon.convexHull(points))

    def add_ellipse(self, cluster):
        if self.rng.random() < 0.5:
            f1, f2 = cluster.point(), cluster.point()
            a = cluster.angle()
            return self.add(
                cluster,
                "foci",
                (*components(f1), *components(f2), a),
                lambda: Ellipse(f1, f2, Angle(a)),
            )
        c = cluster.point()
        a, b = cluster.angle(), cluster.angle()
        if self.rng.random() < 0.1:
            b = a
        o = self.rng.uniform(-4.0, 4.0)
        return self.add(
            cluster,
            "axes",
            (*components(c), a, b, o),
            lambda: Ellipse(c, Angle(a), Angle(b), Angle(o)),
        )

    def add_derived(self, cluster):
        if not cluster.regions:
            return None
        i = self.rng.choice(cluster.regions)
        region = self.regions[i]
        if isinstance(region, Circle):
            if self.rng.random() < 0.5:
                r = self.rng.uniform(-1.0, 1.0) * cluster.angle()
                return self.add(cluster, "dilated", (r,), lambda: region.dilatedBy(Angle(r)), str(i))
            return self.add(cluster, "complement", (), region.complemented, str(i))
        if isinstance(region, Ellipse):
            return self.add(cluster, "complement", (), region.complemented, str(i))
        if isinstance(region, Box):
            # A box's bounds as regions: nearly touching on purpose.
            return self.add(cluster, "bounding_circle", (), region.getBoundingCircle, str(i))
        if isinstance(region, ConvexPolygon):
            return self.add(cluster, "bounding_box", (), region.getBoundingBox, str(i))
        return None

    def add_compound(self, cluster):
        n = self.rng.choice((0, 1, 2, 2, 3, 4))
        chosen = [self.rng.choice(cluster.regions) for _ in range(n)] if cluster.regions else []
        operands = [self.regions[i] for i in chosen]
        how, make = self.rng.choice((("union", UnionRegion), ("intersection", IntersectionRegion)))
        if not operands:
            # The constructors take operands; without any, only bytes make one.
            make = Region.decode
            operands = (how[0].encode(),)
        return self.add(cluster, how, (), lambda: make(*operands), indexes(chosen))

    def add_cluster(self):
        cluster = Cluster(self.rng)
        self.clusters.append(cluster)
        makers = (
            [self.add_circle] * 4
            + [self.add_box] * 4
            + [self.add_polygon] * 6
            + [self.add_ellipse] * 2
            + [self.add_derived] * 2
            + [self.add_compound] * 2
        )
        for _ in range(24):
            self.rng.choice(makers)(cluster)
        return cluster

    # Questions about regions.

    def ask_pairs(self, count):
        """Relations, mostly of neighbours."""
        letters = {False: "F", True: "T", None: "U"}
        for _ in range(count):
            cluster = self.rng.choice(self.clusters)
            if len(cluster.regions) < 2:
                continue
            i = self.rng.choice(cluster.regions)
            if self.rng.random() < 0.95:
                j = self.rng.choice(cluster.regions)
            else:
                j = self.rng.randrange(len(self.regions))
            a, b = self.regions[i], self.regions[j]
            emit("pair", i, j, a.relate(b), letters[a.overlaps(b)])

    def ask_points(self, count):
        """Points in regions."""
        for _ in range(count):
            cluster = self.rng.choice(self.clusters)
            if not cluster.regions:
                continue
            i = self.rng.choice(cluster.regions)
            raw = cluster.raw_point()
            if not any(raw):
                continue
            v = UnitVector3d(*raw)
            p = LonLat(v)
            emit(
                "point",
                i,
                bits(*raw),
                bits(*components(v), p.getLon().asRadians(), p.getLat().asRadians()),
                int(self.regions[i].contains(v)),
            )

    # Pixelizations.

    def ask_htm(self, count):
        """Envelopes and interiors of regions, at levels where they have up to some hundred pixels."""
        for _ in range(count):
            cluster = self.rng.choice(self.clusters)
            if not cluster.regions:
                continue
            i = self.rng.choice(cluster.regions)
            region = self.regions[i]
            size = extent(region)
            finest = 24 if size <= 0 else 4 - math.ceil(math.log2(size))
            level = self.rng.randrange(0, max(0, min(24, finest)) + 1)
            limit = self.rng.choice((0, 0, 0, 1, 2, 5, 20))
            htm = HtmPixelization(level)
            emit(
                "htm",
                i,
                level,
                limit,
                ranges(htm_search(htm, "envelope", region, limit)),
                ranges(htm_search(htm, "interior", region, limit)),
            )

    def ask_htm_index(self, count):
        for _ in range(count):
            cluster = self.rng.choice(self.clusters)
            v = cluster.point()
            level = self.rng.randrange(25)
            htm = HtmPixelization(level)
            index = htm.index(v)
            emit(
                "htm_index",
                level,
                bits(*components(v)),
                index,
                htm.toString(index),
                htm.pixel(index).encode().hex(),
            )

    def ask_healpix(self, count):
        """Envelopes and interiors of simple regions, at levels where they have up to some hundred pixels."""
        for _ in range(count):
            cluster = self.rng.choice(self.clusters)
            simple = [
                i
                for i in cluster.regions
                if not isinstance(self.regions[i], (UnionRegion, IntersectionRegion))
            ]
            if not simple:
                continue
            i = self.rng.choice(simple)
            region = self.regions[i]
            size = extent(region)
            finest = 17 if size <= 0 else 2 - math.ceil(math.log2(size))
            level = self.rng.randrange(0, max(0, min(17, finest)) + 1)
            healpix = HealpixPixelization(level)
            try:
                envelope = healpix.envelope(region)
                interior = healpix.interior(region) if size > 0 else RangeSet()
            except ValueError:
                # An empty circle or box.
                envelope = interior = RangeSet()
            emit("healpix", i, level, ranges(envelope), ranges(interior))

    def ask_healpix_index(self, count):
        for _ in range(count):
            cluster = self.rng.choice(self.clusters)
            v = cluster.point()
            level = self.rng.randrange(18)
            healpix = HealpixPixelization(level)
            index = int(healpix.index(v))
            emit(
                "healpix_index",
                level,
                bits(*components(v)),
                index,
                healpix.toString(index),
                healpix.pixel(index).encode().hex(),
            )

    def ask_range_sets(self, count):
        """Sequences of operations, with the ranges after each."""
        rng = self.rng

        def number():
            top = rng.choice((40, 40, 40, 2**64 - 1))
            x = rng.randrange(0, top + 1)
            return rng.choice((x, x, 2**64 - 1 - min(x, 40)))

        for _ in range(count):
            a, b = RangeSet(), RangeSet()
            steps = []
            for _ in range(rng.randrange(1, 14)):
                op = rng.choice(
                    ("insert",) * 6
                    + ("erase",) * 3
                    + ("swap", "union", "intersection", "difference", "xor", "complement")
                    + ("simplify", "scale")
                )
                x, y = number(), number()
                if op == "insert":
                    a.insert(x, y)
                elif op == "erase":
                    a.erase(x, y)
                elif op == "swap":
                    a, b = b, a
                elif op == "union":
                    a = a | b
                elif op == "intersection":
                    a = a & b
                elif op == "difference":
                    a = a - b
                elif op == "xor":
                    a = a ^ b
                elif op == "complement":
                    a.complement()
                elif op == "simplify":
                    x %= 70
                    a.simplify(x)
                else:
                    x = rng.choice((0, 1, 2, 3, 2**63, 1000))
                    a.scale(x)
                steps.append(f"{op};{x};{y};{ranges(a).replace(',', '/')}")
            emit("range_set", ",".join(steps))

    # POS strings.

    def ask_pos(self, count):
        rng = self.rng

        def number(low, high):
            x = rng.uniform(low, high)
            return rng.choice((repr(x), f"{x:.3f}", str(round(x)), f"{x:.2e}"))

        for _ in range(count):
            shape = rng.choice(("CIRCLE", "RANGE", "POLYGON"))
            if shape == "CIRCLE":
                words = [number(-10, 370), number(-91, 91), number(0, 40)]
            elif shape == "RANGE":
                words = [number(0, 360), number(0, 360), number(-90, 10), number(-10, 90)]
                for i, inf in ((0, "-Inf"), (1, "+Inf"), (2, "-inf"), (3, "Infinity")):
                    if rng.random() < 0.15:
                        words[i] = inf
            else:
                lon, lat = rng.uniform(0, 360), rng.uniform(-88, 88)
                size = rng.choice((0.1, 1.0, 10.0, 100.0))
                words = []
                for _ in range(rng.randrange(3, 7)):
                    words.append(number(lon - size, lon + size))
                    words.append(number(max(-90, lat - size), min(90, lat + size)))
            if rng.random() < 0.05:
                words.pop()
            pos = " ".join([shape, *words])
            try:
                answer = Region.from_ivoa_pos(pos).encode().hex()
            except (ValueError, RuntimeError):
                answer = "-"
            emit("pos", pos, answer)


def regions(problems, scale):
    for _ in range(max(1, scale // 400)):
        problems.add_cluster()
    problems.ask_pairs(scale)
    problems.ask_points(scale // 4)


def htm(problems, scale):
    for _ in range(max(1, scale // 100)):
        problems.add_cluster()
    problems.ask_htm(scale)
    problems.ask_htm_index(scale * 2)


def healpix(problems, scale):
    for _ in range(max(1, scale // 50)):
        problems.add_cluster()
    problems.ask_healpix(scale)
    problems.ask_healpix_index(scale)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("topic", choices=("regions", "htm", "healpix", "range_sets", "pos"))
    parser.add_argument("seed", type=int)
    parser.add_argument("scale", type=int)
    args = parser.parse_args()
    problems = Problems(args.seed)
    if args.topic == "regions":
        regions(problems, args.scale)
    elif args.topic == "htm":
        htm(problems, args.scale)
    elif args.topic == "healpix":
        healpix(problems, args.scale)
    elif args.topic == "range_sets":
        problems.ask_range_sets(args.scale)
    elif args.topic == "pos":
        problems.ask_pos(args.scale)
    emit("end")


if __name__ == "__main__":
    main()
