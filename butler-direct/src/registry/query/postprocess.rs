//! What is decided about rows after they came from the database: whether regions really overlap,
//! and whether a calibration is ambiguous.

use butler_core::dimensions::DimensionElement;
use butler_core::error::{Error, Result};
use butler_core::query::RegionLiteral;
use butler_sphgeom::{Region, TriState};

use super::column::Column;
use super::rows::Layout;
use crate::db::Row;

/// What is to be decided.
#[derive(Debug, Clone, Default)]
pub(super) struct Postprocessing {
    /// Pairs of elements whose regions must overlap.
    pub(super) joins: Vec<(DimensionElement, DimensionElement)>,
    /// Elements whose regions must overlap a given one.
    pub(super) constraints: Vec<(DimensionElement, RegionLiteral)>,
    /// Columns of encoded pairs of regions, of which one pair must overlap.
    pub(super) expressions: Vec<Column>,
    /// Whether rows count matching validity ranges, of which there must be one.
    pub(super) one_validity_range: bool,
}

impl Postprocessing {
    /// Whether rows may be dropped.
    pub(super) fn filters(&self) -> bool {
        !(self.joins.is_empty() && self.constraints.is_empty() && self.expressions.is_empty())
    }

    /// The elements whose regions are needed, each once.
    pub(super) fn elements(&self) -> Vec<DimensionElement> {
        let mut elements = Vec::new();
        let joined = self.joins.iter().flat_map(|(a, b)| [a, b]);
        for element in joined.chain(self.constraints.iter().map(|(element, _)| element)) {
            if !elements.contains(element) {
                elements.push(*element);
            }
        }
        elements
    }

    /// Something that decides on rows of this layout.
    ///
    /// # Errors
    /// [`Error::Internal`] if a column is missing.
    pub(super) fn filter(&self, layout: &Layout) -> Result<RowFilter> {
        let mut columns: Vec<(usize, Remembered)> = Vec::new();
        let mut place = |element: &DimensionElement| -> Result<usize> {
            let position = layout.position(&Column::Element(element.name(), "region"))?;
            let known = columns.iter().position(|(known, _)| *known == position);
            Ok(known.unwrap_or_else(|| {
                columns.push((position, Remembered::default()));
                columns.len() - 1
            }))
        };
        let joins = self
            .joins
            .iter()
            .map(|(a, b)| Ok((place(a)?, place(b)?)))
            .collect::<Result<_>>()?;
        let constraints = self
            .constraints
            .iter()
            .map(|(element, region)| Ok((place(element)?, region.clone())))
            .collect::<Result<_>>()?;
        let expressions = self
            .expressions
            .iter()
            .map(|column| layout.position(column))
            .collect::<Result<_>>()?;
        let validity = match self.one_validity_range {
            true => Some(layout.position(&Column::ValidityMatches)?),
            false => None,
        };
        Ok(RowFilter {
            columns,
            joins,
            constraints,
            expressions,
            validity,
        })
    }
}

/// A region that was decoded last; many rows in a row have the same.
#[derive(Debug, Default)]
struct Remembered {
    text: String,
    region: Option<Region>,
}

impl Remembered {
    fn update(&mut self, row: &Row, position: usize) -> Result<()> {
        let text = row.opt_text(position)?.unwrap_or_default();
        if self.region.is_none() || self.text != text {
            let region = super::rows::decode_region(text)?;
            self.region = Some(region);
            text.clone_into(&mut self.text);
        }
        Ok(())
    }
}

/// Decides on rows.
#[derive(Debug)]
pub(super) struct RowFilter {
    columns: Vec<(usize, Remembered)>,
    joins: Vec<(usize, usize)>,
    constraints: Vec<(usize, RegionLiteral)>,
    expressions: Vec<usize>,
    validity: Option<usize>,
}

impl RowFilter {
    /// Whether a row is kept. Regions that may overlap, as far as is known, do.
    ///
    /// # Errors
    /// [`Error::CalibrationLookup`] for an ambiguous row; [`Error::CorruptRecord`] for a region
    /// that cannot be decoded.
    pub(super) fn keeps(&mut self, row: &Row) -> Result<bool> {
        for position in &self.expressions {
            let text = row.opt_text(*position)?.unwrap_or_default();
            let overlap = Region::decode_overlaps_base64(text)
                .map_err(|error| Error::corrupt("a region of a dimension record", error))?;
            if overlap == TriState::False {
                return Ok(false);
            }
        }
        for (position, remembered) in &mut self.columns {
            remembered.update(row, *position)?;
        }
        let region = |place: usize| self.columns[place].1.region.as_ref();
        for (a, b) in &self.joins {
            if let (Some(a), Some(b)) = (region(*a), region(*b))
                && a.overlaps(b) == TriState::False
            {
                return Ok(false);
            }
        }
        for (place, given) in &self.constraints {
            if let Some(region) = region(*place)
                && region.overlaps(given.region()) == TriState::False
            {
                return Ok(false);
            }
        }
        if let Some(position) = self.validity
            && row.int(position)? > 1
        {
            return Err(Error::CalibrationLookup(
                "Ambiguous calibration validity range match. This usually means a temporal join \
                 or 'where' needs to be added, but it could also mean that multiple validity \
                 ranges overlap a single output data ID."
                    .to_owned(),
            ));
        }
        Ok(true)
    }
}
