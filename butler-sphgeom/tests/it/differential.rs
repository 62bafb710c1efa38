//! Differential tests: the same problems, answered by this crate and by the Python package
//! `lsst.sphgeom`.
//!
//! `reference.py` generates the problems from fixed seeds and prints the package's answers.
//! Everything is compared exactly, to the last bit of every number. Where the package is wrong the
//! tests do not follow it: it crashes when it searches HTM for an ellipse, calls polygons empty, and
//! finds no HEALPix pixels for boxes that span all longitudes or have no width or height, nor for
//! polygons within 1e-8 rad of a pole.
//!
//! Set `BUTLER_TEST_SEED` to a number to try other problems.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use butler_sphgeom::{
    Angle, AngleInterval, Box, Circle, ConvexPolygon, Ellipse, GeometryError, HealpixPixelization,
    HtmPixelization, IntersectionRegion, LonLat, NormalizedAngleInterval, Pixelization, RangeSet,
    Region, TriState, UnionRegion, UnitVector3d,
};

/// Runs the reference on a topic and hands every record to a check, which says what differs.
fn compare(
    topic: &str,
    seed: u32,
    scale: u32,
    mut check: impl FnMut(&[&str]) -> Result<(), String>,
) -> usize {
    let python = std::env::var_os("BUTLER_TEST_PYTHON").expect(
        "BUTLER_TEST_PYTHON must name a Python interpreter that has lsst-sphgeom; run the tests \
         with `cargo xtask test`, which provides one",
    );
    // For soak tests with other problems than the usual ones.
    let offset = std::env::var("BUTLER_TEST_SEED").map_or(0, |s| s.parse().unwrap());
    let seed: u32 = seed + offset;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/reference.py");
    let mut child = Command::new(&python)
        .arg(script)
        .args([topic, &seed.to_string(), &scale.to_string()])
        // With AVX-512, NumPy's arc functions are not the C library's; their last bits decide about
        // HEALPix searches for slivers.
        .env("NPY_DISABLE_CPU_FEATURES", "AVX512F AVX512_SKX X86_V4")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("cannot run {}: {e}", python.display()));
    let (mut records, mut ended) = (0, false);
    let mut differences = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let fields: Vec<_> = line.split('\t').collect();
        if fields == ["end"] {
            ended = true;
            break;
        }
        records += 1;
        if let Err(difference) = check(&fields) {
            differences.push(format!("record {records}: {difference}\n    {line:.1000}"));
        }
    }
    assert!(
        child.wait().unwrap().success() && ended,
        "the reference failed"
    );
    let shown: Vec<_> = differences.iter().take(15).map(String::as_str).collect();
    assert!(
        differences.is_empty(),
        "{} of {records} answers differ:\n{}",
        differences.len(),
        shown.join("\n")
    );
    records
}

/// A list field of numbers given by their bits.
fn numbers(field: &str) -> Vec<f64> {
    list(field)
        .map(|n| f64::from_bits(u64::from_str_radix(n, 16).unwrap()))
        .collect()
}

fn list(field: &str) -> impl Iterator<Item = &str> {
    field.split(',').filter(move |_| field != "-")
}

