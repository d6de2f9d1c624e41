//! Traces: a change followed from the desk's event to the partner's request, and from a partner's request to the desk.

use std::{
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::*,
    types::{AMQPValue, FieldTable},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message as _;
use serde_json::{Value, json};

use crate::support::{
    FakePartner,
    servers::{amqp_url, free_port, unique},
    until,
};

const AGREEMENT: &str = "000000000000000000000000000000000000c0de";
const KEY: &str = "1111111111111111111111111111111111111111";
const EVENTS: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARTNERS: &str = "0af7651916cd43dd8448eb211c80319c";
const SPAN: &str = "00f067aa0ba902b7";

/// What a collector was sent: the spans, and who sent them.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<(Span, String)>>>);

impl Collector {
    async fn start() -> (Self, String) {
        let (this, listener) = (Self::default(), tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("http://{}/v1/traces", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(Self::take)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (this, url)
    }

    #[expect(clippy::unused_async, reason = "a handler is one")]
    async fn take(State(this): State<Self>, headers: HeaderMap, body: Bytes) {
        let token = headers["authorization"].to_str().unwrap().to_owned();
        let sent = ExportTraceServiceRequest::decode(body).unwrap();
        let spans = sent.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let spans = spans.flat_map(|scope| scope.spans).map(|span| (span, token.clone()));
        this.0.lock().unwrap().extend(spans);
    }

    /// The span of this name in this trace, once it has come.
    async fn span(&self, trace: &str, name: &str) -> Span {
        until(&format!("the collector has the span \"{name}\""), async || {
            let known = self.0.lock().unwrap();
            let is_it =
                |(span, _): &&(Span, String)| span.name == name && hex::encode(&span.trace_id) == trace;
            known.iter().find(is_it).map(|(span, _)| span.clone())
        })
        .await
    }
}

/// The daemon, a process of its own: what records traces is one for a whole process.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

fn attribute(span: &Span, key: &str) -> String {
    let value = span.attributes.iter().find(|known| known.key == key).and_then(|known| known.value.clone());
    value.map(|value| format!("{value:?}")).unwrap_or_default()
}

fn headers(trace: Option<&str>) -> FieldTable {
    let mut headers = FieldTable::default();
    if let Some(trace) = trace {
        headers.insert("traceparent".into(), AMQPValue::LongString(format!("00-{trace}-{SPAN}-01").into()));
    }
    headers
}

async fn tell(channel: &Channel, exchange: &str, revision: i64, kind: &str, trace: Option<&str>) {
    let event = json!({"specversion": "1.0", "id": format!("e{revision}"), "source": "desk", "type": kind,
        "time": "2026-11-23T10:15:30Z", "data": {"agreement": AGREEMENT,
        "ticket": {"id": "7", "revision": revision, "subject": format!("Secret subject {revision}"), "status": "open"},
        "actor": {"id": "9", "name": "Smith", "role": "agent"}}});
    let properties = BasicProperties::default().with_delivery_mode(2).with_headers(headers(trace));
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let body = event.to_string();
    channel
        .basic_publish(exchange.into(), kind.into(), options, body.as_bytes(), properties)
        .await
        .unwrap()
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_followed_from_the_desk_to_the_partner_and_back() {
    let ((collector, otlp), partner, broker) =
        tokio::join!(Collector::start(), FakePartner::start(), amqp_url());
    let (folder, own) = (tempfile::tempdir().unwrap(), unique());
    let (partners, admin) = (free_port(), free_port());
    let name = |what: &str| format!("{what}.{own}");
    // Of what begins here nothing is recorded: whoever began a trace has decided.
    let text = format!(
        "[desk]\nsharing_url = \"http://127.0.0.1:{partners}/sharing\"\n[store]\nurl = \"sqlite:{}\"\n[broker]\nurl = \"{broker}\"\n\
         queue_type = \"classic\"\nevents_exchange = \"{}\"\nevents_queue = \"{}\"\ncommands_exchange = \"{}\"\n\
         commands_queue = \"{}\"\npartners_exchange = \"{}\"\npartner_queue_prefix = \"{}\"\ninbound_queue = \"{}\"\n\
         dead_letter_queue = \"{}\"\n[http]\nlisten = \"127.0.0.1:{partners}\"\n[admin]\nlisten = \"127.0.0.1:{admin}\"\n\
         token = \"t\"\n[trace]\notlp_url = \"{otlp}\"\ntoken = \"collectors-own\"\nsample = 0.0\n\
         [delivery]\nallow_private_partners = true\n[[agreements]]\nuuid = \"{AGREEMENT}\"\nname = \"P\"\n\
         direction = \"outbound\"\nkind = \"third_party\"\nurl = \"{}\"\naccess_key = \"{KEY}\"\nstatus = \"accepted\"\n",
        folder.path().join("t.db").display(),
        name("ee"),
        name("eq"),
        name("ce"),
        name("cq"),
        name("pe"),
        name("pq."),
        name("iq"),
        name("dq"),
        partner.url
    );
    let config = folder.path().join("crossdesk.toml");
    std::fs::write(&config, text).unwrap();
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_crossdesk"));
    command.args(["run", "--config"]).arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let _daemon = Daemon(command.spawn().unwrap());
    let ready = format!("http://127.0.0.1:{admin}/readyz");
    until("the daemon is ready", async || {
        reqwest::get(&ready).await.ok().filter(|answer| answer.status().is_success()).map(drop)
    })
    .await;
    let connection = Connection::connect(&broker, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();

    tell(&channel, &name("ee"), 1, "helpdesk.ticket.shared", Some(EVENTS)).await;
    let created = until("the partner has the ticket", async || {
        partner.received().into_iter().find(|request| request.method == "POST")
    })
    .await;
    let (event, publish, deliver) = tokio::join!(
        collector.span(EVENTS, "desk event"),
        collector.span(EVENTS, "publish"),
        collector.span(EVENTS, "deliver")
    );
    assert_eq!(hex::encode(&event.parent_span_id), SPAN);
    assert_eq!(event.kind, i32::from(SpanKind::Consumer));
    assert_eq!((&publish.parent_span_id, &deliver.parent_span_id), (&event.span_id, &event.span_id));
    assert_eq!((publish.kind, deliver.kind), (SpanKind::Producer.into(), SpanKind::Client.into()));
    let place = format!("00-{EVENTS}-{}-01", hex::encode(&deliver.span_id));
    assert_eq!(created.headers["traceparent"], place.as_str());
    assert!(attribute(&event, "crossdesk.outcome").contains("applied"), "{event:?}");
    assert!(attribute(&deliver, "crossdesk.outcome").contains("delivered"), "{deliver:?}");

    // The other way: a partner's request, and the command for the desk that comes of it.
    let ticket = created.path.rsplit('/').next().unwrap().to_owned();
    let url = format!("http://127.0.0.1:{partners}/sharing/tickets/{ticket}");
    let comment = json!({"uuid": ticket, "comments": [{"uuid": "2222222222222222222222222222222222222222",
        "body": "Secret words", "public": true, "authored_at": "2026-11-23T10:20:00Z",
        "author": {"uuid": "3333333333333333333333333333333333333333", "name": "Jones", "role": "agent"}}]});
    let answer = reqwest::Client::new()
        .put(&url)
        .header("x-ticket-sharing-token", format!("{AGREEMENT}:{KEY}"))
        .header("traceparent", format!("00-{PARTNERS}-{SPAN}-01"))
        .header("content-type", "application/json")
        .body(comment.to_string())
        .send()
        .await
        .unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    let request = collector.span(PARTNERS, "partner request").await;
    assert_eq!(request.kind, i32::from(SpanKind::Server));
    let traced = until("the command comes, as part of the partner's trace", async || {
        let got =
            channel.basic_get(name("cq").as_str().into(), BasicGetOptions { no_ack: true }).await.unwrap()?;
        let command: Value = serde_json::from_slice(&got.delivery.data).unwrap();
        if command["type"] != "crossdesk.ticket.update" {
            return None;
        }
        got.delivery.properties.headers().as_ref()?.inner().get("traceparent").cloned()
    })
    .await;
    let publish = collector.span(PARTNERS, "publish").await;
    let AMQPValue::LongString(traced) = traced else { panic!("{traced:?}") };
    let spans: Vec<String> = {
        let known = collector.0.lock().unwrap();
        let of_publish =
            known.iter().filter(|(span, _)| span.name == "publish" && span.trace_id == publish.trace_id);
        of_publish.map(|(span, _)| hex::encode(&span.span_id)).collect()
    };
    let traced = traced.to_string();
    assert!(spans.iter().any(|span| traced == format!("00-{PARTNERS}-{span}-01")), "{traced} {spans:?}");

    // What nobody traces stays untraced.
    tell(&channel, &name("ee"), 2, "helpdesk.ticket.changed", None).await;
    let changed = until("the partner has the change", async || {
        partner.received().into_iter().find(|request| request.body["subject"] == "Secret subject 2")
    })
    .await;
    assert!(!changed.headers.contains_key("traceparent"));

    let known = collector.0.lock().unwrap();
    assert!(known.iter().all(|(_, token)| token == "Bearer collectors-own"));
    let all = format!("{known:?}");
    for secret in [KEY, "Secret", "Jones", "Smith", "collectors-own\""] {
        assert!(!all.replace("\"Bearer collectors-own\"", "").contains(secret), "{secret} is in a span");
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!log.contains("collectors-own") && !log.contains(KEY), "{log}");
}
