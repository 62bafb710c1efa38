//! Tables of datasets and data IDs.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use butler_core::datasets::{DatasetId, DatasetRef};
use butler_core::datastore::DatasetUris;
use butler_core::dimensions::{ColumnType, DataCoordinate, DimensionGroup, DimensionUniverse};

use super::cells::{Cell, Column, Kind, Rows};

/// Columns for keys of data IDs.
fn columns_of(universe: DimensionUniverse, keys: &[&'static str]) -> Vec<Column> {
    let column = |&name: &&'static str| {
        let key = universe.get(name).and_then(|element| element.key_type());
        let kind = match key {
            Some(ColumnType::Int) => Kind::Int,
            _ => Kind::Text,
        };
        Column::new(name, kind)
    };
    keys.iter().map(column).collect()
}

/// The columns of data IDs of some dimensions.
pub(crate) fn data_id_columns(dimensions: &DimensionGroup) -> Vec<Column> {
    columns_of(dimensions.universe(), dimensions.data_coordinate_keys())
}

/// The cells of a data ID in those columns.
pub(crate) fn data_id_cells(data_id: &DataCoordinate) -> Vec<Cell> {
    key_cells(data_id, data_id.dimensions().data_coordinate_keys())
}

fn key_cells(data_id: &DataCoordinate, keys: &[&'static str]) -> Vec<Cell> {
    let keys = keys.iter();
    keys.map(|name| data_id.get(name).map_or(Cell::Null, Cell::from))
        .collect()
}

/// The columns that tables are sorted by: those that place an observation in space and time first.
pub(crate) fn sort_keys(dimensions: &DimensionGroup) -> Vec<&'static str> {
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

/// Datasets, perhaps of several types, as rows of one table.
pub(crate) struct DatasetRows {
    universe: DimensionUniverse,
    /// The keys of the data IDs of all the types, in the order in which they first come.
    keys: Vec<&'static str>,
    with_uris: bool,
}

impl DatasetRows {
    /// Rows for dataset types of these dimensions.
    pub(crate) fn new<'a>(
        universe: DimensionUniverse,
        types: impl IntoIterator<Item = &'a DimensionGroup>,
        with_uris: bool,
    ) -> Self {
        let mut keys = Vec::new();
        for dimensions in types {
            for name in dimensions.data_coordinate_keys() {
                if !keys.contains(name) {
                    keys.push(*name);
                }
            }
        }
        Self {
            universe,
            keys,
            with_uris,
        }
    }

    pub(crate) fn columns(&self) -> Vec<Column> {
        let mut columns = vec![
            Column::new("type", Kind::Text),
            Column::new("run", Kind::Text),
            Column::new("id", Kind::Text),
        ];
        columns.extend(columns_of(self.universe, &self.keys));
        if self.with_uris {
            columns.push(Column::new("uri", Kind::Text).titled("URI"));
        }
        columns
    }

    fn row(&self, shown: &Shown<'_>) -> Vec<Cell> {
        let dataset = shown.dataset;
        let mut row = vec![
            Cell::text(&*shown.name),
            Cell::text(&**dataset.run()),
            Cell::text(dataset.id().to_string()),
        ];
        row.extend(key_cells(dataset.data_id(), &self.keys));
        if self.with_uris {
            row.push(shown.uri.map_or(Cell::Null, Cell::text));
        }
        row
    }

    /// The rows of datasets. With URIs, one for each component that has its own.
    pub(crate) fn rows(&self, datasets: &[DatasetRef], uris: Option<&Uris>) -> Vec<Vec<Cell>> {
        let datasets = datasets.iter();
        let shown = datasets.flat_map(|dataset| shown(dataset, uris));
        shown.map(|shown| self.row(&shown)).collect()
    }
}

/// Where datasets are.
pub(crate) type Uris = HashMap<DatasetId, DatasetUris>;

/// A dataset or a component, under the name that is shown.
struct Shown<'a> {
    name: Cow<'a, str>,
    dataset: &'a DatasetRef,
    uri: Option<&'a str>,
}

/// What is shown of a dataset. One that is nowhere has no URI.
fn shown<'a>(dataset: &'a DatasetRef, uris: Option<&'a Uris>) -> Vec<Shown<'a>> {
    let name = &**dataset.dataset_type().name();
    let under = |name, uri| Shown { name, dataset, uri };
    let Some(found) = uris.and_then(|uris| uris.get(&dataset.id())) else {
        return vec![under(name.into(), None)];
    };
    let whole = found.primary.as_deref();
    let whole = whole.map(|uri| under(name.into(), Some(uri)));
    let components = found.components.iter();
    let components = components.map(|(component, uri)| {
        let name = format!("{name}.{component}");
        under(name.into(), Some(uri.as_str()))
    });
    whole.into_iter().chain(components).collect()
}

/// A table for each type of datasets; those of a type must lie together. With URIs, one for each
/// component that has its own.
pub(crate) fn dataset_tables(
    datasets: &[DatasetRef],
    uris: Option<&Uris>,
    sort: bool,
) -> Vec<Rows> {
    let mut tables = Vec::new();
    for group in datasets.chunk_by(|a, b| a.dataset_type().name() == b.dataset_type().name()) {
        let dimensions = group[0].data_id().dimensions();
        let layout = DatasetRows::new(dimensions.universe(), [dimensions], uris.is_some());
        let mut named: BTreeMap<Cow<'_, str>, Rows> = BTreeMap::new();
        for shown in group.iter().flat_map(|dataset| shown(dataset, uris)) {
            let row = layout.row(&shown);
            let table = named.entry(shown.name);
            let table = table.or_insert_with(|| Rows::new(layout.columns()));
            table.push(row);
        }
        tables.extend(named.into_values().map(|mut table| {
            if sort {
                let mut keys = vec!["type", "run"];
                keys.extend(sort_keys(dimensions));
                table.sort_by(&keys);
            }
            table
        }));
    }
    tables
}
