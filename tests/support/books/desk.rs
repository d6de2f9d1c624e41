//! The desk's side: what it has, what it has to say, and the commands that it was given.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crossdesk::{
    demo::{Habits, HelpDesk},
    domain::{Namespace, TicketId},
};
use serde_json::{Value, json};

/// A desk with what it has to say.
#[derive(Debug)]
pub(crate) struct DeskBooks {
    desk: HelpDesk,
    /// What somebody has to take, in order.
    outbox: VecDeque<Value>,
    own: BTreeSet<String>,
    /// By uuid: the commands that make this user.
    users: BTreeMap<String, BTreeSet<String>>,
}

impl DeskBooks {
    pub(crate) fn new(habits: Habits) -> Self {
        let desk = HelpDesk::new("Crash", 1000, habits);
        Self { desk, outbox: VecDeque::new(), own: BTreeSet::new(), users: BTreeMap::new() }
    }

    /// Opens a ticket and shares it; returns its number.
    pub(crate) fn share(&mut self, agreement: &str, n: usize) -> String {
        let (id, opened) = self.desk.open(("77", "Joe"), &format!("Ticket {n}"), "It is stuck.", &[]);
        let shared = self.desk.share(&id, agreement);
        self.outbox.extend([opened, shared]);
        self.own.insert(id.clone());
        id
    }

    /// Somebody does something to a ticket.
    pub(crate) fn act(&mut self, id: &str, what: usize, n: usize) {
        let event = match what % 6 {
            0 => self.desk.set(id, "status", ["open", "pending", "hold", "solved"][what / 6 % 4]),
            1 => self.desk.tag(id, [&[][..], &["a"], &["b"], &["a", "b"]][what / 6 % 4]),
            2 => self.desk.fill(id, "Model", json!(format!("model {n}"))),
            _ => self.desk.comment(id, "Smith", &format!("ours {n}"), (what / 6).is_multiple_of(2)),
        };
        self.outbox.push_back(event);
    }

    /// Does a command, as often as it comes.
    pub(crate) fn obey(&mut self, command: &Value) {
        if command["type"] == "crossdesk.user.create" {
            let agreement = command["id"].as_str().unwrap().rsplit_once('.').unwrap().0;
            let key = format!("{} {agreement}", command["data"]["user"]["uuid"]);
            self.users.entry(key).or_default().insert(command["id"].to_string());
        }
        self.outbox.extend(self.desk.obey(command));
    }

    /// The front of what it has to say; it stays there until somebody has taken it.
    pub(crate) fn front(&self) -> Option<Value> {
        self.outbox.front().cloned()
    }

    pub(crate) fn taken(&mut self) {
        self.outbox.pop_front();
    }

    pub(crate) fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Its own tickets as their partners should have them.
    pub(crate) fn shared(&self, sharing_url: &str) -> BTreeMap<String, Value> {
        let names = Namespace::of(sharing_url);
        let form = |id: &String| {
            let ticket = &self.desk.tickets[id];
            let comments: Vec<_> = ticket.comments.iter().map(|c| json!([c.body, c.public])).collect();
            let value = json!({"status": ticket.values["status"], "tags": ticket.tags, "fields": ticket.fields,
                "comments": by_writer(comments)});
            (names.ticket(&TicketId::new(id.clone())).to_string(), value)
        };
        self.own.iter().map(form).collect()
    }

    /// The tickets that it has made for one of a partner's: their comments.
    pub(crate) fn received(&self, uuid: &str) -> Vec<Vec<String>> {
        let made = self.desk.tickets.values().filter(|ticket| ticket.uuid.as_deref() == Some(uuid));
        made.map(|ticket| ticket.comments.iter().map(|comment| comment.body.clone()).collect()).collect()
    }

    /// How many commands make each user.
    pub(crate) fn users_made(&self) -> Vec<(String, usize)> {
        self.users.iter().map(|(uuid, commands)| (uuid.clone(), commands.len())).collect()
    }
}

/// Comments of a ticket on which both sides write: each side's in their order, since the two may cross on the way.
pub(super) fn by_writer(comments: Vec<Value>) -> [Vec<Value>; 2] {
    let theirs = |comment: &Value| comment[0].as_str().is_some_and(|body| body.starts_with("theirs"));
    let (theirs, ours) = comments.into_iter().partition(theirs);
    [ours, theirs]
}
