//! `GET /`: what this is, and where to go on.

use axum::{Json, Router, extract::State, response::IntoResponse, routing::get};
use serde_json::json;

use super::App;
use crate::masks::Export;

pub(super) fn router() -> Router<App> {
    Router::new().route("/", get(describe))
}

async fn describe(State(app): State<App>) -> impl IntoResponse {
    Json(json!({
        "name": "steadymask",
        "version": env!("CARGO_PKG_VERSION"),
        "status": "ok",
        "model": app.model.name,
        "device": app.device,
        "max_upload_bytes": app.max_upload,
        "export": Export::ALL.map(|(name, _)| name),
        "links": {
            "upload": "/api/upload",
            "segment": "/api/segment",
            "stabilize": "/api/stabilize",
            "status": "/api/status/{job_id}",
            "results": "/api/results/{job_id}",
            "metrics": "/api/metrics/{job_id}",
            "frames": "/api/frames/{job_id}/{type}/{num}",
            "classes": "/api/classes",
            "models": "/api/models",
            "analyze": "/analyze",
            "health": "/health",
            "job": "/api/job/{job_id}",
        },
    }))
}
