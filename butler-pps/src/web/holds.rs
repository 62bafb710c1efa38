//! `holds`: what is held back.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::access::Reader;
use super::app::WebApp;
use super::error::WebResult;
use super::models::VisitModel;
use super::openapi::Refusals;

/// What is held back.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Holds {
    /// Visits whose datasets are.
    visits: Vec<VisitModel>,
    /// Dataset types that are, sorted by name.
    dataset_types: Vec<String>,
}

/// The visits and dataset types that are held back.
#[utoipa::path(
    get,
    path = "/prompt-publication/api/holds",
    operation_id = "holds",
    responses((status = 200, description = "The answer", body = Holds), Refusals),
)]
pub(super) async fn get(_: Reader, State(app): State<WebApp>) -> WebResult<Json<Holds>> {
    let visits = app.state.visits_held_back().await?;
    let types = app.state.dataset_types().await?;
    let mut dataset_types: Vec<String> = types
        .into_iter()
        .filter_map(|(name, held)| held.then_some(name))
        .collect();
    dataset_types.sort_unstable();
    Ok(Json(Holds {
        visits: visits.into_iter().map(VisitModel::from).collect(),
        dataset_types,
    }))
}
