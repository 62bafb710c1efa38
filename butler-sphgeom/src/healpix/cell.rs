//! Where cells are: index of a point, center and boundary of a cell.
//!
//! The HEALPix projection maps the sphere to a plane in which base cells are squares standing on a
//! corner, of unit half-diagonal: the equatorial zone |z| ≤ 2/3 to |y| ≤ 1, where y = 3z/2 and x
//! is the longitude in units of π/4; the polar caps to triangles whose width shrinks with
//! σ = 2 - |y| = √(3(1 - |z|)).

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

use cdshealpix::nested;

use crate::angle::Angle;
use crate::vector::{UnitVector3d, Vector3d};

/// A point on the sphere in cylindrical coordinates, as the projection gives them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Position {
    /// Height over the equatorial plane.
    pub(super) z: f64,
    /// Longitude in radians.
    pub(super) phi: f64,
    /// Distance from the axis, where it is known better than `z` tells.
    sin_colatitude: Option<f64>,
}

impl Position {
    /// A position in a polar cap, from the square of σ over 3.
    fn polar(north: bool, third_sigma2: f64, phi: f64) -> Self {
        let height = 1.0 - third_sigma2;
        Self {
            z: if north { height } else { third_sigma2 - 1.0 },
            phi,
            sin_colatitude: (height > 0.99).then(|| (third_sigma2 * (2.0 - third_sigma2)).sqrt()),
        }
    }

    /// Angle from the north pole.
    pub(super) fn colatitude(&self) -> f64 {
        match self.sin_colatitude {
            Some(s) => s.atan2(self.z),
            None => self.z.acos(),
        }
    }

    /// Longitude in radians.
    pub(super) fn lon(&self) -> f64 {
        self.phi
    }

    /// Latitude in radians.
    pub(super) fn lat(&self) -> f64 {
        -(self.colatitude() - FRAC_PI_2)
    }

    /// The direction, not normalized again.
    pub(super) fn direction(&self) -> Vector3d {
        let s = self
            .sin_colatitude
            .unwrap_or_else(|| ((1.0 - self.z) * (1.0 + self.z)).sqrt());
        Vector3d::new(s * self.phi.cos(), s * self.phi.sin(), self.z)
    }

    /// The point, by way of longitude and latitude in degrees as the Python package has it.
    pub(super) fn vector(&self) -> UnitVector3d {
        const DEG: f64 = 180.0 / PI;
        const RAD: f64 = PI / 180.0;
        let phi = ((self.lon() * DEG) % 360.0) * RAD;
        let theta = FRAC_PI_2 - (self.lat() * DEG) * RAD;
        let s = theta.sin();
        let v = Vector3d::new(s * phi.cos(), s * phi.sin(), theta.cos());
        // Its length is one, within rounding.
        v.normalized().unwrap_or(UnitVector3d::Z)
    }
}

/// The center of a cell.
pub(super) fn center(order: u8, cell: u64) -> Position {
    let (x, y) = nested::get(order).center_of_projected_cell(cell);
    let x = if x < 0.0 { x + 8.0 } else { x };
    // Projected centers are dyadic fractions: only the last steps round.
    if y.abs() <= 1.0 {
        Position {
            z: y * (2.0 / 3.0),
            phi: 0.75 * FRAC_PI_2 * x * (2.0 / 3.0),
            sin_colatitude: None,
        }
    } else {
        let (sigma, base) = (2.0 - y.abs(), 2.0 * (0.5 * x).floor() + 1.0);
        let phi = FRAC_PI_4 * (base * sigma + (x - base)) / sigma;
        Position::polar(y > 0.0, sigma * sigma * (1.0 / 3.0), phi)
    }
}

/// Points on the boundary of a cell, counter-clockwise from its northern corner, `steps` per side.
pub(super) fn boundary(order: u8, cell: u64, steps: u32) -> impl Iterator<Item = Position> {
    let (x, y) = nested::get(order).center_of_projected_cell(cell);
    // The meridian in the middle of the base cell, with which polar caps are aligned.
    let base = f64::from(2 * ((cell >> (2 * order)) % 4) as u8 + 1);
    let half = 1.0 / (1_u64 << order) as f64;
    // North, west, south, east.
    let corners = [(x, y + half), (x - half, y), (x, y - half), (x + half, y)];
    (0..4 * steps).map(move |i| {
        let (side, along) = (
            (i / steps) as usize,
            f64::from(i % steps) / f64::from(steps),
        );
        let ((x0, y0), (x1, y1)) = (corners[side], corners[(side + 1) % 4]);
        boundary_point(x0 + (x1 - x0) * along, y0 + (y1 - y0) * along, base)
    })
}

/// A point of the plane that may lie on the edge of a base cell, whose middle meridian is known.
fn boundary_point(x: f64, y: f64, base: f64) -> Position {
    let wrapped = |offset: f64| {
        if offset < 0.0 {
            offset + 8.0
        } else if offset >= 8.0 {
            offset - 8.0
        } else {
            offset
        }
    };
    let sigma = 2.0 - y.abs();
    if sigma >= 1.0 {
        return Position {
            z: y * 2.0 / 3.0,
            phi: FRAC_PI_4 * wrapped(x),
            sin_colatitude: None,
        };
    }
    let phi = if sigma < 1e-15 {
        0.0
    } else {
        FRAC_PI_4 * wrapped(base * sigma + (x - base)) / sigma
    };
    Position::polar(y > 0.0, sigma * sigma / 3.0, phi)
}

