//! What is known of Python types without Python: names that mean the same type, and subclasses.

/// Names under which packages re-export a type, with the name it is defined by.
const ALIASES: &[(&str, &str)] = &[
    ("pandas.DataFrame", "pandas.core.frame.DataFrame"),
    ("pandas.Index", "pandas.core.indexes.base.Index"),
    ("pyarrow.Table", "pyarrow.lib.Table"),
    ("pyarrow.Schema", "pyarrow.lib.Schema"),
    ("astropy.table.Table", "astropy.table.table.Table"),
    ("astropy.table.QTable", "astropy.table.table.QTable"),
    ("lsst.afw.geom.SkyWcs", "lsst.afw.geom.skyWcs.SkyWcs"),
    (
        "lsst.scarlet.lite.io.ScarletModelData",
        "lsst.scarlet.lite.io.model_data.ScarletModelData",
    ),
];

/// Types and the type each of them is derived from, directly or by registration.
const PARENTS: &[(&str, &str)] = &[
    ("bool", "int"),
    ("lsst.utils.packages.Packages", "dict"),
    ("astropy.table.table.QTable", "astropy.table.table.Table"),
    ("lsst.afw.image.ExposureF", "lsst.afw.image.Exposure"),
    ("lsst.afw.image.ExposureI", "lsst.afw.image.Exposure"),
    ("lsst.afw.image.ExposureU", "lsst.afw.image.Exposure"),
    ("lsst.afw.image.ImageF", "lsst.afw.image.Image"),
    ("lsst.afw.image.ImageI", "lsst.afw.image.Image"),
    ("lsst.afw.image.ImageU", "lsst.afw.image.Image"),
    (
        "lsst.afw.image.DecoratedImageU",
        "lsst.afw.image.DecoratedImage",
    ),
    ("lsst.afw.image.MaskX", "lsst.afw.image.Mask"),
    ("lsst.afw.image.MaskedImageF", "lsst.afw.image.MaskedImage"),
    ("lsst.afw.image.MaskedImageI", "lsst.afw.image.MaskedImage"),
    ("lsst.afw.image.MaskedImageU", "lsst.afw.image.MaskedImage"),
    ("lsst.afw.table.BaseCatalog", "lsst.afw.table.Catalog"),
    ("lsst.afw.table.SimpleCatalog", "lsst.afw.table.Catalog"),
    (
        "lsst.afw.table.SourceCatalog",
        "lsst.afw.table.SimpleCatalog",
    ),
    ("lsst.afw.table.ExposureCatalog", "lsst.afw.table.Catalog"),
    ("lsst.afw.detection.PeakCatalog", "lsst.afw.table.Catalog"),
    ("lsst.daf.base.PropertyList", "lsst.daf.base.PropertySet"),
    ("lsst.images.VisitImage", "lsst.images.MaskedImage"),
    ("lsst.images.DifferenceImage", "lsst.images.VisitImage"),
    ("lsst.images.cells.CellCoadd", "lsst.images.MaskedImage"),
    (
        "lsst.images.cells.CellPointSpreadFunction",
        "lsst.images.psfs.PointSpreadFunction",
    ),
    (
        "lsst.meas.algorithms.Stamps",
        "lsst.meas.algorithms.stamps.StampsBase",
    ),
];

fn canonical(name: &str) -> &str {
    ALIASES
        .iter()
        .find(|(alias, _)| *alias == name)
        .map_or(name, |(_, real)| real)
}

/// Whether a Python type is another one or derived from it, as far as is known here.
pub(super) fn is_subclass(name: &str, ancestor: &str) -> bool {
    let ancestor = canonical(ancestor);
    if ancestor == "object" {
        return true;
    }
    let mut current = canonical(name);
    loop {
        if current == ancestor {
            return true;
        }
        match PARENTS.iter().find(|(child, _)| *child == current) {
            Some((_, parent)) => current = canonical(parent),
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subclasses_are_known_through_aliases() {
        assert!(is_subclass("bool", "int"));
        assert!(!is_subclass("int", "bool"));
        assert!(is_subclass(
            "pandas.DataFrame",
            "pandas.core.frame.DataFrame"
        ));
        assert!(is_subclass("astropy.table.QTable", "astropy.table.Table"));
        assert!(is_subclass(
            "lsst.afw.table.SourceCatalog",
            "lsst.afw.table.Catalog"
        ));
        assert!(is_subclass("anything.at.All", "object"));
    }
}
