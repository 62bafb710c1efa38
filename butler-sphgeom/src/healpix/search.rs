//! Searching the hierarchy of cells for those that overlap a region.

use std::ops::Range;

use super::cell;
use super::shape::{Band, Coverage, Disc, Polygon, Shape};
use crate::circle::Circle;
use crate::lonlat::LonLat;
use crate::region::Region;

/// How many orders below the wanted one cells are tested for overlap.
const OVERLAP_REFINEMENT: u8 = 2;

/// A cell that overlaps a region.
pub(super) struct Found {
    /// Order of the cell, at most the order wanted.
    pub(super) order: u8,
    /// Index of the cell in its order.
    pub(super) cell: u64,
    /// Whether the cell is certainly inside the region (not just a bound of the region).
    pub(super) certain: bool,
}

impl Found {
    /// The descendants of this cell in an order that is not coarser.
    pub(super) fn descendants(&self, order: u8) -> Range<u64> {
        let shift = 2 * (order - self.order);
        self.cell << shift..(self.cell + 1) << shift
    }
}

/// Finds the cells of an order that overlap a region that is not compound (and perhaps a few
/// more), in ascending order. Cells of coarser orders stand for all of their descendants.
pub(super) fn search(region: &Region, order: u8, found: &mut dyn FnMut(Found)) {
    match region {
        Region::Circle(c) => search_circle(c, order, true, found),
        Region::Ellipse(e) => search_circle(&e.bounding_circle(), order, false, found),
        Region::ConvexPolygon(p) => match Polygon::new(p.vertices()) {
            Ok(polygon) => run(&polygon, order, true, found),
            Err(_) => search_circle(&p.bounding_circle(), order, false, found),
        },
        Region::Box(b) if !b.is_empty() => run(&Band::new(b), order, true, found),
        // Compound regions are taken apart by the caller.
        Region::Box(_) | Region::Union(_) | Region::Intersection(_) => {}
    }
}

fn search_circle(c: &Circle, order: u8, exact: bool, found: &mut dyn FnMut(Found)) {
    let center = LonLat::from_vector(c.center());
    let colatitude = -center.lat().radians() + std::f64::consts::FRAC_PI_2;
    let phi = center.lon().radians() % std::f64::consts::TAU;
    let radius = c.opening_angle().radians();
    if radius == 0.0 {
        let cell = cell::index_at_angles(order, colatitude, phi);
        found(Found {
            order,
            cell,
            certain: false,
        });
    } else if radius >= std::f64::consts::PI {
        for cell in 0..12 {
            found(Found {
                order: 0,
                cell,
                certain: exact,
            });
        }
    } else if radius > 0.0 {
        run(&Disc::new(colatitude, phi, radius), order, exact, found);
    }
}

fn run(shape: &impl Shape, order: u8, exact: bool, found: &mut dyn FnMut(Found)) {
    let mut search = Search {
        shape,
        order,
        exact,
        found,
    };
    for base in 0..12 {
        search.visit(0, base);
    }
}

/// A depth-first descent from the base cells.
struct Search<'a, S> {
    shape: &'a S,
    order: u8,
    exact: bool,
    found: &'a mut dyn FnMut(Found),
}

impl<S: Shape> Search<'_, S> {
    fn visit(&mut self, order: u8, cell: u64) {
        let coverage = self.shape.coverage(order, &cell::center(order, cell));
        let take = match coverage {
            Coverage::Outside => false,
            Coverage::Inside => true,
            Coverage::Near | Coverage::Center if order < self.order => {
                for child in 4 * cell..4 * cell + 4 {
                    self.visit(order + 1, child);
                }
                false
            }
            Coverage::Center => true,
            Coverage::Near => self.a_child_overlaps(order, cell),
        };
        if take {
            let certain = self.exact && coverage == Coverage::Inside;
            (self.found)(Found {
                order,
                cell,
                certain,
            });
        }
    }

    /// Whether a descendant of a cell, down to the finest order tested, may overlap the shape.
    fn a_child_overlaps(&self, order: u8, cell: u64) -> bool {
        let order = order + 1;
        (4 * cell..4 * cell + 4).any(|child| {
            match self.shape.coverage(order, &cell::center(order, child)) {
                Coverage::Outside => false,
                Coverage::Near => {
                    order == self.order + OVERLAP_REFINEMENT || self.a_child_overlaps(order, child)
                }
                Coverage::Center | Coverage::Inside => true,
            }
        })
    }
}
