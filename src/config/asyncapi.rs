//! The queues, as AsyncAPI 3 describes them: under the names that a configuration gives them.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::sections::Broker;
use crate::wire;

impl Broker {
    /// What comes and goes over the broker (`crossdesk schema asyncapi`). Actions are this daemon's: it receives what the desk
    /// and the bridges send.
    pub fn asyncapi(&self) -> Value {
        json!({
            "asyncapi": "3.0.0",
            "info": {
                "title": "crossdesk", "version": env!("CARGO_PKG_VERSION"), "license": {"name": "Apache-2.0"},
                "description": "Queues between a help desk, crossdesk and the bridges of its partners. Everything is durable; every message \
                    is persistent, confirmed, and acknowledged once its result is safe: at least once, in the order of its ticket.",
            },
            "defaultContentType": "application/json",
            "channels": self.channels(),
            "operations": {
                "takeEvents": operation("receive", "events", "What the desk says."),
                "askTheDesk": operation("send", "commands", "What the desk is asked. It passes over an id that it has had."),
                "tellPartner": operation("send", "partner",
                    "What a partner is told. Of kind queue, its bridge takes it; all others are the daemon's own to deliver."),
                "hearBridges": {
                    "action": "receive", "channel": {"$ref": "#/channels/inbound"},
                    "summary": "What bridges say. With reply_to, they are answered there.",
                    "reply": {"address": {"location": "$message.header#/reply_to",
                        "description": "the property reply_to of the message"}},
                },
                "bury": operation("send", "dead", "A copy of what could not be processed, without tokens."),
            },
            "components": {"messages": messages(), "schemas": schemas()},
        })
    }

    fn channels(&self) -> Value {
        let partner = format!("{}{{agreement}}", self.partner_queue_prefix);
        json!({
            "events": channel(&self.events_queue, &["event"],
                &format!("The desk publishes to the topic exchange {}, to which the queue is bound with #.", self.events_exchange)),
            "commands": channel(&self.commands_queue, &["command"],
                &format!("Through the topic exchange {}; the routing key is the command's type.", self.commands_exchange)),
            "partner": with_agreement(channel(&partner, &["agreementMessage", "ticketMessage"],
                &format!("Through the direct exchange {}; the routing key is the agreement's uuid.", self.partners_exchange))),
            "inbound": channel(&self.inbound_queue, &["agreementMessage", "ticketMessage"],
                "Over the default exchange. Every message has the header x-ticket-sharing-token."),
            "dead": channel(&self.dead_letter_queue, &["deadLetter"], "The newest are kept. The reason is in the header x-reason."),
        })
    }
}

fn channel(queue: &str, messages: &[&str], description: &str) -> Value {
    let messages: Map<String, Value> = messages
        .iter()
        .map(|name| ((*name).to_owned(), json!({"$ref": format!("#/components/messages/{name}")})))
        .collect();
    json!({
        "address": queue, "description": description, "messages": messages,
        "bindings": {"amqp": {"is": "queue", "queue": {"durable": true, "exclusive": false, "autoDelete": false},
            "bindingVersion": "0.3.0"}},
    })
}

fn with_agreement(mut channel: Value) -> Value {
    if let Value::Object(channel) = &mut channel {
        channel
            .insert("parameters".to_owned(), json!({"agreement": {"description": "the agreement's uuid"}}));
    }
    channel
}

fn operation(action: &str, channel: &str, summary: &str) -> Value {
    json!({"action": action, "channel": {"$ref": format!("#/channels/{channel}")}, "summary": summary})
}

fn messages() -> Value {
    let payload = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let text = |description: &str| json!({"type": "string", "description": description});
    let traced = text("what it is part of, as W3C Trace Context has it; only where somebody traces");
    let sharing = json!({"type": "object", "properties": {
        "traceparent": traced,
        "x-ticket-sharing-uuid": text("the ticket's or agreement's uuid"),
        "x-ticket-sharing-agreement": text("the agreement's uuid; on what goes out"),
        "x-ticket-sharing-token": text("<agreement uuid>:<access key>; on what comes in, and on nothing that goes out")}});
    let command = json!({"type": "object", "properties": {"traceparent": traced}});
    let event = json!({"type": "object", "properties": {
        "traceparent": traced,
        "ticket": text("the ticket's id, by which events are spread over several queues (broker.events_shards)")}});
    json!({
        "event": {"contentType": "application/cloudevents+json", "payload": payload("Event"), "headers": event,
            "summary": "A CloudEvent 1.0 of the desk, in structured mode."},
        "command": {"contentType": "application/cloudevents+json", "payload": payload("Command"), "headers": command,
            "summary": "A CloudEvent 1.0 for the desk, in structured mode; message_id is its id."},
        "agreementMessage": {"contentType": "application/json", "payload": payload("PartnerAgreement"), "headers": sharing,
            "summary": "type agreement.invite or agreement.update; message_id is the same however often it comes."},
        "ticketMessage": {"contentType": "application/json", "payload": payload("PartnerTicket"), "headers": sharing,
            "summary": "type ticket.create, ticket.update or ticket.unshare; message_id is the same however often it comes."},
        "deadLetter": {"payload": {"description": "as it came, or as it was to go"},
            "headers": {"type": "object", "required": ["x-reason"], "properties": {"x-reason": text("why it could not be processed")}}},
    })
}

/// The shapes: events and commands from where they are read and written, and the partners' objects.
fn schemas() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    wire::desk::describe(&mut generator);
    wire::nhd::describe(&mut generator);
    let mut schemas = generator.take_definitions(true);
    let mut command = wire::desk_command::schema();
    if let Value::Object(command) = &mut command {
        command.remove("$schema");
    }
    schemas.insert("Command".to_owned(), command);
    schemas
}
