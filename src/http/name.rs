//! The name of something in the path of a request.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};

use super::problem::Problem;

/// The part of a path that names something. What is no text names nothing that is here.
pub(super) struct Name(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        named.map(|Path(name)| Self(name)).map_err(|_| Problem::unknown("such name: the path is no UTF-8"))
    }
}
