//! Dimensions: the axes along which datasets are organised, and everything built of them.
//!
//! A [`DimensionUniverse`] defines all [`DimensionElement`]s and their relations. A
//! [`DimensionGroup`] is a self-consistent subset of its dimensions, a [`DataCoordinate`] a data
//! ID over a group, a [`DimensionRecord`] a row of what is known about one element.

mod builder;
mod column;
mod config;
mod coordinate;
mod data_id;
mod element;
mod group;
mod record;
mod record_set;
mod region;
mod schema;
mod serialized;
mod topology;
mod universe;

pub use column::{ColumnSpec, ColumnType, ColumnValue};
pub use config::{ElementConfig, SkyPixSystemConfig, TopologyConfig, UniverseConfig};
pub use coordinate::DataCoordinate;
pub use data_id::{DataId, DataIdValue, TextInterner};
pub use element::{DimensionElement, ElementKind, ElementStorage};
pub use group::DimensionGroup;
pub use record::DimensionRecord;
pub use record_set::DimensionRecordSet;
pub use region::EncodedRegion;
pub use schema::RecordSchema;
pub use serialized::{
    SerializableDimensionData, SerializedDataCoordinate, SerializedDataId,
    SerializedDimensionRecord, SerializedKeyValueDimensionRecord,
};
pub use topology::{SkyPixSystem, TopologicalFamily, TopologicalSpace};
pub use universe::DimensionUniverse;
