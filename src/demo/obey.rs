//! How the small help desk does what commands ask.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::desk::{DeskComment, DeskTicket, HelpDesk, put};

impl HelpDesk {
    /// Does what a command asks, and tells what happened. A command that was done before is only answered.
    pub fn obey(&mut self, command: &Value) -> Vec<Value> {
        let text = |path: &str| command.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (id, kind) = (text("/id"), text("/type"));
        let again = !self.done.insert(id.clone());
        let mut answer = json!({"command_id": id, "status": "done"});
        let mut events = Vec::new();
        let uuid = text("/data/ticket/uuid");
        match kind.as_str() {
            "crossdesk.user.create" => {
                let (uuid, name) = (text("/data/user/uuid"), text("/data/user/name"));
                if !self.dummies.contains_key(&uuid) {
                    let number = format!("dummy-{}", self.dummies.len() + 1);
                    self.dummies.insert(uuid.clone(), (number, name));
                }
                let number = self.dummies.get(&uuid).map(|user| user.0.clone());
                put(&mut answer, "users", json!({uuid: number}));
            }
            "crossdesk.ticket.create" | "crossdesk.ticket.update" => {
                let number = self.ticket_for(&uuid, &text("/data/ticket/id"), &kind);
                if let Some(error) = number.as_ref().and_then(|number| self.refuses(number, command)) {
                    put(&mut answer, "status", json!("failed"));
                    put(&mut answer, "error", json!(error));
                } else if let Some(number) = number {
                    let added = if again { Vec::new() } else { self.apply(&number, command) };
                    if !again {
                        events.push(self.changed(
                            &number,
                            &added,
                            ("crossdesk", "crossdesk", "agent"),
                            Some(&id),
                        ));
                    }
                    self.describe(&number, &mut answer);
                } else {
                    put(&mut answer, "status", json!("failed"));
                    put(&mut answer, "error", json!("there is no such ticket"));
                }
            }
            "crossdesk.ticket.fetch" => {
                let number = text("/data/ticket/id");
                let comments =
                    self.tickets.get(&number).map(|ticket| ticket.comments.clone()).unwrap_or_default();
                let mut data = self.data(&number, &comments, ("9", "Agent", "agent"), None);
                put(&mut data, "comments_complete", json!(true));
                events.push(self.event("helpdesk.ticket.changed", data));
            }
            "crossdesk.notice" if !again => {
                self.notices.push(command.get("data").cloned().unwrap_or_default());
            }
            _ => {}
        }
        if self.habits.completes || kind == "crossdesk.ticket.create" {
            events.push(self.event("helpdesk.command.completed", answer));
        }
        events
    }

    /// Why the desk cannot do a command, if it cannot.
    fn refuses(&self, number: &str, command: &Value) -> Option<String> {
        let required = self.required_to_solve.as_ref()?;
        if command.pointer("/type").and_then(Value::as_str) != Some("crossdesk.ticket.update") {
            return None;
        }
        let solves = command.pointer("/data/ticket/status").and_then(Value::as_str) == Some("solved");
        let filled = self.tickets.get(number)?.fields.contains_key(required);
        (solves && !filled).then(|| format!("field {required} is required to solve"))
    }

    fn ticket_for(&mut self, uuid: &str, id: &str, kind: &str) -> Option<String> {
        if let Some(known) = self.find(uuid) {
            return Some(known);
        }
        if kind == "crossdesk.ticket.create" {
            let number = self.number();
            let ticket = DeskTicket { uuid: Some(uuid.to_owned()), ..DeskTicket::default() };
            self.tickets.insert(number.clone(), ticket);
            return Some(number);
        }
        self.tickets.contains_key(id).then(|| id.to_owned())
    }

    /// Lays a command over a ticket; returns the comments that it added.
    fn apply(&mut self, number: &str, command: &Value) -> Vec<DeskComment> {
        let empty = Vec::new();
        let list = |path: &str| command.pointer(path).and_then(Value::as_array).unwrap_or(&empty);
        self.not_synced.extend(list("/data/fields_not_synced").iter().cloned());
        let dummies = &self.dummies;
        let who = |person: &Value| {
            let text = |key: &str| person.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            let known = dummies.get(&text("uuid")).cloned();
            known.unwrap_or_else(|| (text("id"), text("name")))
        };
        let Some(ticket) = self.tickets.get_mut(number) else { return Vec::new() };
        for key in ["subject", "status", "custom_status", "priority"] {
            if let Some(value) = command.pointer(&format!("/data/ticket/{key}")) {
                let on_hold = self.habits.normalises && *value == json!("hold");
                ticket.values.insert(key.to_owned(), if on_hold { json!("open") } else { value.clone() });
            }
        }
        if let Some(requester) = command.pointer("/data/ticket/requester") {
            ticket.requester = who(requester);
        }
        // A change of tags is done tag by tag, so that what an agent did meanwhile stays.
        let tags = |path: &str| {
            let tags = command.pointer(path).and_then(Value::as_array).unwrap_or(&empty).iter();
            let written = |tag: &str| {
                if self.habits.normalises { tag.trim().to_lowercase() } else { tag.to_owned() }
            };
            tags.filter_map(Value::as_str).map(written).collect::<BTreeSet<_>>()
        };
        if command.pointer("/type").and_then(Value::as_str) == Some("crossdesk.ticket.create") {
            ticket.tags = tags("/data/ticket/tags");
        }
        ticket.tags.retain(|tag| !tags("/data/ticket/tags_removed").contains(tag));
        ticket.tags.extend(tags("/data/ticket/tags_added"));
        for field in list("/data/ticket/custom_fields") {
            let title = field.get("title").and_then(Value::as_str).unwrap_or_default().to_owned();
            ticket.fields.insert(title, field.get("value").cloned().unwrap_or_default());
        }
        let mut added = Vec::new();
        for comment in list("/data/comments") {
            let text =
                |path: &str| comment.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            let uuid = text("/uuid");
            if ticket.comments.iter().any(|known| known.uuid.as_deref() == Some(&uuid)) {
                continue;
            }
            let new = DeskComment {
                id: format!("c{number}-{}", ticket.comments.len() + 1),
                uuid: Some(uuid),
                author: comment.get("author").map(who).unwrap_or_default(),
                role: text("/author/role"),
                body: text("/body"),
                public: comment.get("public").and_then(Value::as_bool).unwrap_or(false),
            };
            ticket.comments.push(new.clone());
            added.push(new);
        }
        added
    }

    /// The ids that this desk gave, for the answer to a command.
    fn describe(&self, number: &str, answer: &mut Value) {
        let Some(ticket) = self.tickets.get(number) else { return };
        let ids: Map<String, Value> = ticket
            .comments
            .iter()
            .filter_map(|comment| Some((comment.uuid.clone()?, json!(comment.id))))
            .collect();
        put(answer, "ticket_id", json!(number));
        put(answer, "revision", json!(ticket.revision));
        put(answer, "comments", Value::Object(ids));
    }
}
