//! Tables of datasets and data IDs.

use std::collections::{BTreeMap, HashMap};

use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::DatasetUris;
use butler_core::dimensions::{ColumnType, DataCoordinate, DimensionGroup};

use super::cells::{Cell, Column, Kind, Rows};

/// Columns for the keys of data IDs.
fn key_columns(dimensions: &DimensionGroup) -> impl Iterator<Item = Column> {
    let universe = dimensions.universe();
    dimensions.data_coordinate_keys().iter().map(move |&name| {
        let key = universe.get(name).and_then(|element| element.key_type());
        let kind = match key {
            Some(ColumnType::Int) => Kind::Int,
            _ => Kind::Text,
        };
        Column::new(name, kind)
    })
}

fn key_cells(data_id: &DataCoordinate) -> impl Iterator<Item = Cell> {
    let keys = data_id.dimensions().data_coordinate_keys().iter();
    keys.map(|name| data_id.get(name).map_or(Cell::Null, Cell::from))
}

/// The columns that tables are sorted by: those that place an observation in space and time first.
fn sort_keys(dimensions: &DimensionGroup) -> Vec<&'static str> {
    let (mut early, mut late) = (Vec::new(), Vec::new());
    for &name in dimensions.data_coordinate_keys() {
        match dimensions.universe().get(name) {
            Some(element) if element.spatial().is_some() || element.temporal().is_some() => {
                early.extend_from_slice(element.minimal_group().required());
            }
            _ => late.push(name),
        }
    }
    early.extend(late);
    early
}

/// A table of data IDs of the same dimensions.
pub(crate) fn data_id_rows(
    dimensions: &DimensionGroup,
    data_ids: &[DataCoordinate],
    sort: bool,
) -> Rows {
    let mut rows = Rows::new(key_columns(dimensions).collect());
    rows.rows
        .extend(data_ids.iter().map(|data_id| key_cells(data_id).collect()));
    if sort {
        rows.sort_by(&sort_keys(dimensions));
    }
    rows
}

/// A table of datasets of one type under a name, with the URI of each if there is one.
fn dataset_rows(name: &str, datasets: &[(&DatasetRef, Option<&str>)], sort: bool) -> Rows {
    let Some((first, uri)) = datasets.first() else {
        return Rows::default();
    };
    let dimensions = first.data_id().dimensions();
    let mut columns = vec![
        Column::new("type", Kind::Text),
        Column::new("run", Kind::Text),
        Column::new("id", Kind::Text),
    ];
    columns.extend(key_columns(dimensions));
    if uri.is_some() {
        columns.push(Column::new("uri", Kind::Text).titled("URI"));
    }
    let mut rows = Rows::new(columns);
    for (dataset, uri) in datasets {
        let mut row = vec![
            Cell::text(name),
            Cell::text(&**dataset.run()),
            Cell::text(dataset.id().to_string()),
        ];
        row.extend(key_cells(dataset.data_id()));
        row.extend(uri.map(Cell::text));
        rows.push(row);
    }
    if sort {
        let mut keys = vec!["type", "run"];
        keys.extend(sort_keys(dimensions));
        rows.sort_by(&keys);
    }
    rows
}

/// Datasets by their type; those of a type must lie together.
fn by_type(datasets: &[DatasetRef]) -> impl Iterator<Item = &[DatasetRef]> {
    datasets.chunk_by(|a, b| a.dataset_type().name() == b.dataset_type().name())
}

/// A table for each type of datasets. With URIs, one for each component that has its own.
pub(crate) fn dataset_tables(
    datasets: &[DatasetRef],
    uris: Option<&HashMap<DatasetId, DatasetUris>>,
    sort: bool,
) -> Vec<Rows> {
    let mut tables = Vec::new();
    for group in by_type(datasets) {
        let Some(uris) = uris else {
            let shown: Vec<_> = group.iter().map(|dataset| (dataset, None)).collect();
            let name = group[0].dataset_type().name();
            tables.push(dataset_rows(name, &shown, sort));
            continue;
        };
        let mut named: BTreeMap<String, Vec<(&DatasetRef, Option<&str>)>> = BTreeMap::new();
        for dataset in group {
            let Some(found) = uris.get(&dataset.id()) else {
                continue;
            };
            let name = dataset.dataset_type().name();
            if let Some(uri) = &found.primary {
                let shown = named.entry(name.to_string()).or_default();
                shown.push((dataset, Some(uri)));
            }
            for (component, uri) in &found.components {
                let shown = named.entry(format!("{name}.{component}")).or_default();
                shown.push((dataset, Some(uri)));
            }
        }
        tables.extend(
            named
                .iter()
                .map(|(name, shown)| dataset_rows(name, shown, sort)),
        );
    }
    tables
}
