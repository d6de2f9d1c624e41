//! Who may use the admins' listener: whoever has the token.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Context, Shared, problem::Problem};

/// Lets requests with the bearer token through.
pub(super) async fn bearer(State(context): State<Shared>, request: Request, next: Next) -> Response {
    if bearer_token(request.headers()).is_some_and(|token| matches(&context, token)) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::UNAUTHORIZED, "the admin token is missing or wrong: Authorization: Bearer …")
        .into_response()
}

/// The bearer token of a request.
pub(super) fn bearer_token(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether this is the admins' token.
pub(super) fn matches(context: &Context, token: &str) -> bool {
    same(token, context.token.reveal())
}

/// Compares secrets in a time that depends on neither their contents nor their lengths.
pub(super) fn same(one: &str, other: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    digest(one).ct_eq(&digest(other)).into()
}
