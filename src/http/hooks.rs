//! Webhooks of partners that speak no protocol of ours: `/hooks/jira/{agreement}`.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Query, State, rejection::QueryRejection},
    http::HeaderMap,
    response::Response,
    routing::post,
};
use serde::Deserialize;

use super::{
    PATIENCE, Shared,
    name::Name,
    sharing::{answer, refusal},
};
use tokio::sync::Semaphore;

use crate::flow::Webhook;

/// How many bodies are read at once of those who may or may not have signed them: a Jira's can be large, since an issue's webhook
/// may carry all its comments.
static SIGNED: Semaphore = Semaphore::const_new(8);

pub(super) fn routes() -> Router<Shared> {
    Router::new().route("/hooks/jira/{agreement}", post(jira))
}

/// What a webhook's address carries beside what the sender adds.
#[derive(Default, Deserialize)]
struct Asked {
    secret: Option<String>,
}

async fn jira(
    State(context): State<Shared>,
    Name(agreement): Name,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut webhook = Webhook {
        agreement,
        secret: asked.ok().and_then(|Query(asked)| asked.secret),
        signature: header("x-hub-signature-256").or_else(|| header("x-hub-signature")),
        id: header("x-atlassian-webhook-identifier"),
        body: Vec::new(),
    };
    // A body is read from those who show the secret; to see whether it is signed it has to be read, of an agreement alone.
    if let Err(reply) = context.hooks.admit(&webhook).await {
        return answer(reply);
    }
    let limit = context.options.limits.body;
    let read = async {
        let _one_of_few = if webhook.signature.is_some() { SIGNED.acquire().await.ok() } else { None };
        to_bytes(body, limit).await
    };
    let read = tokio::time::timeout(context.body_timeout, read).await;
    webhook.body = match read {
        Ok(Ok(body)) => body.to_vec(),
        Ok(Err(_)) => {
            return answer(refusal(422, &format!("the body breaks off, or is larger than {limit} bytes")));
        }
        Err(_) => return answer(refusal(503, "the body came too slowly; try again")),
    };
    match tokio::time::timeout(PATIENCE, context.hooks.take(&webhook)).await {
        Ok(reply) => answer(reply),
        Err(_) => answer(refusal(503, "this desk is busy; try again later")),
    }
}
