//! The shapes with which cells are compared in a search: discs, polygons and bands.

use std::f64::consts::{FRAC_PI_2, PI};

use smallvec::SmallVec;

use super::cell::{self, Position};
use crate::lonlat_box::Box;
use crate::vector::{UnitVector3d, Vector3d};

/// Orders to which searches may go: the finest envelope, refined twice more.
pub(super) const ORDERS: usize = 24;

/// What the center of a cell and an upper bound of its radius tell about the cell and a shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Coverage {
    /// The cell is outside.
    Outside,
    /// The center is outside, but the cell may reach into the shape.
    Near,
    /// The center is inside, but the cell may reach out of the shape.
    Center,
    /// The cell is inside.
    Inside,
}

/// Something that cells can be compared with.
pub(super) trait Shape {
    /// How much of a cell, given by its order and center, the shape covers.
    fn coverage(&self, order: u8, center: &Position) -> Coverage;
}

/// Limits on the cosine of the distance from the center of a disc.
struct CosLimits {
    /// Per order: cells beyond are outside, or inside.
    reach: [(f64, f64); ORDERS],
    /// Centers beyond are outside.
    radius: f64,
}

impl CosLimits {
    fn new(radius: f64) -> Self {
        let reach = std::array::from_fn(|order| {
            let cell = cell::max_radius(order as u8);
            let (outer, inner) = (radius + cell, radius - cell);
            (
                if outer > PI { -1.0 } else { outer.cos() },
                if inner < 0.0 { 1.0 } else { inner.cos() },
            )
        });
        Self {
            reach,
            radius: radius.cos(),
        }
    }
}

/// A disc around a point.
pub(super) struct Disc {
    z: f64,
    phi: f64,
    limits: CosLimits,
}

impl Disc {
    /// Makes a disc from its center and radius in radians.
    pub(super) fn new(colatitude: f64, phi: f64, radius: f64) -> Self {
        Self {
            z: colatitude.cos(),
            phi,
            limits: CosLimits::new(radius),
        }
    }
}

impl Shape for Disc {
    fn coverage(&self, order: u8, center: &Position) -> Coverage {
        let (z, w) = (self.z, center.z);
        let cos_distance =
            z * w + (self.phi - center.phi).cos() * ((1.0 - z * z) * (1.0 - w * w)).sqrt();
        let (outer, inner) = self.limits.reach[usize::from(order)];
        if cos_distance > inner {
            Coverage::Inside
        } else if cos_distance > outer {
            if cos_distance < self.limits.radius {
                Coverage::Near
            } else {
                Coverage::Center
            }
        } else {
            Coverage::Outside
        }
    }
}

/// A convex polygon: an intersection of hemispheres, and of the smallest circle around it, which
/// cuts off what the hemispheres leave near sharp corners.
pub(super) struct Polygon {
    hemispheres: SmallVec<[Vector3d; 4]>,
    hemisphere_limits: CosLimits,
    cap: Vector3d,
    cap_limits: CosLimits,
}

/// What makes the polygon of a region useless for a search, so that a circle must do.
#[derive(Debug)]
pub(super) struct Unsearchable;

impl Polygon {
    /// Makes a polygon from vertices.
    pub(super) fn new(vertices: &[UnitVector3d]) -> Result<Self, Unsearchable> {
        let mut angles: SmallVec<[(f64, f64); 8]> = vertices.iter().map(angles_of).collect();
        // A polygon that is closed by repeating the first vertex.
        if let (Some(first), Some(last)) = (angles.first(), angles.last())
            && (first.0 - last.0).abs() < 1e-14
            && (first.1 - last.1).abs() < 1e-14
        {
            angles.pop();
        }
        let points: SmallVec<[Vector3d; 8]> = angles
            .iter()
            .map(|&(theta, phi)| {
                let s = theta.sin();
                Vector3d::new(s * phi.cos(), s * phi.sin(), theta.cos())
            })
            .collect();
        let n = points.len();
        if n < 3 {
            return Err(Unsearchable);
        }
        let mut hemispheres: SmallVec<[Vector3d; 4]> = SmallVec::with_capacity(n);
        let mut orientation = 0.0;
        for i in 0..n {
            let normal = unit(&points[i].cross(&points[(i + 1) % n]));
            // The next corner must be off the edge, always on the same side.
            let corner = normal.dot(&points[(i + 2) % n]);
            if orientation == 0.0 {
                orientation = if corner < 0.0 { -1.0 } else { 1.0 };
            }
            let too_flat = corner.is_nan() || corner.abs() < 1e-10;
            if too_flat || orientation * corner < 0.0 {
                return Err(Unsearchable);
            }
            hemispheres.push(normal * orientation);
        }
        let cap = Cap::around(&points, &[]);
        Ok(Self {
            hemispheres,
            hemisphere_limits: CosLimits::new(FRAC_PI_2),
            cap: cap.center,
            cap_limits: CosLimits::new(cap.cos_radius.acos()),
        })
    }
}

