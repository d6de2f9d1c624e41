//! The sharing endpoints: the Networked Help Desk protocol, in every dialect that is known of it.

use axum::{
    Router,
    body::{Body, HttpBody as _, to_bytes},
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, Method as HttpMethod, StatusCode, header},
    response::{IntoResponse, Response},
    routing::any,
};
use serde_json::json;

use super::{PATIENCE, Shared};
use crate::{
    flow::{Collection, Inbound, Reply, Request},
    ports::Method,
};

/// A body of more bytes is not read before it is known who sends it.
const LARGE: u64 = 64 * 1024;

pub(super) fn routes() -> Router<Shared> {
    // A wildcard, since clients only join texts: a base with a trailing slash gives "//", and some end with one.
    Router::new().route("/sharing/{*rest}", any(serve))
}

async fn serve(
    State(context): State<Shared>,
    rest: Result<Path<String>, PathRejection>,
    method: HttpMethod,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let Ok(Path(rest)) = rest else { return answer(refusal(422, "the path holds no uuid")) };
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let (collection, uuid) = match parts.as_slice() {
        ["agreements", uuid] => (Collection::Agreements, (*uuid).to_owned()),
        ["tickets", uuid] => (Collection::Tickets, (*uuid).to_owned()),
        ["agreements" | "tickets"] => return answer(refusal(422, "the path holds no uuid")),
        _ => return answer(refusal(404, "here are only /agreements/{uuid} and /tickets/{uuid}")),
    };
    let method = match method {
        HttpMethod::GET => Method::Get,
        HttpMethod::POST => Method::Post,
        HttpMethod::PUT => Method::Put,
        HttpMethod::DELETE => Method::Delete,
        _ => return answer(refusal(405, "only GET, POST, PUT and DELETE are known here")),
    };
    let token =
        headers.get("x-ticket-sharing-token").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let is_large = body.size_hint().upper().is_none_or(|bytes| bytes > LARGE);
    // Held until the request is answered.
    let _room = if collection == Collection::Tickets && is_large {
        if let Err(reply) = context.inbound.admit(token.as_deref()).await {
            return answer(reply);
        }
        let room = context.large_bodies.enter(token.as_deref().unwrap_or_default(), context.body_timeout);
        match room.await {
            Some(room) => Some(room),
            None => return answer(refusal(503, "too many large requests come at once; try again")),
        }
    } else {
        None
    };
    let limit = Inbound::body_limit(collection, context.options.limits.body);
    // 413 and 408 make a common client raise (protocol: how each client takes answers), so they are 422 and 503 here.
    let read = tokio::time::timeout(context.body_timeout, to_bytes(body, limit)).await;
    let body = match read {
        Ok(Ok(body)) => body.to_vec(),
        Ok(Err(_)) => {
            return answer(refusal(422, &format!("the body breaks off, or is larger than {limit} bytes")));
        }
        Err(_) => return answer(refusal(503, "the body came too slowly; try again")),
    };
    let trace = super::traceparent(&headers);
    let request = Request { method, collection, uuid, token, body, id: None, over_http: true, trace };
    match tokio::time::timeout(PATIENCE, context.inbound.handle(request)).await {
        Ok(reply) => answer(reply),
        Err(_) => answer(refusal(503, "this desk is busy; try again later")),
    }
}

pub(super) fn refusal(status: u16, reason: &str) -> Reply {
    Reply { status, body: json!({"error": reason}).to_string() }
}

pub(super) fn answer(reply: Reply) -> Response {
    // A common client raises on 429 (protocol: how each client takes answers).
    let code = if reply.status == 429 { 503 } else { reply.status };
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let wait = header::HeaderValue::from_static(if reply.status == 429 { "60" } else { "5" });
    let mut response = (status, [(header::CONTENT_TYPE, "application/json")], reply.body).into_response();
    let headers = response.headers_mut();
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("X-Ticket-Sharing"));
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, wait);
    }
    response
}
