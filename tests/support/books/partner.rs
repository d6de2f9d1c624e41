//! A partner's side: what it was told, what it shares itself, and what it has to say.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::desk::by_writer;

/// A ticket as a partner has it.
#[derive(Clone, Debug, Default)]
struct Ticket {
    status: String,
    tags: BTreeSet<String>,
    fields: BTreeMap<String, Value>,
    comments: Vec<(String, String, bool)>,
    /// The newest message that it was told by.
    seq: i64,
    /// What came, in the order in which it was done.
    log: Vec<String>,
}

/// A request that a partner makes: method, ticket, body.
pub(crate) type Said = (String, String, Value);

/// A partner with what it has to say.
#[derive(Debug, Default)]
pub(crate) struct PartnerBooks {
    tickets: BTreeMap<String, Ticket>,
    own: BTreeMap<String, Vec<String>>,
    outbox: VecDeque<Said>,
}

impl PartnerBooks {
    /// Shares a ticket of its own, or writes a comment on one. `name` makes its uuids its own.
    pub(crate) fn act(&mut self, name: &str, what: usize, n: usize, tickets: usize) {
        let uuid = format!("{name}-{}", what % tickets);
        let body = format!("theirs {n}");
        let is_new = !self.own.contains_key(&uuid);
        self.own.entry(uuid.clone()).or_default().push(body.clone());
        let comment = comment(&uuid, n, &body);
        let request = if is_new {
            json!({"uuid": uuid, "subject": "Theirs", "status": "open", "requester": {"uuid": "joe", "name": "Joe"}, "comments": [comment]})
        } else {
            json!({"comments": [comment]})
        };
        let method = if is_new { "POST" } else { "PUT" };
        self.outbox.push_back((method.to_owned(), uuid, request));
    }

    /// Writes a comment on a ticket that it was told of, if there is any.
    pub(crate) fn answer(&mut self, what: usize, n: usize) {
        let count = self.tickets.len().max(1);
        let Some((uuid, ticket)) = self.tickets.iter_mut().nth(what % count) else { return };
        let body = format!("theirs {n}");
        let comment = comment(uuid, n, &body);
        ticket.comments.push((comment["uuid"].as_str().unwrap().to_owned(), body, true));
        self.outbox.push_back(("PUT".to_owned(), uuid.clone(), json!({"comments": [comment]})));
    }

    /// Whether a ticket is one that it shares itself.
    pub(crate) fn owns(&self, uuid: &str) -> bool {
        self.own.contains_key(uuid)
    }

    /// The front of what it has to say; it stays there until it has heard a yes.
    pub(crate) fn front(&self) -> Option<Said> {
        self.outbox.front().cloned()
    }

    pub(crate) fn taken(&mut self) {
        self.outbox.pop_front();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Does what it is asked, as a partner should: a comment that it knows is passed over, a ticket that it has is a
    /// conflict. `at` says when, for the log.
    pub(crate) fn take(&mut self, method: &str, uuid: &str, body: &Value, at: &str) -> u16 {
        // Its own tickets it has anyway; what the desk says of them is not part of this story.
        if self.own.contains_key(uuid) {
            return 200;
        }
        let known = self.tickets.contains_key(uuid);
        match method {
            "GET" => return if known { 200 } else { 404 },
            "POST" if known => return 422,
            "PUT" if !known => return 404,
            _ => {}
        }
        let ticket = self.tickets.entry(uuid.to_owned()).or_default();
        let seq = &body["crossdesk"]["seq"];
        ticket.log.push(format!("{method} seq {seq} at {at}"));
        // A request whose sender died may arrive after what its successor sent: the number in it tells.
        let newest = seq.as_i64().is_none_or(|seq| seq >= ticket.seq);
        if newest {
            ticket.seq = seq.as_i64().unwrap_or(ticket.seq);
            if let Some(status) = body["status"].as_str() {
                status.clone_into(&mut ticket.status);
            }
            if let Some(tags) = body["tags"].as_array() {
                ticket.tags = tags.iter().filter_map(Value::as_str).map(str::to_owned).collect();
            }
            for (title, value) in body["custom_fields"].as_object().into_iter().flatten() {
                ticket.fields.insert(title.clone(), value.clone());
            }
        }
        for comment in body["comments"].as_array().into_iter().flatten() {
            let uuid = comment["uuid"].as_str().unwrap_or_default().to_owned();
            if ticket.comments.iter().all(|(known, ..)| *known != uuid) {
                let text = comment["body"].as_str().unwrap_or_default().to_owned();
                ticket.comments.push((uuid, text, comment["public"] == true));
            }
        }
        if method == "POST" { 201 } else { 200 }
    }

    /// What it was told: each ticket in the form in which the desk says what it has.
    pub(crate) fn tickets(&self) -> BTreeMap<String, Value> {
        let form = |ticket: &Ticket| {
            let comments: Vec<_> =
                ticket.comments.iter().map(|(_, body, public)| json!([body, public])).collect();
            json!({"status": ticket.status, "tags": ticket.tags, "fields": ticket.fields, "comments": by_writer(comments)})
        };
        self.tickets.iter().map(|(uuid, ticket)| (uuid.clone(), form(ticket))).collect()
    }

    /// What it has shared: each ticket with its comments, in order.
    pub(crate) fn shared(&self) -> BTreeMap<String, &Vec<String>> {
        self.own.iter().map(|(uuid, comments)| (uuid.clone(), comments)).collect()
    }

    /// What came for a ticket, in the order in which it was done.
    pub(crate) fn log(&self, uuid: &str) -> Vec<String> {
        self.tickets.get(uuid).map(|ticket| ticket.log.clone()).unwrap_or_default()
    }
}

fn comment(ticket: &str, n: usize, body: &str) -> Value {
    json!({"uuid": format!("{ticket}-{n}"), "author": {"uuid": format!("kim-{}", n % 3), "name": "Kim", "role": "agent"},
        "body": body, "public": true})
}
