//! The two HTTP listeners: partners', which may face the world, and the admins'.

mod admin;
mod agreements;
mod auth;
mod health;
mod hooks;
mod inviting;
mod jira_form;
mod large;
mod messages;
mod name;
mod openapi;
mod openapi_partners;
mod pages;
mod problem;
mod sharing;
mod tickets;
mod timeline;
mod view;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    http::{HeaderMap, HeaderName, HeaderValue, header},
};
use tokio_util::sync::CancellationToken;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa_axum::router::OpenApiRouter;

use crate::{
    domain::{AccessKey, Traceparent},
    flow::{Hooks, Inbound, Intake, Options, Pipeline},
    telemetry::Recorder,
};

/// How long a request may take before the caller is told to come back: a database that is away, mostly.
const PATIENCE: Duration = Duration::from_secs(8);

/// The header of every answer that says which process gave it, by a word made at its start: `crossdesk check` sees by it
/// whether the address that partners are given leads here.
pub const INSTANCE: &str = "x-crossdesk-instance";

/// What the handlers work with.
#[derive(Debug)]
pub struct Context {
    /// What this process is called in [`INSTANCE`].
    pub instance: String,
    /// The ports and settings of the flow.
    pub options: Options,
    /// Where changes go.
    pub pipeline: Pipeline,
    /// Answers partners.
    pub inbound: Inbound,
    /// Takes webhooks.
    pub hooks: Hooks,
    /// Reads events.
    pub intake: Intake,
    /// The admins' token.
    pub token: AccessKey,
    /// How long a body may take to come.
    pub body_timeout: Duration,
    /// Room for the large bodies that are being read.
    pub large_bodies: LargeBodies,
    /// Who is signed in to the pages.
    pub sessions: Sessions,
    /// Long work that the pages have begun.
    pub works: Works,
    /// Everything ends: pages that stay open do too.
    pub stop: CancellationToken,
    /// Renders the metrics.
    pub recorder: Recorder,
}

pub use large::LargeBodies;
pub use pages::{Sessions, Works};

type Shared = Arc<Context>;

/// What a request says that it is part of.
fn traceparent(headers: &HeaderMap) -> Option<Traceparent> {
    Traceparent::parse(headers.get("traceparent")?.to_str().ok()?)
}

/// What partners can reach: the sharing endpoints, webhooks, and whether the daemon is alive.
pub fn partners(context: Arc<Context>) -> Router {
    let name = instance(&context);
    sharing::routes().merge(hooks::routes()).merge(health::alive()).layer(name).with_state(context)
}

fn instance(context: &Context) -> SetResponseHeaderLayer<HeaderValue> {
    let name = HeaderValue::from_str(&context.instance).unwrap_or(HeaderValue::from_static("unknown"));
    SetResponseHeaderLayer::overriding(HeaderName::from_static(INSTANCE), name)
}

/// What admins can reach.
pub fn admins(context: Arc<Context>) -> Router {
    let api = OpenApiRouter::default()
        .merge(agreements::routes())
        .merge(tickets::routes())
        .merge(messages::routes())
        .merge(admin::routes(context.options.limits.body));
    let (api, document) =
        OpenApiRouter::with_openapi(openapi::begun()).nest(openapi::BASE, api).split_for_parts();
    let api = api
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(axum::middleware::from_fn(problem::in_time))
        .layer(axum::middleware::from_fn_with_state(context.clone(), auth::bearer));
    Router::new()
        .merge(api)
        .merge(openapi::route(&document))
        .merge(openapi_partners::route())
        .merge(pages::routes(context.clone()))
        .merge(health::routes())
        .merge(health::alive())
        .layer(instance(&context))
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .with_state(context)
}
