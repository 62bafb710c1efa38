//! Where the detectors are in the focal plane, and on the sky.

use butler_core::dimensions::EncodedRegion;
use butler_core::error::{Error, Result};
use butler_sphgeom::{ConvexPolygon, Region, UnitVector3d};

/// Degrees from one raft to the next.
const RAFT: f64 = 0.70;
/// Degrees from one detector of a raft to the next.
const SLOT: f64 = 0.233;
/// Degrees along the side of a detector.
pub(super) const SIDE: f64 = 0.226;

/// The rafts of science detectors, in the order of their numbers.
const RAFTS: [&str; 21] = [
    "R01", "R02", "R03", "R10", "R11", "R12", "R13", "R14", "R20", "R21", "R22", "R23", "R24",
    "R30", "R31", "R32", "R33", "R34", "R41", "R42", "R43",
];
/// The rafts in the corners, for guiding and wavefronts.
const CORNERS: [&str; 4] = ["R00", "R04", "R40", "R44"];
const CORNER_SLOTS: [(&str, &str); 4] = [
    ("SG0", "GUIDER"),
    ("SG1", "GUIDER"),
    ("SW0", "WAVEFRONT"),
    ("SW1", "WAVEFRONT"),
];
/// The rafts whose central detectors have images: all detectors would be too much for a demo.
const IMAGED: [&str; 9] = [
    "R11", "R12", "R13", "R21", "R22", "R23", "R31", "R32", "R33",
];

/// A detector.
#[derive(Debug, Clone)]
pub(super) struct Detector {
    pub(super) id: i64,
    pub(super) raft: &'static str,
    pub(super) name_in_raft: String,
    pub(super) purpose: &'static str,
    /// Where its center is in the focal plane, in degrees.
    pub(super) center: [f64; 2],
}

impl Detector {
    pub(super) fn full_name(&self) -> String {
        format!("{}_{}", self.raft, self.name_in_raft)
    }
}

/// All detectors, in the order of their numbers.
pub(super) fn detectors() -> Vec<Detector> {
    let mut found = Vec::new();
    for raft in RAFTS {
        let [x, y] = raft_center(raft);
        for row in 0..3u8 {
            for column in 0..3u8 {
                found.push((
                    raft,
                    format!("S{row}{column}"),
                    "SCIENCE",
                    [
                        x + SLOT * (f64::from(column) - 1.0),
                        y + SLOT * (f64::from(row) - 1.0),
                    ],
                ));
            }
        }
    }
    for raft in CORNERS {
        for (slot, purpose) in CORNER_SLOTS {
            found.push((raft, slot.to_owned(), purpose, raft_center(raft)));
        }
    }
    let numbered = (0..).zip(found);
    numbered
        .map(|(id, (raft, name_in_raft, purpose, center))| Detector {
            id,
            raft,
            name_in_raft,
            purpose,
            center,
        })
        .collect()
}

/// The detectors that have images.
pub(super) fn imaged() -> Vec<Detector> {
    let all = detectors().into_iter();
    all.filter(|one| one.name_in_raft == "S11" && IMAGED.contains(&one.raft))
        .collect()
}

fn raft_center(raft: &str) -> [f64; 2] {
    let digits = raft.bytes().skip(1).map(|digit| f64::from(digit - b'0'));
    let places: Vec<f64> = digits.map(|digit| RAFT * (digit - 2.0)).collect();
    [places[1], places[0]]
}

/// A point of the sky and how the focal plane lies around it, all in degrees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pointing {
    pub(super) ra: f64,
    pub(super) dec: f64,
    pub(super) rotation: f64,
}

impl Pointing {
    /// The point of the sky at a place in the focal plane.
    pub(super) fn project(self, [x, y]: [f64; 2]) -> Result<UnitVector3d> {
        let (sin_ra, cos_ra) = self.ra.to_radians().sin_cos();
        let (sin_dec, cos_dec) = self.dec.to_radians().sin_cos();
        let (sin, cos) = self.rotation.to_radians().sin_cos();
        let (x, y) = (x.to_radians(), y.to_radians());
        let (east, north) = (cos * x - sin * y, sin * x + cos * y);
        let made = UnitVector3d::new(
            cos_dec * cos_ra - east * sin_ra - north * sin_dec * cos_ra,
            cos_dec * sin_ra + east * cos_ra - north * sin_dec * sin_ra,
            sin_dec + north * cos_dec,
        );
        made.map_err(|error| Error::Internal(format!("a point of the demo's sky: {error}")))
    }

    /// Right ascension and declination of a place in the focal plane, in degrees.
    pub(super) fn to_degrees(self, place: [f64; 2]) -> Result<[f64; 2]> {
        let point = self.project(place)?;
        let ra = point.y.atan2(point.x).to_degrees();
        Ok([ra.rem_euclid(360.0), point.z.asin().to_degrees()])
    }

    /// The region that these corners in the focal plane enclose.
    pub(super) fn region(self, corners: &[[f64; 2]]) -> Result<EncodedRegion> {
        let points = corners.iter().map(|corner| self.project(*corner));
        let points: Vec<UnitVector3d> = points.collect::<Result<_>>()?;
        let polygon = ConvexPolygon::convex_hull(&points)
            .map_err(|error| Error::Internal(format!("a region of the demo's sky: {error}")))?;
        Ok(EncodedRegion::encode(&Region::from(polygon)))
    }

    /// The region of all science detectors.
    pub(super) fn whole(self) -> Result<EncodedRegion> {
        let (short, long) = (1.5 * RAFT, 2.5 * RAFT);
        let mut corners = Vec::new();
        for (x, y) in [(short, long), (long, short)] {
            corners.extend([[x, y], [-x, y], [x, -y], [-x, -y]]);
        }
        self.region(&corners)
    }

    /// The region of one detector.
    pub(super) fn detector(self, detector: &Detector) -> Result<EncodedRegion> {
        self.region(&square(detector.center, SIDE))
    }
}

/// The corners of a square.
pub(super) fn square([x, y]: [f64; 2], side: f64) -> [[f64; 2]; 4] {
    let half = side / 2.0;
    [
        [x - half, y - half],
        [x + half, y - half],
        [x + half, y + half],
        [x - half, y + half],
    ]
}
