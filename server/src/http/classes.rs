//! `GET /api/classes`: what a network can tell apart; the server's own unless `?model=NAME` asks for another.

use axum::{
    Json, Router,
    extract::{Query, State, rejection::QueryRejection},
    response::IntoResponse,
    routing::get,
};
use serde::{Deserialize, Serialize};
use steadymask_models::classes;

use super::{App, Problem, blocking};

pub(super) fn router() -> Router<App> {
    Router::new().route("/api/classes", get(list))
}

#[derive(Deserialize)]
struct Which {
    model: Option<String>,
}

#[derive(Serialize)]
struct Class {
    id: usize,
    name: String,
}

async fn list(
    State(app): State<App>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<impl IntoResponse, Problem> {
    let Query(Which { model }) = which.map_err(|e| Problem::new(e.status(), "invalid_query", e.body_text()))?;
    let classes = match model {
        Some(model) => blocking(move || app.classes(&model)).await??,
        None => app.model.classes,
    };
    let named = classes::offered(&classes).map(|(id, name)| Class { id, name: name.clone() });
    Ok(Json(named.collect::<Vec<_>>()))
}
