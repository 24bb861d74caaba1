//! `GET /api/status/{job_id}`: how far a job has come.

use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};
use serde_json::json;

use super::{App, Problem, fresh_json};

pub(super) fn router() -> Router<App> {
    Router::new().route("/api/status/{job_id}", get(status))
}

async fn status(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let job = app.job(&id)?;
    let mut status = json!({
        "job_id": job.job_id,
        "status": job.status,
        "stage": job.stage,
        "progress": job.progress,
        "frames_done": job.frames_done,
        "frames_total": job.frames_total,
        "eta_seconds": job.eta_seconds,
        "message": job.message,
    });
    if let Some(error) = job.error {
        status["error"] = json!(error);
    }
    Ok(fresh_json(status))
}
