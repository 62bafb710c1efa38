//! Where datasets are in the course of their lives, by the default policy.

use butler_pps::state::Status::{self, Deleted, Expired, NeverPresent, Present};

/// In embargo alone.
pub(crate) const NEW: [Status; 5] = [
    Present,
    NeverPresent,
    NeverPresent,
    NeverPresent,
    NeverPresent,
];
/// Published.
pub(crate) const PUBLIC: [Status; 5] = [Deleted, Present, Present, Present, Present];
/// Published once.
pub(crate) const GONE: [Status; 5] = [Deleted, Deleted, Deleted, Expired, Expired];
/// For staff, and so once.
const STAFF: [Status; 5] = [Deleted, Present, Present, NeverPresent, NeverPresent];
const STAFF_GONE: [Status; 5] = [Deleted, Deleted, Deleted, NeverPresent, NeverPresent];

/// The parts of the datasets' lives, by the hours since the observations: before the end of the embargo, after it, and
/// after the retention.
pub(crate) const PARTS: [i64; 3] = [0, 81, 81 + 31 * 24];

/// Where datasets of each type are at the end of each part.
pub(crate) const PLACES: [(&str, [[Status; 5]; 3]); 7] = [
    ("preliminary_visit_image", [NEW, PUBLIC, PUBLIC]),
    ("difference_image", [NEW, PUBLIC, GONE]),
    ("dia_source_apdb", [PUBLIC, PUBLIC, GONE]),
    ("preloaded_dia_object", [STAFF, STAFF, STAFF_GONE]),
    ("isr_log", [PUBLIC, PUBLIC, PUBLIC]),
    ("isr_config", [PUBLIC, PUBLIC, PUBLIC]),
    ("mystery", [NEW, NEW, NEW]),
];
