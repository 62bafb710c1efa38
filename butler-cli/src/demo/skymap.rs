//! A sky map around the deep fields, and template images on it.

use butler_core::collections::CollectionType;
use butler_core::dimensions::{DimensionElement, DimensionRecord, DimensionUniverse};
use butler_core::error::Result;
use butler_core::progress::Progress;
use butler_direct::DirectButler;

use super::camera::{Pointing, square};
use super::fits::Image;
use super::numbers::Numbers;
use super::plan::DEEP_FIELDS;
use super::records::{Maker, hash};
use super::{Stored, collection, dataset, dataset_type};

const SKYMAP: &str = "demo_cells_v1";
/// The run of template images.
pub(super) const RUN: &str = "LSSTCam/templates/2025-11";
/// Patches along a tract.
const ACROSS: i64 = 5;
/// Degrees along the side of a patch.
const PATCH: f64 = 0.3;
/// The bands of templates.
const BANDS: [&str; 3] = ["g", "r", "i"];

/// The tracts: one around each deep field.
fn tracts() -> impl Iterator<Item = (i64, Pointing)> {
    let pointing = |(_, ra, dec): &(_, f64, f64)| Pointing {
        ra: *ra,
        dec: *dec,
        rotation: 0.0,
    };
    (0..).zip(DEEP_FIELDS.iter().map(pointing))
}

/// The patches of a tract: number, cell, and where the center is.
#[allow(clippy::cast_precision_loss)]
fn patches() -> impl Iterator<Item = (i64, [i64; 2], [f64; 2])> {
    let place = |cell: i64| PATCH * (cell - ACROSS / 2) as f64;
    (0..ACROSS * ACROSS).map(move |id| {
        let (x, y) = (id % ACROSS, id / ACROSS);
        (id, [x, y], [place(x), place(y)])
    })
}

/// The records of the sky map.
#[allow(clippy::cast_precision_loss)]
pub(super) fn records(
    universe: DimensionUniverse,
) -> Result<Vec<(DimensionElement, Vec<DimensionRecord>)>> {
    let mut skymaps = Maker::new(universe, "skymap")?;
    skymaps.add_free([
        ("name", SKYMAP.into()),
        ("hash", hash(b"butler demo sky map ")),
        ("tract_max", 4.into()),
        ("patch_nx_max", ACROSS.into()),
        ("patch_ny_max", ACROSS.into()),
    ])?;
    let mut all_tracts = Maker::new(universe, "tract")?;
    let mut all_patches = Maker::new(universe, "patch")?;
    for (tract, pointing) in tracts() {
        let whole = square([0.0, 0.0], PATCH * ACROSS as f64);
        all_tracts.add_free([
            ("skymap", SKYMAP.into()),
            ("id", tract.into()),
            ("region", pointing.region(&whole)?.into()),
        ])?;
        for (id, [x, y], center) in patches() {
            all_patches.add_free([
                ("skymap", SKYMAP.into()),
                ("tract", tract.into()),
                ("id", id.into()),
                ("cell_x", x.into()),
                ("cell_y", y.into()),
                ("region", pointing.region(&square(center, PATCH))?.into()),
            ])?;
        }
    }
    Ok([skymaps, all_tracts, all_patches].map(Maker::done).into())
}

/// Stores template images of all patches.
pub(super) async fn store_templates(butler: &DirectButler, progress: &dyn Progress) -> Result<()> {
    let doc = "Template images for difference imaging";
    collection(butler, RUN, CollectionType::Run, doc).await?;
    let dimensions = ["skymap", "tract", "patch", "band"];
    let template = dataset_type(butler, "template_coadd", &dimensions, "ExposureF", false).await?;
    let mut stored: Stored = Vec::new();
    for (tract, pointing) in tracts() {
        for (patch, _, center) in patches() {
            for (number, band) in (0..).zip(BANDS) {
                let data_id = [
                    ("skymap", SKYMAP.into()),
                    ("tract", tract.into()),
                    ("patch", patch.into()),
                    ("band", band.into()),
                ];
                let numbers = &mut Numbers::of(&[tract, patch, number]);
                let image = Image::of_sky(pointing, center, PATCH, 1.0, numbers)
                    .text("FILTER", band, "band")
                    .integer("TRACT", tract, "tract of the sky map")
                    .integer("PATCH", patch, "patch of the tract");
                stored.push((dataset(&template, data_id, RUN)?, image.floats().into()));
            }
        }
    }
    butler.put_many(stored, progress).await
}
