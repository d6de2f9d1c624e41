//! Who may use the admins' listener: whoever has the token.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD as STANDARD};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Shared, problem::Problem};

/// Lets requests with the bearer token through.
pub(super) async fn bearer(State(context): State<Shared>, request: Request, next: Next) -> Response {
    if given(request.headers(), "Bearer ").is_some_and(|token| matches(&context, token)) {
        return next.run(request).await;
    }
    Problem::new(StatusCode::UNAUTHORIZED, "the admin token is missing or wrong: Authorization: Bearer …")
        .into_response()
}

/// Lets browsers through that give the token as their password, under any name.
pub(super) async fn password(State(context): State<Shared>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let basic =
        given(headers, "Basic ").and_then(decode).and_then(|pair| Some(pair.split_once(':')?.1.to_owned()));
    let token = basic.or_else(|| given(headers, "Bearer ").map(str::to_owned));
    if token.is_some_and(|token| matches(&context, &token)) {
        return next.run(request).await;
    }
    let ask = [(header::WWW_AUTHENTICATE, "Basic realm=\"crossdesk: the password is the admin token\"")];
    (
        StatusCode::UNAUTHORIZED,
        ask,
        "The admin token is needed: give it as the password, with any user name.\n",
    )
        .into_response()
}

fn given<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix(scheme).map(str::trim)
}

fn matches(context: &Shared, token: &str) -> bool {
    let digest = |text: &str| Sha256::digest(text.as_bytes());
    digest(token).ct_eq(&digest(context.token.reveal())).into()
}

fn decode(credentials: &str) -> Option<String> {
    String::from_utf8(STANDARD.decode(credentials).ok()?).ok()
}
