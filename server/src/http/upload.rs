//! `POST /api/upload`: a video comes in.

use std::path::Path;

use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, State,
        multipart::{Field, Multipart, MultipartError, MultipartRejection},
    },
    http::{HeaderMap, StatusCode, header::CONTENT_LENGTH},
    response::IntoResponse,
    routing::post,
};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

use super::{App, Problem, blocking};
use crate::{
    Error,
    job::{Job, Jobs, VideoInfo},
    source::Source,
};

/// What a multipart form adds to the file itself, generously.
const FORM_BYTES: u64 = 64 * 1024;

pub(super) fn router() -> Router<App> {
    // The limit is the server's own, told in the error and counted below.
    Router::new().route("/api/upload", post(receive)).layer(DefaultBodyLimit::disable())
}

async fn receive(
    State(app): State<App>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<impl IntoResponse, Problem> {
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > app.max_upload.saturating_add(FORM_BYTES)) {
        return Err(too_large(app.max_upload));
    }
    let mut form = form.map_err(|e| Problem::new(e.status(), "not_multipart", e.body_text()))?;
    while let Some(field) = form.next_field().await.map_err(broken_form)? {
        if field.name() == Some("file") {
            return take(&app, field).await;
        }
    }
    Err(Problem::invalid("file", "nothing", "a multipart field of this name that holds a video"))
}

/// Removes what an upload left when it does not become a job, also when its connection breaks.
struct Unfinished<'a> {
    jobs: &'a Jobs,
    id: Uuid,
    finished: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = self.jobs.store().remove(self.id)
        {
            tracing::warn!(job = %self.id, %error, "an unfinished upload was not removed");
        }
    }
}

async fn take(app: &App, field: Field<'_>) -> Result<Json<serde_json::Value>, Problem> {
    let id = Uuid::new_v4();
    // For people only: the file on disk is named by the job.
    let filename = match field.file_name().map(|name| name.rsplit(['/', '\\']).next().unwrap_or_default()) {
        Some(name) if !name.is_empty() => name.chars().take(255).collect(),
        _ => "video".to_owned(),
    };
    let mut unfinished = Unfinished { jobs: &app.jobs, id, finished: false };
    app.jobs.store().create(id)?;
    let path = app.jobs.store().video(id);
    save(field, &path, app.max_upload).await?;
    let name = filename.clone();
    let source = blocking(move || Source::open_video(&path, &name)).await??;
    let video = VideoInfo::of(&source);
    app.jobs.add(Job::new(id, filename.clone(), video), source)?;
    unfinished.finished = true;
    tracing::info!(job = %id, frames = video.frames, width = video.width, height = video.height, "uploaded");
    let VideoInfo { frames, fps, width, height, duration } = video;
    Ok(Json(json!({
        "job_id": id, "filename": filename,
        "frames": frames, "fps": fps, "width": width, "height": height, "duration": duration,
    })))
}

async fn save(mut field: Field<'_>, path: &Path, limit: u64) -> Result<(), Problem> {
    let failed = |e| Problem::from(Error::io("write", path)(e));
    let mut file = tokio::fs::File::create(path).await.map_err(failed)?;
    let mut received = 0;
    while let Some(chunk) = field.chunk().await.map_err(broken_form)? {
        received += chunk.len() as u64;
        if received > limit {
            return Err(too_large(limit));
        }
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)
}

fn too_large(limit: u64) -> Problem {
    let message = format!("the video is too large (expected at most {} MiB)", limit >> 20);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message)
}

fn broken_form(error: MultipartError) -> Problem {
    Problem::new(error.status(), "broken_form", error.body_text())
}
