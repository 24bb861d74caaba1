//! `POST /analyze` and `GET /health`: a photograph of a car is judged.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Query, State,
        multipart::{Multipart, MultipartError, MultipartRejection},
        rejection::QueryRejection,
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use image::ImageFormat;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::App;
use crate::{
    Error, Result,
    cars::{Analysis, Analyzer},
    picture,
};

/// Largest picture in bytes.
const LARGEST: usize = 32 << 20;
/// Pictures that are judged at a time; each takes all cores for most of its while.
const AT_A_TIME: usize = 2;

pub(super) fn router() -> Router<App> {
    Router::new()
        .route("/analyze", post(analyze).fallback(async || method()))
        .layer(DefaultBodyLimit::max(LARGEST + (64 << 10)))
        .route("/health", get(async || Json(json!({ "status": "OK" }))))
}

/// The analyzer for many requests.
#[derive(Clone)]
pub struct SharedAnalyzer {
    analyzer: Arc<Analyzer>,
    turns: Arc<Semaphore>,
}

impl SharedAnalyzer {
    /// Shares an analyzer.
    pub fn new(analyzer: Analyzer) -> Self {
        Self { analyzer: Arc::new(analyzer), turns: Arc::new(Semaphore::new(AT_A_TIME)) }
    }
}

/// An error in the form that this address has always had: `{"error": …}`.
pub(super) struct Failure {
    status: StatusCode,
    reason: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.reason }))).into_response()
    }
}

impl From<MultipartError> for Failure {
    fn from(error: MultipartError) -> Self {
        match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            status => Self::new(status, error.body_text()),
        }
    }
}

/// Said of another method than an address takes.
pub(super) fn method() -> Failure {
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this address takes another method")
}

fn too_large() -> Failure {
    let reason = format!("the picture is too large (expected at most {} MiB)", LARGEST >> 20);
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, reason)
}

#[derive(Deserialize)]
struct Asked {
    /// Whether the classifiers are shown the car alone.
    #[serde(default)]
    car_only: bool,
}

async fn analyze(
    State(app): State<App>,
    asked: Result<Query<Asked>, QueryRejection>,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Json<Analysis>, Failure> {
    let Query(Asked { car_only }) = asked.map_err(|e| Failure::new(StatusCode::UNPROCESSABLE_ENTITY, e.body_text()))?;
    let mut form = form.map_err(|e| Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, e.body_text()))?;
    while let Some(field) = form.next_field().await? {
        if field.name() != Some("image") {
            continue;
        }
        let name = field.file_name().unwrap_or("image").chars().take(255).collect::<String>();
        let bytes = field.bytes().await?;
        if bytes.len() > LARGEST {
            return Err(too_large());
        }
        return judge(app, name, bytes, car_only).await.map(Json);
    }
    Err(Failure::new(StatusCode::BAD_REQUEST, "no picture was sent (expected a multipart field of the name image)"))
}

async fn judge(app: App, name: String, bytes: Bytes, car_only: bool) -> Result<Analysis, Failure> {
    if !matches!(image::guess_format(&bytes), Ok(ImageFormat::Png | ImageFormat::Jpeg)) {
        let reason = format!("{name} is no picture of a kind that is accepted (expected PNG or JPEG)");
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
    }
    let broken = |_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed; its log says more");
    let Some(SharedAnalyzer { analyzer, turns }) = app.analyzer else {
        let reason = "this server has no networks for cars; see steadymask serve --help";
        return Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, reason));
    };
    let turn = turns
        .acquire_owned()
        .await
        .map_err(|_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the server is stopping; ask again later"))?;
    let work = move || {
        let _turn = turn;
        let start = Instant::now();
        let picture = picture::rgb_of(&bytes, &name)?;
        let examined = analyzer.examine(&picture, car_only)?;
        Ok(Analyzer::analysis(&examined, car_only, start))
    };
    tokio::task::spawn_blocking(work).await.map_err(broken)?.map_err(|error: Error| {
        let status = match &error {
            Error::Picture { .. }
            | Error::Core(_)
            | Error::NoCar
            | Error::Model(steadymask_models::Error::PictureShape { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(%error, "a picture could not be judged");
        }
        Failure::new(status, error.to_string())
    })
}
