//! The exact orientation predicate on which all polygon geometry rests.
//!
//! The sign of the determinant of three vectors is found in floating point whenever a forward
//! error bound allows, and in exact integer arithmetic otherwise, so the answer is always the sign
//! for the given doubles, without rounding.

use crate::vector::{UnitVector3d, Vector3d};

/// Error bound of the determinant of three unit vectors: a little more than 15 · 2⁻⁵³.
const MAX_ABSOLUTE_ERROR: f64 = 1.7e-15;
/// Error bound relative to the permanent of absolute values: a little more than 5 · 2⁻⁵³.
const RELATIVE_ERROR: f64 = 5.6e-16;
/// Allowance for underflow in the products.
const UNDERFLOW_ERROR: f64 = 4.0e-307;

/// The sign of `a · (b × c)`: +1 if the three unit vectors are in counter-clockwise order as seen
/// from outside the sphere, -1 if clockwise, 0 if they are exactly coplanar with the origin.
#[inline]
pub fn orientation(a: &UnitVector3d, b: &UnitVector3d, c: &UnitVector3d) -> i32 {
    side_of(a, b, c, &b.cross(c))
}

/// As [`orientation`], given `normal` = `b × c`: callers that test many vectors against one edge
/// compute it once.
#[inline]
pub(crate) fn side_of(
    a: &UnitVector3d,
    b: &UnitVector3d,
    c: &UnitVector3d,
    normal: &Vector3d,
) -> i32 {
    let determinant = a.dot(normal);
    if determinant > MAX_ABSOLUTE_ERROR {
        1
    } else if determinant < -MAX_ABSOLUTE_ERROR {
        -1
    } else {
        near_zero(a, b, c, determinant)
    }
}

/// Decides the sign of a determinant that is too small for the constant error bound.
#[cold]
fn near_zero(a: &Vector3d, b: &Vector3d, c: &Vector3d, determinant: f64) -> i32 {
    let permanent = a.x.abs() * ((b.y * c.z).abs() + (b.z * c.y).abs())
        + a.y.abs() * ((b.z * c.x).abs() + (b.x * c.z).abs())
        + a.z.abs() * ((b.x * c.y).abs() + (b.y * c.x).abs());
    let bound = RELATIVE_ERROR * permanent + UNDERFLOW_ERROR;
    if determinant > bound {
        return 1;
    }
    if determinant < -bound {
        return -1;
    }
    let parallel = |u: &Vector3d, v: &Vector3d| *u == *v || *u == -*v;
    if parallel(a, b) || parallel(b, c) || parallel(a, c) {
        return 0;
    }
    exact_sign(a, b, c)
}

/// The exact sign of `a · (b × c)`; 0 if a component is not finite.
pub(crate) fn exact_sign(a: &Vector3d, b: &Vector3d, c: &Vector3d) -> i32 {
    let terms = [
        Term::product(a.x, b.y, c.z),
        Term::product(a.y, b.z, c.x),
        Term::product(a.z, b.x, c.y),
        Term::product(-a.x, b.z, c.y),
        Term::product(-a.y, b.x, c.z),
        Term::product(-a.z, b.y, c.x),
    ];
    sign_of_sum(&terms)
}

/// An exact product of three doubles: `±mantissa · 2^exponent`.
#[derive(Clone, Copy)]
struct Term {
    negative: bool,
    /// 159-bit magnitude, least significant limb first.
    mantissa: [u64; 3],
    exponent: i32,
}

impl Term {
    fn product(x: f64, y: f64, z: f64) -> Self {
        let ((mx, ex), (my, ey), (mz, ez)) = (split(x), split(y), split(z));
        let xy = u128::from(mx) * u128::from(my);
        let low = u128::from(xy as u64) * u128::from(mz);
        let high = (xy >> 64) * u128::from(mz) + (low >> 64);
        Self {
            negative: x.is_sign_negative() ^ y.is_sign_negative() ^ z.is_sign_negative(),
            mantissa: [low as u64, high as u64, (high >> 64) as u64],
            exponent: ex + ey + ez,
        }
    }

    fn is_zero(&self) -> bool {
        self.mantissa == [0; 3]
    }
}

/// Integer mantissa and binary exponent of the magnitude of a double; non-finite numbers count as
/// zero.
fn split(x: f64) -> (u64, i32) {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = x.to_bits();
    let fraction = bits & FRACTION;
    match ((bits >> 52) & 0x7ff) as i32 {
        0x7ff => (0, 0),
        0 => (fraction, -1074),
        biased => (fraction | (1 << 52), biased - 1075),
    }
}

