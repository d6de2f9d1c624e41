//! `/openapi-partners.json` on the admin listener: what the partners' listener answers, as OpenAPI 3.1. For makers of partners, and
//! of webhooks. The shapes are those that [`crate::wire::nhd`] reads and writes.

use axum::{Json, Router, http::StatusCode, routing::get};
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::Shared;
use crate::wire;

/// Why a request may be answered so, whatever it asks.
const REFUSALS: [(&str, &str); 7] = [
    ("401", "the token is missing"),
    ("403", "the token is not that of an agreement here, or the agreement's terms do not let this in"),
    ("404", "there is no such object under this agreement"),
    ("409", "not as things stand; the reason says how they do"),
    ("410", "it is no longer shared"),
    ("422", "it cannot be used; the reason says why"),
    ("503", "this desk cannot take it now, or too much came: Retry-After says when to come again"),
];

/// Serves the document.
pub(super) fn route() -> Router<Shared> {
    let document = document();
    Router::new().route("/openapi-partners.json", get(async move || (StatusCode::OK, Json(document))))
}

fn document() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "crossdesk, for partners",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "The Networked Help Desk protocol as a crossdesk daemon speaks it on its partners' listener (http.listen): the address that \
                desk.sharing_url gives to partners leads to /sharing. What it is lenient about (text/x-json, paths with slashes too many) is not said here.",
        },
        "tags": [{"name": "agreements"}, {"name": "tickets"}, {"name": "webhooks"}],
        "paths": {
            "/sharing/agreements/{agreement}": {
                "parameters": [uuid("agreement", "the agreement's uuid")],
                "get": operation("agreements", "read_agreement", "The agreement, with this desk's custom fields; never its key.", Some("PartnerAgreement"), None),
                "post": invite(),
                "put": operation("agreements", "change_agreement",
                    "The other side's answer, terms, fields, or the end of it: status accepted, declined or inactive.", None, Some("PartnerAgreement")),
            },
            "/sharing/tickets/{uuid}": {
                "parameters": [uuid("uuid", "the ticket's uuid, the same at all desks")],
                "get": operation("tickets", "read_ticket", "The shared ticket, as this desk last said it, with all its comments.", Some("PartnerTicket"), None),
                "post": operation("tickets", "share_ticket", "Shares a ticket. The same again changes nothing.", None, Some("PartnerTicket")),
                "put": operation("tickets", "change_ticket", "Changes it: what is not named stays. A comment is known by its uuid and is taken once.", None, Some("PartnerTicket")),
                "delete": operation("tickets", "unshare_ticket", "Ends the share; the tickets stay.", None, None),
            },
            "/hooks/jira/{agreement}": {
                "parameters": [{"name": "agreement", "in": "path", "required": true, "schema": {"type": "string"},
                    "description": "the uuid of an agreement of kind jira"}],
                "post": webhook(),
            },
            "/healthz": {"get": {"tags": ["webhooks"], "operationId": "alive", "summary": "Whether the process is alive.", "security": [],
                "responses": {"200": {"description": "it is", "content": content(&json!({"type": "object",
                    "required": ["status"], "properties": {"status": {"const": "ok"}}}))}}}},
        },
        "components": {"schemas": schemas(), "securitySchemes": {"token": {"type": "apiKey", "in": "header",
            "name": "X-Ticket-Sharing-Token", "description": "<agreement uuid>:<access key>"}}},
        "security": [{"token": []}],
    })
}

fn uuid(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description,
        "schema": {"type": "string", "minLength": 1, "maxLength": 200}})
}

fn content(schema: &Value) -> Value {
    json!({"application/json": {"schema": schema}})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// An operation under an agreement: what it answers, where that is more than `{}`, and what it takes.
fn operation(tag: &str, id: &str, summary: &str, answers: Option<&str>, takes: Option<&str>) -> Value {
    let mut responses = serde_json::Map::new();
    let done = content(&answers.map_or_else(|| json!({"type": "object"}), reference));
    responses.insert("200".to_owned(), json!({"description": "done, or done before", "content": done}));
    if id == "share_ticket" {
        responses
            .insert("201".to_owned(), json!({"description": "it is new here, and safe", "content": done}));
    }
    for (status, why) in REFUSALS {
        let refusal = json!({"description": why, "content": content(&reference("Refusal"))});
        responses.insert(status.to_owned(), refusal);
    }
    let mut operation = json!({"tags": [tag], "operationId": id, "summary": summary, "responses": responses});
    if let (Some(name), Some(operation)) = (takes, operation.as_object_mut()) {
        let body = json!({"required": true, "content": content(&reference(name))});
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

/// An invite: whoever sends one has no key here yet.
fn invite() -> Value {
    let summary = "Invites this desk. sender_url is where its answer goes, access_key what lets both sides in from then on.";
    let mut invite = operation("agreements", "invite", summary, None, Some("PartnerAgreement"));
    if let Some(invite) = invite.as_object_mut() {
        invite.insert("security".to_owned(), json!([{}, {"token": []}]));
        if let Some(Value::Object(responses)) = invite.get_mut("responses") {
            let taken = json!({"description": "it waits for this desk's answer", "content": content(&json!({"type": "object"}))});
            responses.insert("201".to_owned(), taken);
        }
    }
    invite
}

/// A webhook of a Jira: signed, or with the secret in its address.
fn webhook() -> Value {
    let header = |name: &str, description: &str| {
        json!({"name": name, "in": "header", "required": false,
        "description": description, "schema": {"type": "string"}})
    };
    let mut hook = operation(
        "webhooks",
        "jira_webhook",
        "What a Jira says of an issue, as its webhooks have it.",
        None,
        None,
    );
    if let Some(hook) = hook.as_object_mut() {
        hook.insert("security".to_owned(), json!([]));
        hook.insert("parameters".to_owned(), json!([
            {"name": "secret", "in": "query", "required": false, "description": "the secret, where nothing signs",
                "schema": {"type": "string"}},
            header("X-Hub-Signature", "sha256= and the HMAC of the body"),
            header("X-Atlassian-Webhook-Identifier", "the same on every retry; such a webhook is taken once"),
        ]));
        let body = json!({"required": true, "content": content(&json!({"type": "object"}))});
        hook.insert("requestBody".to_owned(), body);
    }
    hook
}

fn schemas() -> serde_json::Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    wire::nhd::describe(&mut generator);
    let mut schemas = generator.take_definitions(true);
    schemas.insert(
        "Refusal".to_owned(),
        json!({"type": "object", "required": ["error"],
        "properties": {"error": {"type": "string", "description": "why, for a person"}}}),
    );
    schemas
}