/// The cell of an order that contains a point.
pub(super) fn index(order: u8, v: &UnitVector3d) -> u64 {
    let scale = 1.0 / v.norm();
    let z = v.z * scale;
    let phi = if v.x == 0.0 && v.y == 0.0 {
        0.0
    } else {
        v.y.atan2(v.x)
    };
    let axis_distance = (z.abs() > 0.99).then(|| (v.x * v.x + v.y * v.y).sqrt() * scale);
    index_at(order, z, phi, axis_distance)
}

/// The cell of an order that contains the point at a colatitude and longitude in radians.
pub(super) fn index_at_angles(order: u8, colatitude: f64, phi: f64) -> u64 {
    let near_pole = !(0.01..=PI - 0.01).contains(&colatitude);
    let axis_distance = (!near_pole).then(|| Angle::from_radians(colatitude).sin());
    index_at(order, colatitude.cos(), phi, axis_distance)
}

fn index_at(order: u8, z: f64, phi: f64, axis_distance: Option<f64>) -> u64 {
    let nside = (1_u64 << order) as f64;
    let height = z.abs();
    // Longitude in quarter turns.
    let t = quarter_turns(phi);
    if height <= 2.0 / 3.0 {
        // Along the diagonals of the plane base cells are unit squares.
        let (ascending, descending) = (0.5 + t - 0.75 * z, 0.5 + t + 0.75 * z);
        let (row, column) = (ascending.floor(), descending.floor());
        let base = if row == column {
            // The equatorial base cells; the first one is met again after a full turn.
            4 + (row as u64 & 3)
        } else if row < column {
            row as u64
        } else {
            column as u64 + 8
        };
        let i = ((descending - column) * nside) as u64;
        let j = ((ascending - row) * nside) as u64;
        join(order, base, i, (nside as u64 - 1) - j)
    } else {
        let quarter = t.floor().min(3.0);
        let across = t - quarter;
        let sigma = match axis_distance {
            Some(s) if height >= 0.99 => s / ((1.0 + height) / 3.0).sqrt(),
            _ => (3.0 * (1.0 - height)).sqrt(),
        };
        let last = nside as u64 - 1;
        // Distances from the pole along the two edges of the base cell.
        let ascending = ((across * (nside * sigma)) as u64).min(last);
        let descending = (((1.0 - across) * (nside * sigma)) as u64).min(last);
        if z >= 0.0 {
            join(order, quarter as u64, last - descending, last - ascending)
        } else {
            join(order, quarter as u64 + 8, ascending, descending)
        }
    }
}

/// A longitude in units of π/2, reduced to `[0, 4)`.
fn quarter_turns(phi: f64) -> f64 {
    // 2/π, rounded.
    let t = phi * std::f64::consts::FRAC_2_PI;
    if t >= 0.0 {
        if t < 4.0 { t } else { t % 4.0 }
    } else {
        let t = t % 4.0 + 4.0;
        if t == 4.0 { 0.0 } else { t }
    }
}

/// The cell at a place in a base cell: bits of `i` and `j` alternate.
fn join(order: u8, base: u64, i: u64, j: u64) -> u64 {
    (base << (2 * order)) | spread(i) | (spread(j) << 1)
}

/// Moves bit k to bit 2k.
fn spread(mut bits: u64) -> u64 {
    bits &= 0xffff_ffff;
    bits = (bits | (bits << 16)) & 0x0000_ffff_0000_ffff;
    bits = (bits | (bits << 8)) & 0x00ff_00ff_00ff_00ff;
    bits = (bits | (bits << 4)) & 0x0f0f_0f0f_0f0f_0f0f;
    bits = (bits | (bits << 2)) & 0x3333_3333_3333_3333;
    (bits | (bits << 1)) & 0x5555_5555_5555_5555
}

/// The descendants of a cell `delta` orders below that lie along its edges, as offsets.
pub(super) fn rim(delta: u8) -> impl Iterator<Item = u64> {
    let last = (1_u64 << delta) - 1;
    (0..=last).flat_map(move |k| {
        [(k, 0), (k, last), (0, k), (last, k)].map(|(i, j)| spread(i) | (spread(j) << 1))
    })
}

/// The largest angle between the center of a cell of an order and a point of the cell: that of the
/// cell at the boundary of the polar cap, in the middle of its base cell.
pub(super) fn max_radius(order: u8) -> f64 {
    let nside = (1_u64 << order) as f64;
    let at = |z: f64, phi: f64| {
        Position {
            z,
            phi,
            sin_colatitude: None,
        }
        .direction()
    };
    let shrunk = 1.0 - 1.0 / nside;
    let center = at(2.0 / 3.0, PI / (4.0 * nside));
    let corner = at(1.0 - shrunk * shrunk / 3.0, 0.0);
    center.cross(&corner).norm().atan2(center.dot(&corner))
}
