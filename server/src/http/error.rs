use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::{Error, job::Refusal};

/// An error as clients see it: a status, and JSON with a `code` that never changes, a `message` for people, and, where
/// a value was refused, its `field`, the `value`, and what is `allowed`.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    #[serde(skip)]
    status: StatusCode,
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<String>,
}

impl Problem {
    /// An error that is about no value.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), field: None, value: None, allowed: None }
    }

    /// A value that is not accepted.
    pub fn invalid(field: &str, value: impl ToString, allowed: &str) -> Self {
        let value = value.to_string();
        Self {
            status: StatusCode::UNPROCESSABLE_ENTITY,
            code: "invalid_value",
            message: format!("invalid {field}: {value} (expected {allowed})"),
            field: Some(field.into()),
            value: Some(value),
            allowed: Some(allowed.into()),
        }
    }

    /// There is no job of this name.
    pub fn unknown_job(id: &str) -> Self {
        // What a client says is echoed, but not at any length.
        let id: String = id.chars().take(64).collect();
        Self::new(StatusCode::NOT_FOUND, "unknown_job", format!("there is no job {id}"))
    }

    /// Something was asked for before its time.
    pub fn wrong_order(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "wrong_order", message)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        use steadymask_core::Error as Core;
        use steadymask_models::Error as Model;
        match &error {
            Error::Core(Core::Setting { field, value, allowed }) => return Self::invalid(field, value, allowed),
            Error::Model(Model::UnknownClass { name, available }) => {
                return Self::invalid("classes", name, &format!("one of {available}"));
            }
            _ => {}
        }
        let status = match &error {
            Error::NotVideo { .. } | Error::NoPictures { .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Error::Core(_)
            | Error::Damaged { .. }
            | Error::NoFrames { .. }
            | Error::Rotation { .. }
            | Error::FrameSize { .. }
            | Error::NoCar
            | Error::Picture { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            tracing::error!(%error, "request failed");
        }
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown => Self::new(StatusCode::NOT_FOUND, "unknown_job", "the job was removed"),
            Refusal::Busy => Self::new(
                StatusCode::CONFLICT,
                "busy",
                "the job is at work; wait until its status changes, or delete it",
            ),
            Refusal::NotSegmented => Self::wrong_order("the video must be segmented first: POST /api/segment"),
            Refusal::Stopping => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server is stopping; ask again later")
            }
            Refusal::Failed(error) => error.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self)).into_response()
    }
}
