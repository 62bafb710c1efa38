//! The rows that a dataset has in the `dataset` table and in its tables of memberships.

use butler_core::datasets::DatasetRef;
use butler_core::dimensions::DimensionGroup;

use crate::db::Param;
use crate::db::bulk::BulkColumn;
use crate::db::schema::SqlType;
use crate::registry::collection_keys::{CollectionKey, CollectionKeys};
use crate::registry::record_sql::key_param;
use crate::registry::tables::sql_type;

/// Columns of the `dataset` table.
pub(super) fn dataset_columns(keys: CollectionKeys, ingest_date: SqlType) -> [BulkColumn; 4] {
    [
        BulkColumn::new("id", SqlType::Uuid),
        BulkColumn::new("dataset_type_id", SqlType::BigInt),
        BulkColumn::new("ingest_date", ingest_date),
        BulkColumn::new(keys.run_reference(), keys.sql_type()),
    ]
}

/// Columns of a table of RUN and TAGGED memberships.
pub(super) fn tags_columns(keys: CollectionKeys, dimensions: &DimensionGroup) -> Vec<BulkColumn> {
    let mut columns = vec![
        BulkColumn::new("dataset_type_id", SqlType::BigInt),
        BulkColumn::new("dataset_id", SqlType::Uuid),
        BulkColumn::new(keys.reference(), keys.sql_type()),
    ];
    columns.extend(dimension_columns(dimensions));
    columns
}

/// Columns of a table of CALIBRATION memberships, without its key.
pub(super) fn calibs_columns(keys: CollectionKeys, dimensions: &DimensionGroup) -> Vec<BulkColumn> {
    let mut columns = tags_columns(keys, dimensions);
    columns.push(BulkColumn::new("timespan", SqlType::Timespan));
    columns
}

/// Columns of the required dimensions.
pub(super) fn dimension_columns(dimensions: &DimensionGroup) -> Vec<BulkColumn> {
    let universe = dimensions.universe();
    dimensions
        .required()
        .iter()
        .map(|name| {
            let key = universe
                .get(name)
                .and_then(|dimension| dimension.key_type());
            BulkColumn::new(*name, key.map_or(SqlType::BigInt, sql_type))
        })
        .collect()
}

/// A row of a table of RUN and TAGGED memberships.
pub(super) fn tags_row(
    dataset: &DatasetRef,
    dataset_type_id: i64,
    collection: &CollectionKey,
) -> Vec<Param> {
    let mut row = Vec::with_capacity(4 + dataset.data_id().required_values().len());
    row.extend([
        Param::Int(dataset_type_id),
        Param::Uuid(dataset.id()),
        collection.param(),
    ]);
    row.extend(dataset.data_id().required_values().iter().map(key_param));
    row
}