/// The sign of the exact sum of six products.
fn sign_of_sum(terms: &[Term; 6]) -> i32 {
    // Exponents of products of three doubles span less than 3 · 2098 bits; with 159 bits of
    // mantissa and room for carries and the sign, 102 limbs hold any sum.
    const LIMBS: usize = 104;
    let exponents = terms.iter().filter(|t| !t.is_zero()).map(|t| t.exponent);
    let (Some(lowest), Some(highest)) = (exponents.clone().min(), exponents.max()) else {
        return 0;
    };
    let used = ((highest - lowest) as usize / 64 + 5).min(LIMBS);
    let mut sum = [0_u64; LIMBS];
    let sum = &mut sum[..used];
    for term in terms.iter().filter(|t| !t.is_zero()) {
        let shift = (term.exponent - lowest) as usize;
        accumulate(&mut sum[shift / 64..], term, (shift % 64) as u32);
    }
    if (sum[used - 1] as i64) < 0 {
        -1
    } else {
        i32::from(sum.iter().any(|&limb| limb != 0))
    }
}

/// Adds a term, shifted left by less than one limb, to a two's complement number.
fn accumulate(sum: &mut [u64], term: &Term, shift: u32) {
    let [m0, m1, m2] = term.mantissa;
    let shifted = if shift == 0 {
        [m0, m1, m2, 0]
    } else {
        let back = 64 - shift;
        [
            m0 << shift,
            (m1 << shift) | (m0 >> back),
            (m2 << shift) | (m1 >> back),
            m2 >> back,
        ]
    };
    let mut carry = false;
    for (i, limb) in sum.iter_mut().enumerate() {
        let part = shifted.get(i).copied().unwrap_or(0);
        if i >= shifted.len() && !carry {
            break;
        }
        let (first, over1) = if term.negative {
            limb.overflowing_sub(part)
        } else {
            limb.overflowing_add(part)
        };
        let (second, over2) = if term.negative {
            first.overflowing_sub(u64::from(carry))
        } else {
            first.overflowing_add(u64::from(carry))
        };
        *limb = second;
        carry = over1 || over2;
    }
}

/// The sign of the `axis`-component (0 for x, 1 for y, 2 for z) of `b × c`: on which side of the
/// plane through `b` and `c` that standard basis vector lies.
pub(crate) fn axis_orientation(axis: usize, b: &UnitVector3d, c: &UnitVector3d) -> i32 {
    /// More than the rounding error of a difference of two products below 1.
    const ERROR: f64 = 1.12e-16;
    let (b3, c3) = (b.components(), c.components());
    let (u, v) = ((axis + 1) % 3, (axis + 2) % 3);
    let (p, q) = (b3[u] * c3[v], b3[v] * c3[u]);
    let determinant = p - q;
    let bound = ERROR * (p.abs() + q.abs()) + 1.0e-307;
    if determinant > bound.min(ERROR) {
        1
    } else if determinant < -bound.min(ERROR) {
        -1
    } else {
        let basis = [UnitVector3d::X, UnitVector3d::Y, UnitVector3d::Z][axis % 3];
        exact_sign(&basis, b, c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basis_vectors_are_counter_clockwise() {
        let (x, y, z) = (UnitVector3d::X, UnitVector3d::Y, UnitVector3d::Z);
        assert_eq!(orientation(&x, &y, &z), 1);
        assert_eq!(orientation(&y, &x, &z), -1);
        assert_eq!(orientation(&x, &x, &z), 0);
    }

    #[test]
    fn signs_far_below_rounding_are_found() {
        // a·(b×c) is exactly ±(a tiny component), whatever its magnitude.
        for tiny in [1e-20, 1e-100, 1e-300, 5e-324] {
            let a = UnitVector3d::from_normalized(1.0, 1.0, tiny);
            let b = UnitVector3d::from_normalized(1.0, 0.0, 0.0);
            let c = UnitVector3d::from_normalized(0.0, 1.0, 0.0);
            assert_eq!(orientation(&a, &b, &c), 1, "{tiny}");
            assert_eq!(orientation(&a, &c, &b), -1, "{tiny}");
        }
    }

    #[test]
    fn cancelling_terms_of_very_different_magnitude_are_exact() {
        let a = Vector3d::new(1.0, 1e-200, 1e200);
        let b = Vector3d::new(1e100, 3e-300, 1e200);
        let c = Vector3d::new(2.0, 2e-200, 2e200);
        assert_eq!(exact_sign(&a, &b, &a), 0);
        // c is 2a except that 2e-200 rounds like 1e-200 does: exactly dependent.
        assert_eq!(exact_sign(&a, &b, &c), 0);
        let d = Vector3d::new(2.0, f64::from_bits(2e-200_f64.to_bits() + 1), 2e200);
        assert_ne!(exact_sign(&a, &b, &d), 0);
        assert_eq!(exact_sign(&a, &b, &d), -exact_sign(&d, &b, &a));
    }

    #[test]
    fn non_finite_components_have_no_orientation() {
        let nan = UnitVector3d::from_normalized(f64::NAN, 0.0, f64::INFINITY);
        assert_eq!(orientation(&nan, &UnitVector3d::Y, &UnitVector3d::Z), 0);
        assert_eq!(orientation(&nan, &nan, &nan), 0);
    }
}