/// A set as a list field of ranges.
fn ranges(set: &RangeSet, separator: &str) -> String {
    let ranges: Vec<_> = set.ranges().map(|(a, b)| format!("{a}:{b}")).collect();
    if ranges.is_empty() {
        "-".to_owned()
    } else {
        ranges.join(separator)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs {
        Ok(())
    } else {
        Err(format!("{what} is {ours:?} instead of {theirs:?}"))
    }
}

fn vector(components: &[f64]) -> Result<UnitVector3d, GeometryError> {
    UnitVector3d::new(components[0], components[1], components[2])
}

fn trusted(components: &[f64]) -> UnitVector3d {
    UnitVector3d::from_normalized(components[0], components[1], components[2])
}

/// Builds a region the way the reference did. Vectors are normalized already.
fn build(how: &str, n: &[f64], operands: &[Region]) -> Result<Region, GeometryError> {
    let angle = Angle::from_radians;
    let lonlat = LonLat::from_radians;
    Ok(match how {
        "circle" => Circle::new(trusted(n), angle(n[3])).into(),
        "chord" => Circle::from_squared_chord(trusted(n), n[3]).into(),
        "corners" => Box::from_corners(&lonlat(n[0], n[1])?, &lonlat(n[2], n[3])?).into(),
        "around" => Box::around(&lonlat(n[0], n[1])?, angle(n[2]), angle(n[3])).into(),
        "intervals" => Box::new(
            NormalizedAngleInterval::from_radians(n[0], n[1])?,
            AngleInterval::from_radians(n[2], n[3]),
        )
        .into(),
        "hull" => {
            let points: Vec<_> = n.chunks_exact(3).map(trusted).collect();
            ConvexPolygon::convex_hull(&points)?.into()
        }
        "foci" => Ellipse::from_foci(&trusted(n), &trusted(&n[3..]), angle(n[6]))?.into(),
        "axes" => Ellipse::new(&trusted(n), angle(n[3]), angle(n[4]), angle(n[5]))?.into(),
        "union" => UnionRegion::new(operands.iter().cloned()).into(),
        "intersection" => IntersectionRegion::new(operands.iter().cloned()).into(),
        _ => match (how, &operands[0]) {
            ("dilated", Region::Circle(c)) => c.dilated_by(angle(n[0])).into(),
            ("complement", Region::Circle(c)) => c.complemented().into(),
            ("complement", Region::Ellipse(e)) => e.complemented().into(),
            ("bounding_circle", r) => r.bounding_circle().into(),
            ("bounding_box", r) => r.bounding_box().into(),
            other => panic!("the reference made a region in an unknown way: {other:?}"),
        },
    })
}

/// Whether a region is, or has among its parts, a polygon. The reference calls every polygon
/// empty, and with it compounds of polygons; this crate does not follow it there.
fn has_polygon(region: &Region) -> bool {
    match region {
        Region::Union(_) | Region::Intersection(_) => region.parts().iter().any(has_polygon),
        simple => matches!(simple, Region::ConvexPolygon(_)),
    }
}

/// Whether a region is, or has among its parts, an intersection of nothing: the whole sphere. The
/// reference says that it overlaps whatever is not empty, hence no polygon.
fn has_whole_sphere(region: &Region) -> bool {
    match region {
        Region::Intersection(i) if i.operands().is_empty() => true,
        Region::Union(_) | Region::Intersection(_) => region.parts().iter().any(has_whole_sphere),
        _ => false,
    }
}

/// Regions made by the reference, in order.
#[derive(Default)]
struct Regions(Vec<Region>);

impl Regions {
    fn get(&self, index: &str) -> &Region {
        &self.0[index.parse::<usize>().unwrap()]
    }

    /// Checks and keeps a region record.
    fn add(&mut self, fields: &[&str]) -> Result<(), String> {
        let &[
            _,
            how,
            n,
            operands,
            encoded,
            circle,
            bounding_box,
            box3d,
            empty,
            pos,
        ] = fields
        else {
            panic!("a region record has 10 fields, not {}", fields.len());
        };
        let operands: Vec<_> = list(operands).map(|i| self.get(i).clone()).collect();
        let built = build(how, &numbers(n), &operands);
        // Later records refer to the region as the reference has it.
        let region = Region::from_hex(encoded).map_err(|e| e.to_string());
        self.0
            .push(region.clone().unwrap_or_else(|_| Circle::EMPTY.into()));
        let region = region?;
        same("re-encoding", region.to_hex().as_str(), encoded)?;
        let built = built.map_err(|e| format!("{how} was refused: {e}"))?;
        same("encoding", built.to_hex().as_str(), encoded)?;
        if circle != "-" {
            let ours = Region::from(region.bounding_circle()).to_hex();
            same("bounding circle", ours.as_str(), circle)?;
            let ours = Region::from(region.bounding_box()).to_hex();
            same("bounding box", ours.as_str(), bounding_box)?;
            let b = region.bounding_box3d();
            let ours = [
                b.x().a(),
                b.x().b(),
                b.y().a(),
                b.y().b(),
                b.z().a(),
                b.z().b(),
            ];
            same("bounding box in space", ours.as_slice(), &numbers(box3d))?;
        }
        if !has_polygon(&region) {
            same("emptiness", region.is_empty(), empty == "1")?;
        }
        same(
            "POS string",
            region
                .to_ivoa_pos()
                .unwrap_or_else(|_| "-".to_owned())
                .as_str(),
            pos,
        )
    }

    /// Checks a record of a region that the reference refused to make.
    fn refused(fields: &[&str]) -> Result<(), String> {
        match build(fields[1], &numbers(fields[2]), &[]) {
            Err(_) => Ok(()),
            Ok(region) => Err(format!("{} was made: {region:?}", fields[1])),
        }
    }
}

#[test]
fn regions_agree_with_the_reference() {
    let (mut pairs, mut faults) = (0, 0);
    for seed in 0..8 {
        let mut regions = Regions::default();
        compare("regions", seed, 25_000, |fields| match fields[0] {
            "region" => regions.add(fields),
            "refused" => Regions::refused(fields),
            "pair" => {
                pairs += 1;
                let (a, b) = (regions.get(fields[1]), regions.get(fields[2]));
                let who = format!("of {} and {}", a.kind(), b.kind());
                let relation = a.relate(b).bits().to_string();
                same(&format!("relation {who}"), relation.as_str(), fields[3])?;
                let overlap = match a.overlaps(b) {
                    TriState::False => "F",
                    TriState::True => "T",
                    TriState::Unknown => "U",
                };
                let known_fault = (has_whole_sphere(a) && has_polygon(b))
                    || (has_whole_sphere(b) && has_polygon(a));
                if known_fault && overlap != "F" && fields[4] != overlap {
                    faults += 1;
                    return Ok(());
                }
                same(&format!("overlap {who}"), overlap, fields[4])
            }
            "point" => {
                let v = vector(&numbers(fields[2])).map_err(|e| e.to_string())?;
                let p = LonLat::from_vector(&v);
                let ours = [v.x, v.y, v.z, p.lon().radians(), p.lat().radians()];
                same("coordinates", ours.as_slice(), &numbers(fields[3]))?;
                let region = regions.get(fields[1]);
                same("containment", region.contains_point(&v), fields[4] == "1")
            }
            other => panic!("unknown record {other}"),
        });
    }
    assert!(pairs >= 190_000, "{pairs} pairs of regions were compared");
    assert!(faults <= pairs / 50, "{faults} answers were not compared");
}

#[test]
fn htm_agrees_with_the_reference() {
    let mut regions = Regions::default();
    let records = compare("htm", 100, 12_000, |fields| match fields[0] {
        "region" => regions.add(fields),
        "refused" => Regions::refused(fields),
        "htm" => {
            let region = regions.get(fields[1]);
            let htm = HtmPixelization::new(fields[2].parse().unwrap()).unwrap();
            let limit = fields[3].parse().unwrap();
            let envelope = htm.envelope(region, limit);
            same("envelope", ranges(&envelope, ",").as_str(), fields[4])?;
            let interior = htm.interior(region, limit);
            same("interior", ranges(&interior, ",").as_str(), fields[5])
        }
        "htm_index" => {
            let htm = HtmPixelization::new(fields[1].parse().unwrap()).unwrap();
            let index = htm.index(&trusted(&numbers(fields[2])));
            same("index", index.to_string().as_str(), fields[3])?;
            same("name", htm.to_string(index).unwrap().as_str(), fields[4])?;
            same(
                "pixel",
                htm.pixel(index).unwrap().to_hex().as_str(),
                fields[5],
            )
        }
        other => panic!("unknown record {other}"),
    });
    assert!(records >= 35_000, "{records} records were compared");
}

#[test]
fn healpix_agrees_with_the_reference() {
    let mut regions = Regions::default();
    let mut lost = 0;
    let records = compare("healpix", 400, 4_000, |fields| match fields[0] {
        "region" => regions.add(fields),
        "refused" => Regions::refused(fields),
        "healpix" => {
            let region = regions.get(fields[1]);
            let healpix = HealpixPixelization::new(fields[2].parse().unwrap()).unwrap();
            let who = region.kind();
            let envelope = healpix.envelope(region, 0);
            if fields[3] == "-" && !region.is_empty() {
                // The reference loses regions; what is not empty has an envelope.
                lost += 1;
                return same(
                    &format!("lack of an envelope of {who}"),
                    envelope.is_empty(),
                    false,
                );
            }
            same(
                &format!("envelope of {who}"),
                ranges(&envelope, ",").as_str(),
                fields[3],
            )?;
            let interior = healpix.interior(region, 0);
            same(
                &format!("interior of {who}"),
                ranges(&interior, ",").as_str(),
                fields[4],
            )
        }
        "healpix_index" => {
            let healpix = HealpixPixelization::new(fields[1].parse().unwrap()).unwrap();
            let index = healpix.index(&trusted(&numbers(fields[2])));
            same("index", index.to_string().as_str(), fields[3])?;
            same(
                "name",
                healpix.to_string(index).unwrap().as_str(),
                fields[4],
            )?;
            same(
                "pixel",
                healpix.pixel(index).unwrap().to_hex().as_str(),
                fields[5],
            )
        }
        other => panic!("unknown record {other}"),
    });
    assert!(records >= 8_000, "{records} records were compared");
    assert!(lost <= records / 50, "{lost} regions were not compared");
}

#[test]
fn range_sets_agree_with_the_reference() {
    let records = compare("range_sets", 200, 20_000, |fields| {
        let (mut a, mut b) = (RangeSet::new(), RangeSet::new());
        for step in list(fields[1]) {
            let parts: Vec<_> = step.split(';').collect();
            let (x, y): (u64, u64) = (parts[1].parse().unwrap(), parts[2].parse().unwrap());
            match parts[0] {
                "insert" => a.insert_range(x, y),
                "erase" => a.remove_range(x, y),
                "swap" => std::mem::swap(&mut a, &mut b),
                "union" => a = a.union(&b),
                "intersection" => a = a.intersection(&b),
                "difference" => a = a.difference(&b),
                "xor" => a = a.symmetric_difference(&b),
                "complement" => a = a.complement(),
                "simplify" => a.simplify(u32::try_from(x).unwrap()),
                "scale" => a.scale(x),
                other => panic!("unknown operation {other}"),
            }
            same(
                &format!("the set after {}", parts[0]),
                ranges(&a, "/").as_str(),
                parts[3],
            )?;
        }
        Ok(())
    });
    assert_eq!(records, 20_000);
}

#[test]
fn pos_strings_agree_with_the_reference() {
    let records = compare("pos", 300, 10_000, |fields| {
        let ours = Region::from_ivoa_pos(fields[1]);
        let ours = ours.map_or_else(|_| "-".to_owned(), |region| region.to_hex());
        same("region", ours.as_str(), fields[2])
    });
    assert_eq!(records, 10_000);
}
