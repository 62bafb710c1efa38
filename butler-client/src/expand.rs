//! Data IDs with all implied values and dimension records.

use std::collections::HashMap;
use std::sync::Arc;

use butler_core::Result;
use butler_core::dimensions::{
    DataCoordinate, DataIdValue, DimensionElement, DimensionGroup, DimensionRecord,
};
use butler_core::wire::{ExpandDataIdRequest, ExpandDataIdResponse};
use futures::{StreamExt, TryStreamExt};

use crate::registry::{RemoteRegistry, required};

/// So many data IDs of the same dimensions are asked for one by one; more are uploaded for a
/// query.
const FEW: usize = 3;

/// Data IDs uploaded with one query.
const BATCH: usize = 10_000;

/// Requests under way at once.
const WORKERS: usize = 8;

/// Expanded data IDs of the same dimensions, by their required values.
type Expanded = HashMap<Vec<DataIdValue>, DataCoordinate>;

impl RemoteRegistry {
    pub(crate) async fn expand_all(
        &self,
        data_ids: &[DataCoordinate],
    ) -> Result<Vec<DataCoordinate>> {
        let mut groups: HashMap<&DimensionGroup, Expanded> = HashMap::new();
        for data_id in data_ids {
            if !data_id.has_records() {
                groups.entry(data_id.dimensions()).or_default();
            }
        }
        for (dimensions, expanded) in &mut groups {
            let wanted = data_ids
                .iter()
                .filter(|id| !id.has_records() && id.dimensions() == *dimensions);
            *expanded = self.expand_group(dimensions, wanted).await?;
        }
        let mut found = Vec::with_capacity(data_ids.len());
        for data_id in data_ids {
            let expanded = groups
                .get(data_id.dimensions())
                .and_then(|group| group.get(data_id.required_values()));
            found.push(match expanded {
                Some(expanded) if !data_id.has_records() => expanded.clone(),
                _ => data_id.clone(),
            });
        }
        Ok(found)
    }

    async fn expand_group(
        &self,
        dimensions: &DimensionGroup,
        wanted: impl Iterator<Item = &DataCoordinate>,
    ) -> Result<Expanded> {
        if dimensions.is_empty() {
            let nothing = DataCoordinate::empty(dimensions.universe()).expanded(|_| None)?;
            return Ok(Expanded::from([(Vec::new(), nothing)]));
        }
        let mut missing: HashMap<&[DataIdValue], &DataCoordinate> =
            wanted.map(|id| (id.required_values(), id)).collect();
        let mut expanded = Expanded::with_capacity(missing.len());
        if missing.len() > FEW {
            let all: Vec<DataCoordinate> = missing.values().map(|id| (*id).clone()).collect();
            for batch in all.chunks(BATCH) {
                let query = self.query().join_data_coordinates(batch.to_vec()).await?;
                let results = query
                    .data_ids_of(dimensions.names())?
                    .with_dimension_records();
                let mut found = results.stream();
                while let Some(data_id) = found.try_next().await? {
                    // Data IDs are found by their upload alone, whether they exist or not.
                    let complete = data_id
                        .records()
                        .is_some_and(|mut records| records.all(|(_, record)| record.is_some()));
                    if !complete {
                        continue;
                    }
                    missing.remove(data_id.required_values());
                    expanded.insert(data_id.required_values().to_vec(), data_id);
                }
            }
        }
        // A query says nothing of those that do not exist, or that lack some record. Asking for
        // them one by one says what is wrong.
        let mut rest = futures::stream::iter(missing.into_values().cloned())
            .map(|data_id| async move { self.expand_one(&data_id).await })
            .buffer_unordered(WORKERS);
        while let Some(data_id) = rest.try_next().await? {
            expanded.insert(data_id.required_values().to_vec(), data_id);
        }
        Ok(expanded)
    }

    async fn expand_one(&self, data_id: &DataCoordinate) -> Result<DataCoordinate> {
        let request = ExpandDataIdRequest {
            data_id: required(data_id),
        };
        let answer: ExpandDataIdResponse = self
            .connection()
            .post(&["expand_data_id"], &request)
            .await?;
        DataCoordinate::from_simple(&answer.data_coordinate, data_id.universe())
    }

    /// The records of an element that have one of these keys in the given dimensions.
    pub(crate) async fn records_with(
        &self,
        element: DimensionElement,
        dimensions: &[&str],
        keys: &[Vec<DataIdValue>],
    ) -> Result<Vec<Arc<DimensionRecord>>> {
        let mut found = Vec::new();
        for batch in keys.chunks(BATCH) {
            let query = self
                .query()
                .join_data_coordinate_table(dimensions, batch)
                .await?;
            found.extend(query.dimension_records(element.name())?.collect().await?);
        }
        Ok(found)
    }
}
