//! Schemas of values that serialize in a way of their own.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use crate::collections::CollectionType;
use crate::dimensions::DataIdValue;

impl PartialSchema for DataIdValue {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(ObjectBuilder::new().schema_type(Type::Integer))
            .item(ObjectBuilder::new().schema_type(Type::String))
            .description(Some("The value of a dimension"))
            .into()
    }
}

impl ToSchema for DataIdValue {
    fn name() -> Cow<'static, str> {
        "DataIdValue".into()
    }
}

impl PartialSchema for CollectionType {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .description(Some("RUN 1, TAGGED 2, CHAINED 3, CALIBRATION 4"))
            .enum_values(Some(Self::ALL.map(Self::to_int)))
            .into()
    }
}

impl ToSchema for CollectionType {
    fn name() -> Cow<'static, str> {
        "CollectionType".into()
    }
}