impl Shape for Polygon {
    fn coverage(&self, order: u8, center: &Position) -> Coverage {
        let direction = center.direction();
        let within = |axis: &Vector3d, limits: &CosLimits| {
            let c = direction.dot(axis);
            let (outer, inner) = limits.reach[usize::from(order)];
            if c < outer {
                Coverage::Outside
            } else if c < limits.radius {
                Coverage::Near
            } else if c < inner {
                Coverage::Center
            } else {
                Coverage::Inside
            }
        };
        let mut least = Coverage::Inside;
        for axis in &self.hemispheres {
            least = least.min(within(axis, &self.hemisphere_limits));
            if least == Coverage::Outside {
                return least;
            }
        }
        least.min(within(&self.cap, &self.cap_limits))
    }
}

/// Colatitude and longitude of a vertex, as the Python package hands them to its search.
fn angles_of(v: &UnitVector3d) -> (f64, f64) {
    let theta = (v.z / v.norm()).acos();
    let phi = v.y.atan2(v.x) % (2.0 * PI);
    (theta, if phi < 0.0 { phi + 2.0 * PI } else { phi })
}

fn unit(v: &Vector3d) -> Vector3d {
    *v * (1.0 / v.norm())
}

/// A circle that encloses points, held by the cosine of its radius.
#[derive(Clone, Copy)]
struct Cap {
    center: Vector3d,
    cos_radius: f64,
}

impl Cap {
    /// The smallest circle around points that has up to two pinned points on its boundary, by
    /// Welzl's incremental method without shuffling.
    fn around(points: &[Vector3d], pinned: &[Vector3d]) -> Self {
        let (mut cap, rest) = match *pinned {
            [] => (Self::of_two(&points[0], &points[1]), 2),
            [p] => (Self::of_two(&points[0], &p), 1),
            [p, q, ..] => (Self::of_two(&p, &q), 0),
        };
        for (i, v) in points.iter().enumerate().skip(rest) {
            if v.dot(&cap.center) < cap.cos_radius {
                cap = match *pinned {
                    [p, q, ..] => Self::of_three(v, &p, &q),
                    [p] => Self::around(&points[..i], &[*v, p]),
                    [] => Self::around(&points[..i], &[*v]),
                };
            }
        }
        cap
    }

    fn of_two(p: &Vector3d, q: &Vector3d) -> Self {
        let center = unit(&(*p + *q));
        Self {
            center,
            cos_radius: p.dot(&center),
        }
    }

    fn of_three(p: &Vector3d, q: &Vector3d, r: &Vector3d) -> Self {
        let center = unit(&(*q - *p).cross(&(*r - *p)));
        let cos_radius = p.dot(&center);
        if cos_radius < 0.0 {
            Self {
                center: -center,
                cos_radius: -cos_radius,
            }
        } else {
            Self { center, cos_radius }
        }
    }
}

/// A range of latitudes and longitudes.
pub(super) struct Band {
    /// Colatitudes of the northern and the southern edge.
    colatitudes: (f64, f64),
    /// Middle longitude.
    middle: f64,
    /// Half the width in longitude; infinite for all longitudes.
    half_width: f64,
    /// Radii of cells per order.
    radii: [f64; ORDERS],
}

impl Band {
    /// Makes a band from a box that is not empty.
    pub(super) fn new(b: &Box) -> Self {
        let lon = b.lon();
        Self {
            colatitudes: (
                FRAC_PI_2 - b.lat().b().radians(),
                FRAC_PI_2 - b.lat().a().radians(),
            ),
            middle: lon.center().radians(),
            half_width: if lon.is_full() {
                f64::INFINITY
            } else {
                0.5 * lon.size().radians()
            },
            radii: std::array::from_fn(|order| cell::max_radius(order as u8)),
        }
    }
}

/// How an interval around a value lies relative to `[lo, hi]`, ends included with a margin for
/// rounding.
fn interval_coverage(value: f64, radius: f64, lo: f64, hi: f64) -> Coverage {
    let (lo, hi) = (lo - f64::EPSILON, hi + f64::EPSILON);
    if value - radius >= lo && value + radius <= hi {
        Coverage::Inside
    } else if value >= lo && value <= hi {
        Coverage::Center
    } else if value + radius >= lo && value - radius <= hi {
        Coverage::Near
    } else {
        Coverage::Outside
    }
}

impl Shape for Band {
    fn coverage(&self, order: u8, center: &Position) -> Coverage {
        let radius = self.radii[usize::from(order)];
        let colatitude = center.colatitude();
        let (north, south) = self.colatitudes;
        let across = interval_coverage(colatitude, radius, north, south);
        if across == Coverage::Outside || self.half_width == f64::INFINITY {
            return across;
        }
        // The offset from the middle, the short way around.
        let mut offset = (center.phi - self.middle).abs();
        if offset > PI {
            offset = 2.0 * PI - offset;
        }
        let reach = radius / colatitude.sin();
        let half = self.half_width;
        across.min(interval_coverage(offset, reach, -half, half))
    }
}
