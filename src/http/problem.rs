//! Errors of the admin API, as `application/problem+json`.

use axum::{
    Json,
    extract::Request,
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{engine::Refusal, ports::StoreError};

/// An answer that says what is wrong and with what.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    detail: String,
}

/// How it looks (RFC 9457).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemView<'a> {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    status: u16,
    /// What is wrong, with what, and what to do.
    detail: &'a str,
}

pub(super) type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }

    /// The code of the answer.
    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in words.
    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    pub(super) fn unknown(what: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    pub(super) fn unusable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self::new(status, refusal.reason)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_transient() {
            return Self::new(StatusCode::SERVICE_UNAVAILABLE, "the database is away; try again later");
        }
        tracing::error!(error = %error, "the store failed a request");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the store failed; the daemon's log says why")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let title = self.status.canonical_reason().unwrap_or("Error");
        let body =
            ProblemView { kind: "about:blank", title, status: self.status.as_u16(), detail: &self.detail };
        let mut response = (self.status, Json(body)).into_response();
        // For whoever shows it to people instead.
        response.extensions_mut().insert(self.clone());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub(super) async fn not_found() -> Problem {
    Problem::unknown("such address in the API")
}

pub(super) async fn wrong_method() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this address does not know that method")
}

/// Answers in time, whatever is away: the caller is told to come back.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    if let Ok(response) = tokio::time::timeout(super::PATIENCE, next.run(request)).await {
        response
    } else {
        let detail = "the daemon cannot answer now: its database or broker may be away; try again later";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
    }
}
