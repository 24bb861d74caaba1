//! `GET /api/models`: the networks that can be asked for.

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use serde_json::{Value, json};
use steadymask_models::{ModelInfo, classes};

use super::{App, Problem, blocking};

pub(super) fn router() -> Router<App> {
    Router::new().route("/api/models", get(list))
}

/// The server's own first, then those of the library; each with the classes that it can be asked for.
async fn list(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let ModelInfo { name, architecture, classes, .. } = app.model;
    let described = |name: &str, architecture: &str, classes: &[String]| {
        let classes: Vec<&String> = classes::offered(classes).map(|(_, name)| name).collect();
        json!({ "name": name, "architecture": architecture, "classes": classes })
    };
    let own = described(&name, architecture, &classes);
    let kept = blocking(move || app.jobs.kept_models()).await??;
    let others = kept
        .into_iter()
        .filter(|record| record.name != name)
        .map(|record| described(&record.name, &record.architecture, &record.classes));
    Ok(Json(std::iter::once(own).chain(others).collect::<Vec<Value>>()))
}
