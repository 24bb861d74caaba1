//! `GET /api/results/{job_id}` and `GET /api/metrics/{job_id}`: what came of a job, and how good it is.

use axum::{
    Router,
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::{Map, Value, json};
use tower_http::services::ServeFile;

use super::{App, Problem, blocking, fresh, fresh_json};
use crate::{Error, job::Job, masks::Bundled};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/api/results/{job_id}", get(results))
        .route("/api/results/{job_id}/{file}", get(artefact))
        .route("/api/metrics/{job_id}", get(metrics))
}

/// Files that can be had by name, beside those of the job's exports.
const FILES: [&str; 3] = ["overlay.mp4", "metrics.json", "auto.svg"];

async fn results(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let job = completed(&app, &id)?;
    let id = job.job_id;
    let report = report(app, &job).await?;
    let link = |export: &Bundled| (export.name().to_owned(), format!("/api/results/{id}/{}", export.file).into());
    let exports: Map<String, Value> = job.exports.iter().map(link).collect();
    let frames = |kind| format!("/api/frames/{id}/{kind}/{{num}}");
    let mut answer = json!({
        "job_id": id,
        "status": job.status,
        "filename": job.filename,
        "settings": job.settings,
        "model": report["model"],
        "auto": report["auto"],
        "classes": job.classes,
        "frames": job.video.frames,
        "summary": report["summary"],
        "warnings": report["warnings"],
        "exports": exports,
        "links": {
            "overlay_video": format!("/api/results/{id}/overlay.mp4"),
            "metrics_file": format!("/api/results/{id}/metrics.json"),
            "metrics": format!("/api/metrics/{id}"),
            "status": format!("/api/status/{id}"),
            "original": frames("original"),
            "mask": frames("mask"),
            "stabilized": frames("stabilized"),
            "overlay": frames("overlay"),
            "overlay_stabilized": frames("overlay_stabilized"),
            "difference": frames("difference"),
        },
    });
    if !report["auto"].is_null() {
        answer["links"]["auto_plot"] = format!("/api/results/{id}/auto.svg").into();
    }
    Ok(fresh_json(answer))
}

async fn metrics(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let job = completed(&app, &id)?;
    let mut report = report(app, &job).await?;
    let (summary, auto) = (report["summary"].take(), report["auto"].take());
    Ok(fresh_json(json!({
        "job_id": job.job_id,
        "before": summary["before"],
        "after": summary["after"],
        "improvement_percent": summary["improvement_percent"],
        "scene_cuts": summary["scene_cuts"],
        "mean_trust": summary["mean_trust"],
        "auto": auto,
        "frames": report["frames"].take(),
    })))
}

async fn artefact(
    State(app): State<App>,
    Path((id, file)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    let job = completed(&app, &id)?;
    let names: Vec<_> = FILES.into_iter().chain(job.exports.iter().map(|export| export.file.as_str())).collect();
    let Some(name) = names.iter().find(|&&name| name == file) else {
        return Err(Problem::invalid("file", file, &names.join(", ")));
    };
    let path = app.jobs.store().output(job.job_id).join(name);
    if !path.is_file() {
        let message = format!("this job has no {name}: its method was chosen, not proposed");
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", message));
    }
    match ServeFile::new(path).try_call(request).await {
        Ok(response) => Ok(fresh(response.into_response())),
        Err(error) => Err(Error::io("read", name.as_ref())(error).into()),
    }
}

fn completed(app: &App, id: &str) -> Result<Job, Problem> {
    let job = app.job(id)?;
    if job.settings.is_some() {
        return Ok(job);
    }
    Err(Problem::wrong_order("the masks are not steady yet: POST /api/stabilize, then wait for the status completed"))
}

/// The job's `metrics.json`.
async fn report(app: App, job: &Job) -> Result<Value, Problem> {
    let path = app.jobs.store().output(job.job_id).join("metrics.json");
    let read = move || {
        let json = std::fs::read(&path).map_err(Error::io("read", &path))?;
        serde_json::from_slice(&json).map_err(|e| Error::io("read", &path)(e.into()))
    };
    Ok(blocking(read).await??)
}
