//! Where traces go: an OpenTelemetry collector, over OTLP.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, anyhow};
use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tokio::runtime::Handle;

use crate::{config::Config, telemetry};

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// Starts sending traces, where the configuration names a collector. Only the first call in a process counts.
///
/// # Errors
/// A URL or a token that cannot be used.
pub(super) fn start(config: &Config) -> Result<()> {
    let trace = &config.trace;
    if trace.otlp_url.is_empty() || PROVIDER.get().is_some() {
        return Ok(());
    }
    let client = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
    let client = client.build().map_err(|error| anyhow!("trace.otlp_url: {error}"))?;
    let token = Some(trace.token.clone()).filter(|token| !token.is_empty());
    let collector = Collector { client, token, runtime: Handle::current(), away: AtomicBool::new(false) };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(collector)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&trace.otlp_url)
        .with_timeout(PATIENCE)
        .build()
        .map_err(|error| anyhow!("trace.otlp_url: {error}"))?;
    let resource = Resource::builder_empty().with_service_name("crossdesk").with_attributes([
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", config.daemon_name()),
    ]);
    let provider = SdkTracerProvider::builder()
        // Whoever begins a trace decides whether it is recorded; of those that begin here, a part is.
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(trace.sample))))
        .with_batch_exporter(exporter)
        .with_resource(resource.build())
        .build();
    if PROVIDER.set(provider.clone()).is_ok() {
        opentelemetry::global::set_tracer_provider(provider);
        telemetry::start_traces();
        tracing::info!(sample = trace.sample, "traces are recorded");
    }
    Ok(())
}

/// Sends what is still held, before the daemon ends.
pub(super) async fn finish() {
    if let Some(provider) = PROVIDER.get() {
        // It waits for the collector on a thread of its own.
        let flushed = tokio::task::spawn_blocking(|| provider.force_flush());
        let _the_collector_is_away = tokio::time::timeout(PATIENCE, flushed).await;
    }
}

/// The collector. Spans are sent from a thread of the exporter's; the request is made where this daemon's others are.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    token: Option<String>,
    runtime: Handle,
    away: AtomicBool,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let mut sending =
            self.client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
        if let Some(token) = &self.token {
            sending = sending.bearer_auth(token);
        }
        let sent = self.runtime.spawn(async move {
            let response = sending.send().await.map_err(reqwest::Error::without_url)?;
            let status = response.status();
            // What it says of single spans is for nobody here.
            response.bytes().await.map(|bytes| (status, bytes)).map_err(reqwest::Error::without_url)
        });
        let answer = sent.await?;
        let why = match &answer {
            Ok((status, _)) if status.is_success() => None,
            Ok((status, _)) => Some(format!("it answered {status}")),
            Err(error) => Some(error.to_string()),
        };
        if self.away.swap(why.is_some(), Ordering::Relaxed) != why.is_some() {
            if let Some(why) = why {
                let error = why.as_str();
                tracing::warn!(
                    error,
                    "the collector of trace.otlp_url takes no traces; they are lost until it does"
                );
            } else {
                tracing::info!("the collector takes traces again");
            }
        }
        let (status, bytes) = answer?;
        Ok(Response::builder().status(status).body(bytes)?)
    }
}
