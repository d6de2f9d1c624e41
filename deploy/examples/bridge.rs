//! A bridge for crossdesk, to begin with: it takes shared tickets from its partner queue, keeps them in a file, and answers.
//!
//! ```text
//! AMQP_URL=amqp://guest:guest@localhost/ AGREEMENT=<uuid> ACCESS_KEY=<key> cargo run --example bridge
//! ```
//!
//! What matters in it:
//! - A message is acknowledged after its ticket is kept and the answer is confirmed. So each comes at least once, and may come
//!   twice: it is known again by its `message_id`, and a comment by its uuid.
//! - The messages of one ticket come in order; one consumer, one after the other, keeps it so.
//! - The body says only what changed: a member that is absent is as it was.

use std::{
    collections::{BTreeMap, VecDeque},
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};
use futures_util::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    message::Delivery,
    options::{BasicAckOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions},
    types::{AMQPValue, FieldTable},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha1::{Digest, Sha1};

/// How many messages are remembered, to know one that comes again.
const SEEN: usize = 10_000;

/// A ticket as this side has it.
#[derive(Default, Deserialize, Serialize)]
struct Ticket {
    number: usize,
    shared: bool,
    values: Map<String, Value>,
    #[serde(default)]
    custom_fields: Map<String, Value>,
    comments: BTreeMap<String, Value>,
}

impl Ticket {
    /// Takes in what a message says; what it does not say is as it was.
    fn change(&mut self, body: &Value) {
        for name in ["subject", "status", "tags"] {
            if let Some(value) = body.get(name).filter(|value| !value.is_null()) {
                self.values.insert(name.to_owned(), value.clone());
            }
        }
        let fields = body.get("custom_fields").and_then(Value::as_object).cloned().unwrap_or_default();
        self.custom_fields.extend(fields);
        for comment in body.get("comments").and_then(Value::as_array).into_iter().flatten() {
            if let Some(uuid) = comment.get("uuid").and_then(Value::as_str) {
                self.comments.entry(uuid.to_owned()).or_insert_with(|| comment.clone());
            }
        }
    }
}

/// What the bridge keeps.
#[derive(Default, Deserialize, Serialize)]
struct Kept {
    tickets: BTreeMap<String, Ticket>,
    seen: VecDeque<String>,
}

impl Kept {
    fn load(path: &Path) -> Result<Self> {
        if !path.exists() {
            return Ok(Self::default());
        }
        serde_json::from_str(&fs::read_to_string(path)?)
            .with_context(|| format!("{} is none of ours", path.display()))
    }

    /// All of it or nothing: a file that is half written would be no file.
    fn keep(&self, path: &Path) -> Result<()> {
        let fresh = path.with_extension("new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.sync_all()?;
        Ok(fs::rename(fresh, path)?)
    }
}

/// The way to the desk.
struct Desk {
    channel: Channel,
    inbound: String,
    token: String,
}

impl Desk {
    /// Sends a message, and waits until the broker has it for good.
    async fn say(&self, kind: &str, uuid: &str, body: &Value) -> Result<()> {
        let mut headers = FieldTable::default();
        for (name, value) in
            [("x-ticket-sharing-uuid", uuid), ("x-ticket-sharing-token", self.token.as_str())]
        {
            headers.insert(name.into(), AMQPValue::LongString(value.into()));
        }
        let properties = BasicProperties::default()
            .with_type(kind.into())
            .with_content_type("application/json".into())
            .with_delivery_mode(2)
            .with_headers(headers);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let (inbound, bytes) = (self.inbound.as_str().into(), body.to_string());
        let confirm =
            self.channel.basic_publish("".into(), inbound, options, bytes.as_bytes(), properties).await?;
        // One that comes back was acknowledged too: no queue is there to take it.
        let taken = matches!(confirm.await?, lapin::Confirmation::Ack(None));
        ensure!(taken, "the broker did not take {kind} for {uuid}: is there a queue {}?", self.inbound);
        Ok(())
    }

    async fn take(&self, kept: &mut Kept, kind: &str, uuid: &str, body: &Value) -> Result<()> {
        match kind {
            // Whoever runs the bridge has decided that already.
            "agreement.invite" => self.say("agreement.update", uuid, &json!({"status": "accepted"})).await?,
            "ticket.create" => {
                let number = kept.tickets.len() + 1;
                let new = || Ticket { number, ..Ticket::default() };
                let ticket = kept.tickets.entry(uuid.to_owned()).or_insert_with(new);
                // It may have been shared before.
                ticket.shared = true;
                ticket.change(body);
                // A uuid made of what the comment is about: saying it twice says it once.
                let name = hex::encode(Sha1::digest(format!("bridge/{uuid}/received")));
                let comment = json!({"uuid": name, "author": {"uuid": "bridge", "name": "Bridge", "role": "agent"},
                    "body": format!("Received here as number {}.", ticket.number), "public": true});
                let answer = json!({"original_id": ticket.number.to_string(), "comments": [comment]});
                self.say("ticket.update", uuid, &answer).await?;
            }
            "ticket.update" => {
                if let Some(ticket) = kept.tickets.get_mut(uuid) {
                    ticket.change(body);
                }
            }
            "ticket.unshare" => {
                if let Some(ticket) = kept.tickets.get_mut(uuid) {
                    ticket.shared = false;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, with an environment of its own")]
fn setting(name: &str, usual: Option<String>) -> Result<String> {
    env::var(name).ok().or(usual).ok_or_else(|| anyhow!("{name} is missing in the environment"))
}

fn header(delivery: &Delivery, name: &str) -> Option<String> {
    match delivery.properties.headers().as_ref()?.inner().get(name)? {
        AMQPValue::LongString(text) => Some(text.to_string()),
        _ => None,
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let agreement = setting("AGREEMENT", None)?;
    let token = format!("{agreement}:{}", setting("ACCESS_KEY", None)?);
    let queue = setting("PARTNER_QUEUE", Some(format!("crossdesk.partner.{agreement}")))?;
    let inbound = setting("INBOUND_QUEUE", Some("crossdesk.inbound".to_owned()))?;
    let path = PathBuf::from(setting("TICKETS", Some("tickets.json".to_owned()))?);
    let url = setting("AMQP_URL", Some("amqp://guest:guest@localhost/%2f".to_owned()))?;
    let mut kept = Kept::load(&path)?;
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    channel.basic_qos(16, BasicQosOptions::default()).await?;
    let consume = channel.basic_consume(queue.into(), "".into(), Default::default(), FieldTable::default());
    let mut deliveries = consume.await?;
    let desk = Desk { channel, inbound, token };
    while let Some(delivery) = deliveries.next().await {
        let delivery = delivery?;
        let properties = &delivery.properties;
        let id = properties.message_id().as_ref().map(ToString::to_string).unwrap_or_default();
        let kind = properties.kind().as_ref().map(ToString::to_string).unwrap_or_default();
        let uuid = header(&delivery, "x-ticket-sharing-uuid").unwrap_or_default();
        if !kept.seen.contains(&id) {
            let body = serde_json::from_slice(&delivery.data).unwrap_or_default();
            desk.take(&mut kept, &kind, &uuid, &body).await?;
            kept.seen.push_back(id);
            while kept.seen.len() > SEEN {
                kept.seen.pop_front();
            }
            kept.keep(&path)?;
        }
        delivery.ack(BasicAckOptions::default()).await?;
        writeln!(std::io::stdout(), "{kind} {uuid}")?;
    }
    Err(anyhow!("the broker ended the consumer"))
}
