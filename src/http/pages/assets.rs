//! The pages' style and script. They hold nothing of anybody's, so that whoever signs in sees them too.

use axum::{
    Router,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};

use crate::http::Shared;

const STYLE: &str = include_str!("assets/pages.css");
const SCRIPT: &str = include_str!("assets/pages.js");

pub(super) fn routes() -> Router<Shared> {
    Router::new()
        .route("/assets/pages.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/assets/pages.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
}

/// It may change with the next version of the daemon, which is asked first.
fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}
