//! `GET /api/classes`: what the network can tell apart.

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use serde::Serialize;

use super::App;

pub(super) fn router() -> Router<App> {
    Router::new().route("/api/classes", get(list))
}

#[derive(Serialize)]
struct Class {
    id: usize,
    name: String,
}

async fn list(State(app): State<App>) -> impl IntoResponse {
    Json(app.model.classes.into_iter().enumerate().map(|(id, name)| Class { id, name }).collect::<Vec<_>>())
}
