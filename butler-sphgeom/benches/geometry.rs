//! Timings of the operations on which queries and inserts depend.
//!
//! Run with `cargo bench -p butler-sphgeom`.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::time::Instant;

use butler_sphgeom::{
    ConvexPolygon, GeometryError, HealpixPixelization, HtmPixelization, LonLat, Pixelization,
    Region, UnitVector3d,
};

/// Regions of a visit's detectors: 0.23 deg squares in a 15 × 15 grid.
fn detectors(lon: f64, lat: f64) -> Result<Vec<Region>, GeometryError> {
    let corner = |x: f64, y: f64| {
        let p = LonLat::from_degrees(lon + x / lat.to_radians().cos(), lat + y)?;
        Ok(UnitVector3d::from_lonlat(&p))
    };
    (0..225)
        .map(|k| {
            let (x, y) = (
                f64::from(k % 15) * 0.235 - 1.76,
                f64::from(k / 15) * 0.235 - 1.76,
            );
            let corners = [(0.0, 0.0), (0.23, 0.0), (0.23, 0.23), (0.0, 0.23)]
                .map(|(dx, dy)| corner(x + dx, y + dy));
            let corners = corners
                .into_iter()
                .collect::<Result<Vec<_>, GeometryError>>()?;
            Ok(ConvexPolygon::convex_hull(&corners)?.into())
        })
        .collect()
}

/// Prints the time per call.
fn time(what: &str, calls: usize, mut f: impl FnMut()) {
    let start = Instant::now();
    f();
    let each = start.elapsed().as_secs_f64() / calls as f64;
    println!("{what:<55} {:>10.0} ns", each * 1e9);
}

fn main() -> Result<(), std::boxed::Box<dyn std::error::Error>> {
    let regions: Vec<_> = (0..40)
        .map(|i| detectors(f64::from(i) * 9.0, f64::from(i % 8) * 10.0 - 50.0))
        .collect::<Result<Vec<_>, _>>()?
        .concat();
    let encoded: Vec<_> = regions.iter().map(Region::encode).collect();
    let n = regions.len();
    time("decode a detector region", n, || {
        for bytes in &encoded {
            black_box(Region::decode(bytes).is_ok());
        }
    });
    for (what, pos) in [
        ("circle", "CIRCLE 9.5 -40.2 0.5"),
        ("polygon", "POLYGON 9 -41 10 -41 10 -39.5 9 -39.5"),
        ("box", "RANGE 9 10 -41 -39.5"),
    ] {
        let query = Region::from_ivoa_pos(pos)?;
        time(
            &format!("decode a detector region and test overlap with a {what}"),
            n,
            || {
                for bytes in &encoded {
                    black_box(Region::decode(bytes).is_ok_and(|r| r.overlaps(&query).possible()));
                }
            },
        );
    }
    let neighbours = &regions[..225];
    time(
        "overlap of two detector regions, neighbours",
        225 * 225,
        || {
            for a in neighbours {
                for b in neighbours {
                    black_box(a.overlaps(b));
                }
            }
        },
    );
    for level in [7, 9] {
        let htm = HtmPixelization::new(level)?;
        time(
            &format!("HTM level {level} envelope of a detector region"),
            n,
            || {
                for region in &regions {
                    black_box(htm.envelope(region, 0));
                }
            },
        );
        let visit = Region::from_ivoa_pos("CIRCLE 40 -30 1.75")?;
        time(
            &format!("HTM level {level} envelope of a visit (circle)"),
            1000,
            || {
                for _ in 0..1000 {
                    black_box(htm.envelope(&visit, 0));
                }
            },
        );
    }
    let healpix = HealpixPixelization::new(9)?;
    time("HEALPix level 9 envelope of a detector region", n, || {
        for region in &regions {
            black_box(healpix.envelope(region, 0));
        }
    });
    let htm = HtmPixelization::new(20)?;
    time("HTM level 20 index of a point", 100_000, || {
        for i in 0..100_000 {
            let v = UnitVector3d::from_angles(
                butler_sphgeom::Angle::from_degrees(f64::from(i) * 0.0036),
                butler_sphgeom::Angle::from_degrees(f64::from(i) * 0.0018 - 90.0),
            );
            black_box(htm.index(&v));
        }
    });
    Ok(())
}
