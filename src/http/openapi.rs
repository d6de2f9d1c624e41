//! `/openapi.json`: what the admin listener answers, as OpenAPI 3.1. Addresses come from the handlers, shapes from the types
//! that they read and write, so that neither can be told otherwise than it is.

use axum::{Json, Router, http::StatusCode, routing::get};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use utoipa::openapi::{Info, License, OpenApi, OpenApiBuilder};

use super::{
    Shared,
    admin::Settings,
    agreements::{ByForm, EditForm, ReconcileForm},
    inviting::InviteForm,
    problem::ProblemView,
    tickets::ShareForm,
    view::{
        AgreementView, Checked, Explained, ManyDone, MessageView, Outcome, Previewed, ReconciledView,
        Replayed, TicketShape,
    },
};
use crate::wire;

/// Where the API is.
pub(super) const BASE: &str = "/api/v1";

/// What the handlers' addresses are added to.
pub(super) fn begun() -> OpenApi {
    let about = "What a crossdesk daemon answers on its admin listener: agreements, shared tickets, dead letters, commands and \
        events. Every address under /api/v1 wants the admin token; errors are application/problem+json.";
    let info = Info::builder()
        .title("crossdesk")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(about))
        .license(Some(License::builder().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    OpenApiBuilder::new().info(info.build()).build()
}

/// Serves the document that has grown with the routes.
pub(super) fn route(document: &OpenApi) -> Router<Shared> {
    let document = whole(document);
    Router::new().route("/openapi.json", get(async move || (StatusCode::OK, Json(document))))
}

/// The document with the shapes, and with what every address has in common.
fn whole(document: &OpenApi) -> Value {
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, methods) in paths.into_iter().flatten() {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            common(operation, method, path);
        }
    }
    if let (Some(document), Value::Object(watched)) = (document.as_object_mut(), watched()) {
        if let Some(Value::Object(paths)) = document.get_mut("paths") {
            paths.extend(watched);
        }
        document.insert("components".to_owned(), json!({
            "schemas": schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "admin.token of the configuration"}},
        }));
    }
    document
}

/// What every address of the API may answer, and asks for.
fn common(operation: &mut Value, method: &str, path: &str) {
    let Some(operation) = operation.as_object_mut() else { return };
    operation.insert("security".to_owned(), json!([{"token": []}]));
    // A name of its own for each, made of what it does: handlers of several rooms are called alike.
    let words = path.trim_start_matches(BASE).split(['/', '-', '{', '}']).filter(|word| !word.is_empty());
    let name = [method].into_iter().chain(words).collect::<Vec<_>>().join("_");
    operation.insert("operationId".to_owned(), Value::from(name));
    if let Some(Value::Object(body)) = operation.get_mut("requestBody") {
        // Who does it may be left out, and is what those bodies tell.
        let whole =
            !path.ends_with("/accept") && !path.ends_with("/decline") && !path.ends_with("/deactivate");
        body.insert("required".to_owned(), Value::from(whole));
        if let Some(schema) =
            body.get_mut("content").and_then(|content| content.pointer_mut("/application~1json/schema"))
            && !whole
        {
            *schema = json!({"anyOf": [schema.take(), {"type": "null"}]});
        }
    }
    if let Some(Value::Object(responses)) = operation.get_mut("responses") {
        for (status, when) in
            [("401", "the token is missing or wrong"), ("503", "the database or broker is away: try again")]
        {
            let problem = json!({"description": when, "content": {"application/problem+json": {"schema": reference("Problem")}}});
            responses.insert(status.to_owned(), problem);
        }
        for (_, response) in responses.iter_mut().filter(|(status, _)| status.starts_with('4')) {
            if let Some(Value::Object(content)) = response.get_mut("content")
                && let Some(schema) = content.remove("application/json")
            {
                content.insert("application/problem+json".to_owned(), schema);
            }
        }
    }
}

/// What needs no token: whether the daemon is alive, whether it can work, what it counts.
fn watched() -> Value {
    let text = |kind: &str| json!({kind: {"schema": {"type": "string"}}});
    let counts = json!({"type": "object", "required": ["status", "store", "broker"], "properties": {
        "status": {"enum": ["ready", "not ready"]},
        "store": {"type": "string", "description": "ok, or why not"},
        "broker": {"type": "string", "description": "ok, or why not"},
        "outbox_pending": {"type": ["integer", "null"], "description": "messages that the broker does not have yet"},
        "dead_letters": {"type": ["integer", "null"]}}});
    let alive = json!({"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}});
    let answer = |summary: &str, id: &str, responses: Value| json!({"get": {"tags": ["health"], "operationId": id, "summary": summary, "responses": responses}});
    let ready = json!({"application/json": {"schema": counts}});
    json!({
        "/healthz": answer("Whether the process is alive.", "get_healthz",
            json!({"200": {"description": "it is", "content": {"application/json": {"schema": alive}}}})),
        "/readyz": answer("Whether store and broker can be reached.", "get_readyz", json!({
            "200": {"description": "they can", "content": ready},
            "503": {"description": "one cannot; it says which, and why", "content": ready}})),
        "/metrics": answer("Metrics, as Prometheus reads them.", "get_metrics",
            json!({"200": {"description": "the metrics", "content": text("text/plain")}})),
    })
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The shapes of everything that is read and written.
fn schemas() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    add::<AgreementView<'_>>(&mut generator);
    add::<Checked<'_>>(&mut generator);
    add::<TicketShape<'_>>(&mut generator);
    add::<Explained<'_>>(&mut generator);
    add::<MessageView<'_>>(&mut generator);
    add::<Previewed<'_>>(&mut generator);
    add::<Replayed>(&mut generator);
    add::<ManyDone>(&mut generator);
    add::<Outcome>(&mut generator);
    add::<ProblemView<'_>>(&mut generator);
    add::<InviteForm>(&mut generator);
    add::<EditForm>(&mut generator);
    add::<ByForm>(&mut generator);
    add::<ReconcileForm>(&mut generator);
    add::<ReconciledView<'_>>(&mut generator);
    add::<ShareForm>(&mut generator);
    add::<Settings>(&mut generator);
    wire::desk::describe(&mut generator);
    let mut schemas = generator.take_definitions(true);
    for (all, one) in
        [("Agreements", "Agreement"), ("Tickets", "Ticket"), ("Messages", "Message"), ("Commands", "Command")]
    {
        schemas.insert(all.to_owned(), json!({"type": "array", "items": reference(one)}));
    }
    let mut command = wire::desk_command::schema();
    if let Value::Object(command) = &mut command {
        command.remove("$schema");
    }
    schemas.insert("Command".to_owned(), command);
    schemas
}

fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
    generator.subschema_for::<T>();
}
