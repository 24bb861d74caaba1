//! The HTTP interface: one file a resource, each with its `router()`. Every error is JSON: see [`Problem`].

mod analyze;
mod classes;
mod error;
mod frames;
mod models;
mod results;
mod root;
mod status;
mod tasks;
mod upload;

use std::path::Path;

use axum::{
    Json, Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use steadymask_models::{DeviceReport, ModelInfo};
use tower_http::{cors::CorsLayer, services::ServeDir};
use uuid::Uuid;

use crate::job::{Job, Jobs};

pub use analyze::SharedAnalyzer;
pub use error::Problem;

/// What the handlers share.
#[derive(Clone)]
pub struct App {
    /// All jobs.
    pub jobs: Jobs,
    /// The network.
    pub model: ModelInfo,
    /// Where it runs.
    pub device: DeviceReport,
    /// Largest upload in bytes.
    pub max_upload: u64,
    /// What judges cars, where there is a network for it.
    pub analyzer: Option<SharedAnalyzer>,
}

/// The interface of the video server.
pub fn api(app: App) -> Router {
    Router::new()
        .merge(root::router())
        .merge(upload::router())
        .merge(tasks::router())
        .merge(status::router())
        .merge(results::router())
        .merge(frames::router())
        .merge(classes::router())
        .merge(models::router())
        .merge(analyze::router())
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this address"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this address takes another method")
        })
        .layer(DefaultBodyLimit::max(1 << 20))
        // The page, and anyone's, is served from another origin.
        .layer(CorsLayer::permissive())
        .with_state(app)
}

/// The interface of the car analyzer alone, for those who expect it on a port of its own.
pub fn cars(app: App) -> Router {
    let nothing = async || analyze::Failure::new(StatusCode::NOT_FOUND, "there is nothing at this address");
    let router = analyze::router().fallback(nothing).method_not_allowed_fallback(async || analyze::method());
    router.layer(CorsLayer::permissive()).with_state(app)
}

/// A folder of static files, which are sent compressed where a `.br` lies beside them.
pub fn site(folder: &Path) -> Router {
    Router::new().fallback_service(ServeDir::new(folder).precompressed_br())
}

impl App {
    /// The job that a path or body names. What is no job id names no job.
    fn job(&self, id: &str) -> Result<Job, Problem> {
        let job = Uuid::parse_str(id).ok().and_then(|id| self.jobs.get(id));
        job.ok_or_else(|| Problem::unknown_job(id))
    }

    /// The classes of the network of that name, the server's own or a kept one.
    fn classes(&self, model: &str) -> Result<Vec<String>, Problem> {
        if model == self.model.name {
            return Ok(self.model.classes.clone());
        }
        let kept = self.jobs.kept_models()?;
        let names = || kept.iter().fold(self.model.name.clone(), |names, record| names + ", " + &record.name);
        let found = kept.iter().find(|record| record.name == model);
        found.map(|record| record.classes.clone()).ok_or_else(|| Problem::invalid("model", model, &names()))
    }
}

/// Work that blocks, outside the threads that serve connections.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let failed =
        |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the server failed; its log says more");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

/// An answer that must be fetched anew each time.
fn fresh(body: impl IntoResponse) -> Response {
    let mut response = body.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// JSON that must be fetched anew each time.
fn fresh_json(body: impl Serialize) -> Response {
    fresh(Json(body))
}
