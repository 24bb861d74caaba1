//! `POST /api/segment` and `POST /api/stabilize`: work begins. `DELETE /api/job/{job_id}`: it ends.

use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
    http::StatusCode,
    response::IntoResponse,
    routing::{delete, post},
};
use serde_json::{Map, Value, json};
use steadymask_core::{Method, Settings};
use steadymask_models::classes;

use super::{App, Problem, blocking};
use crate::{evidence::Kept, job::Task, masks::Export};

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/api/segment", post(segment))
        .route("/api/stabilize", post(stabilize))
        .route("/api/job/{job_id}", delete(remove))
}

async fn segment(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Result<impl IntoResponse, Problem> {
    let mut body = object(body)?;
    let job = app.job(&take_job_id(&mut body)?)?;
    let model = match body.remove("model") {
        None | Some(Value::Null) => app.model.name.clone(),
        Some(Value::String(name)) => name,
        Some(other) => return Err(Problem::invalid("model", other, "a name")),
    };
    if let Some(field) = body.keys().find(|field| !["classes", "input_side"].contains(&field.as_str())) {
        return Err(Problem::invalid(field, "unknown field", "job_id, classes, model, input_side"));
    }
    let settings = settings(body)?;
    let job = blocking(move || {
        let known = app.classes(&model)?;
        if let Some(name) = settings.classes.iter().find(|name| classes::find(&known, name).is_none()) {
            let names: Vec<&str> = classes::offered(&known).map(|(_, name)| name.as_str()).collect();
            return Err(Problem::invalid("classes", name, &format!("any of {}", names.join(", "))));
        }
        let other = (model != app.model.name).then_some(model);
        app.jobs.ask(job.job_id, Task::Segment(settings, other)).map_err(Problem::from)
    })
    .await??;
    Ok((StatusCode::ACCEPTED, Json(json!({ "job_id": job.job_id, "status": job.status }))))
}

async fn stabilize(State(app): State<App>, body: Result<Bytes, BytesRejection>) -> Result<impl IntoResponse, Problem> {
    let mut body = object(body)?;
    let job = app.job(&take_job_id(&mut body)?)?;
    let exports = exports(body.remove("export"))?;
    let settings = settings(body)?;
    let job = blocking(move || {
        if job.classes.is_some() && !job.is_busy() {
            Kept::open(&app.jobs.store().probabilities(job.job_id))?.choose(&settings.classes)?;
        }
        app.jobs.ask(job.job_id, Task::Stabilize(settings, exports)).map_err(Problem::from)
    })
    .await??;
    Ok((StatusCode::ACCEPTED, Json(json!({ "job_id": job.job_id, "status": job.status }))))
}

async fn remove(State(app): State<App>, Path(id): Path<String>) -> Result<impl IntoResponse, Problem> {
    let job = app.job(&id)?;
    match blocking(move || app.jobs.remove(job.job_id)).await?? {
        true => Ok(Json(json!({ "job_id": job.job_id, "status": "deleted" }))),
        false => Err(Problem::unknown_job(&id)),
    }
}

/// A JSON object from a body, whatever its content type claims.
fn object(body: Result<Bytes, BytesRejection>) -> Result<Map<String, Value>, Problem> {
    let body = body.map_err(|e| Problem::new(e.status(), "unreadable_body", e.body_text()))?;
    let bad = |reason: String| Problem::new(StatusCode::BAD_REQUEST, "invalid_json", reason);
    match serde_json::from_slice(&body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(bad("the body must be a JSON object".into())),
        Err(e) => Err(bad(format!("the body is not JSON: {e}"))),
    }
}

fn take_job_id(body: &mut Map<String, Value>) -> Result<String, Problem> {
    match body.remove("job_id") {
        Some(Value::String(id)) => Ok(id),
        Some(other) => Err(Problem::invalid("job_id", other, "a string")),
        None => Err(Problem::invalid("job_id", "nothing", "the job_id that the upload gave")),
    }
}

/// Formats by name, each once.
fn exports(value: Option<Value>) -> Result<Vec<Export>, Problem> {
    let list = match value {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(list)) => list,
        Some(other) => return Err(Problem::invalid("export", text(&other), "a list of names of formats")),
    };
    let mut exports = Vec::new();
    for name in list {
        let export = text(&name).parse().map_err(crate::Error::from)?;
        if !exports.contains(&export) {
            exports.push(export);
        }
    }
    Ok(exports)
}

/// Settings from the fields of a body. A field that is `null` keeps its default.
fn settings(mut body: Map<String, Value>) -> Result<Settings, Problem> {
    body.retain(|_, value| !value.is_null());
    if let Some(Value::String(name)) = body.get("method") {
        name.parse::<Method>().map_err(crate::Error::from)?;
    }
    let settings: Settings = match serde_json::from_value(Value::Object(body.clone())) {
        Ok(settings) => settings,
        Err(whole) => {
            // Read alone, the field at fault shows itself.
            let alone = |(field, value): (String, Value)| {
                let error = serde_json::from_value::<Settings>(json!({ field.as_str(): value })).err()?;
                Some(Problem::invalid(&field, text(&value), &expected(&error)))
            };
            let culprit = body.into_iter().find_map(alone);
            return Err(culprit.unwrap_or_else(|| {
                Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_value", whole.to_string())
            }));
        }
    };
    settings.validate().map_err(crate::Error::from)?;
    Ok(settings)
}

/// What serde would have accepted, from its error.
fn expected(error: &serde_json::Error) -> String {
    let error = error.to_string();
    match error.split_once("expected ") {
        Some((_, expected)) => expected.into(),
        // The only untagged type among the settings.
        None if error.contains("untagged") => "0 to 64, or \"all\"".into(),
        None => error,
    }
}

/// A value as people write it: strings without their quotes.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), Into::into)
}
