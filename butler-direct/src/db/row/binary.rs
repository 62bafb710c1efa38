//! Values of the common types as PostgreSQL sends them.
//!
//! The driver's own way compares types, some of them by name, several times for every single value,
//! which takes longer than all the rest. Here the number of the type decides. What is not of the
//! type that is asked for, NULL, or not in binary form, is left to the driver.

use sqlx::postgres::{PgRow, PgValueFormat};
use sqlx::{Column as _, Row as _, ValueRef as _};
use uuid::Uuid;

// Numbers of types, which are the same on all servers.
const BOOL: u32 = 16;
const INT8: u32 = 20;
const INT2: u32 = 21;
const INT4: u32 = 23;
const TEXT: u32 = 25;
const FLOAT8: u32 = 701;
const VARCHAR: u32 = 1043;
const UUID: u32 = 2950;

/// The number of a value's type, and its bytes.
fn value(row: &PgRow, index: usize) -> Option<(u32, &[u8])> {
    let column = row.columns().get(index)?;
    let oid = column.type_info().oid()?.0;
    let value = row.try_get_raw(index).ok()?;
    if value.is_null() || value.format() != PgValueFormat::Binary {
        return None;
    }
    Some((oid, value.as_bytes().ok()?))
}

/// An integer of any width.
pub(super) fn int(row: &PgRow, index: usize) -> Option<i64> {
    let (oid, bytes) = value(row, index)?;
    Some(match oid {
        INT8 => i64::from_be_bytes(bytes.try_into().ok()?),
        INT4 => i32::from_be_bytes(bytes.try_into().ok()?).into(),
        INT2 => i16::from_be_bytes(bytes.try_into().ok()?).into(),
        _ => return None,
    })
}

/// A text.
pub(super) fn text(row: &PgRow, index: usize) -> Option<&str> {
    match value(row, index)? {
        (TEXT | VARCHAR, bytes) => std::str::from_utf8(bytes).ok(),
        _ => None,
    }
}

/// A number of double precision.
pub(super) fn float(row: &PgRow, index: usize) -> Option<f64> {
    match value(row, index)? {
        (FLOAT8, bytes) => Some(f64::from_be_bytes(bytes.try_into().ok()?)),
        _ => None,
    }
}

/// A boolean.
pub(super) fn bool(row: &PgRow, index: usize) -> Option<bool> {
    match value(row, index)? {
        (BOOL, &[byte]) => Some(byte != 0),
        _ => None,
    }
}

/// A UUID.
pub(super) fn uuid(row: &PgRow, index: usize) -> Option<Uuid> {
    match value(row, index)? {
        (UUID, bytes) => Uuid::from_slice(bytes).ok(),
        _ => None,
    }
}
