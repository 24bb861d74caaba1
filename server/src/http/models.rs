//! `GET /api/models`: the networks that can be asked for.

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use serde_json::{Value, json};
use steadymask_models::ModelInfo;

use super::{App, Problem, blocking};

pub(super) fn router() -> Router<App> {
    Router::new().route("/api/models", get(list))
}

/// The server's own first, then those of the library.
async fn list(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let ModelInfo { name, architecture, classes, .. } = app.model;
    let own = json!({ "name": name, "architecture": architecture, "classes": classes });
    let kept = blocking(move || app.jobs.kept_models()).await??;
    let others = kept
        .into_iter()
        .filter(|record| record.name != name)
        .map(|record| json!({ "name": record.name, "architecture": record.architecture, "classes": record.classes }));
    Ok(Json(std::iter::once(own).chain(others).collect::<Vec<Value>>()))
}
